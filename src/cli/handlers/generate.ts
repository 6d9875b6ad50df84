/**
 * Generates text from a trained model: the prompt and its continuation go to stdout as they come, the speed to stderr, and
 * the whole to artifacts/infer/.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Run from "../../jobs/Run.ts"
import type { Which } from "../../jobs/SavedRun.ts"
import type { Device } from "../../services/backend/onnx/OnnxProtocol.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { duration, number, plural } from "../render/Format.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly run: string
  readonly prompt: Option.Option<string>
  readonly maxNewTokens: Option.Option<number>
  readonly temperature: Option.Option<number>
  readonly topK: Option.Option<number>
  readonly topP: Option.Option<number>
  readonly repetitionPenalty: Option.Option<number>
  readonly stop: ReadonlyArray<string>
  readonly seed: Option.Option<number>
  readonly checkpoint: Which
  readonly device: Option.Option<Device | "auto">
  readonly json: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const run = yield* Run.open(options.run, { checkpoint: options.checkpoint })
    const { checkpoint, directory } = run
    const prompt = Option.getOrElse(options.prompt, () => run.config.generation.prompt)
    const write = (piece: string) => (options.json ? Effect.void : Effect.sync(() => process.stdout.write(piece)))
    // The prompt is shown first: reading a long one takes a moment.
    yield* write(prompt)
    yield* Session.say("user", prompt, { run: directory, checkpoint })
    const generated = yield* run
      .generateFile(prompt, {
        maxNewTokens: Option.getOrUndefined(options.maxNewTokens),
        temperature: Option.getOrUndefined(options.temperature),
        topK: Option.getOrUndefined(options.topK),
        topP: Option.getOrUndefined(options.topP),
        repetitionPenalty: Option.getOrUndefined(options.repetitionPenalty),
        stop: options.stop.length > 0 ? options.stop : undefined,
        seed: Option.getOrUndefined(options.seed),
        onText: write
      })
      // A line of its own for the shell's prompt, also after Ctrl-C.
      .pipe(Effect.ensuring(write("\n")))
    const { file, millis, seed, text, tokens, tokensPerSecond } = generated
    yield* Session.say("assistant", text, { tokens, seed })
    yield* ChangeJournal.result(`${plural(tokens, "token")}, kept in ${file}`)
    if (options.json) {
      const json = { run: directory, checkpoint, prompt, text, tokens, seed, millis, file }
      yield* Console.log(JSON.stringify(json))
    } else {
      const rate = Number.isNaN(tokensPerSecond) ? "" : `, ${number(tokensPerSecond, 3)} tokens/s`
      yield* Console.error(`${plural(tokens, "token")} in ${duration(millis)}${rate}; kept in ${file}`)
    }
  }).pipe(Effect.scoped, Effect.provide(Run.layer({ device: Option.getOrUndefined(options.device) })))

export const logging = ({ run }: Options) => Session.savedLogging(run)
