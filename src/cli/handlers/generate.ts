/**
 * Generates text from a trained model: the prompt and what follows go to stdout as they come, the speed to stderr, and the
 * whole to artifacts/infer/.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { GenerationConfig } from "../../core/config/RunConfig.ts"
import * as GenerateJob from "../../jobs/RunGeneration.ts"
import type { Which } from "../../jobs/SavedRun.ts"
import { saveGenerated } from "../../jobs/saveGenerated.ts"
import type { Device } from "../../services/backend/onnx/OnnxProtocol.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { duration, number } from "../render/Format.ts"
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
    const saved = yield* Session.savedConfig(options.run)
    yield* speak(options).pipe(
      Effect.scoped,
      Effect.provide(Session.layerOf(saved, Option.getOrUndefined(options.device)))
    )
  })

export const logging = ({ run }: Options) => Session.savedLogging(run)

const speak = (options: Options) =>
  Effect.gen(function* () {
    const {
      architecture,
      checkpoint,
      config: trained,
      path,
      run,
      tokenizer
    } = yield* Session.open(options.run, options.checkpoint)
    const config = settings(trained.generation, options)
    const write = (piece: string) => (options.json ? Effect.void : Effect.sync(() => process.stdout.write(piece)))
    let [text, tokens] = ["", 0]
    let [first, last] = [0, 0]
    // The prompt is shown first: reading a long one takes a moment.
    yield* write(config.prompt)
    const from = yield* Clock.currentTimeMillis
    yield* Session.say("user", config.prompt, { run: run.directory, checkpoint: path })
    yield* GenerateJob.generate({
      architecture,
      parameters: checkpoint.parameters,
      tokenizer,
      config,
      onToken: Effect.map(Clock.currentTimeMillis, (now) => {
        tokens += 1
        last = now
        if (first === 0) first = now
      })
    }).pipe(
      Stream.runForEach((piece) => {
        text += piece
        return write(piece)
      }),
      // A line of its own for the shell's prompt, also after Ctrl-C.
      Effect.ensuring(write("\n"))
    )
    const millis = (yield* Clock.currentTimeMillis) - from
    const file = yield* saveGenerated({
      run: run.directory,
      checkpoint: path,
      config,
      text: config.prompt + text,
      tokens
    })
    yield* Session.say("assistant", text, { tokens, seed: config.seed })
    yield* ChangeJournal.result(`${tokens} tokens, kept in ${file}`)
    if (options.json) {
      const { prompt, seed } = config
      yield* Console.log(
        JSON.stringify({ run: run.directory, checkpoint: path, prompt, text, tokens, seed, millis, file })
      )
    } else {
      // Reading the prompt and compiling come before the first token; the rate is of those that follow.
      const rate = tokens < 2 ? "" : `, ${number((1000 * (tokens - 1)) / Math.max(1, last - first), 3)} tokens/s`
      yield* Console.error(`${tokens} tokens in ${duration(millis)}${rate}; kept in ${file}`)
    }
  })

/** What the command line says, and the run's own settings for the rest. */
const settings = (trained: GenerationConfig, options: Options): GenerationConfig => ({
  prompt: Option.getOrElse(options.prompt, () => trained.prompt),
  max_new_tokens: Option.getOrElse(options.maxNewTokens, () => trained.max_new_tokens),
  temperature: Option.getOrElse(options.temperature, () => trained.temperature),
  top_k: Option.getOrElse(options.topK, () => trained.top_k),
  top_p: Option.getOrElse(options.topP, () => trained.top_p),
  repetition_penalty: Option.getOrElse(options.repetitionPenalty, () => trained.repetition_penalty),
  stop: options.stop.length > 0 ? options.stop : trained.stop,
  seed: Option.getOrElse(options.seed, () => trained.seed)
})
