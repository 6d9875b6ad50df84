/**
 * codex generate --run runs/<id> --prompt "Call me" [--max-new-tokens 60] [--temperature 0.8] [--top-k 50] [--top-p 0.95] [--seed 1]
 *
 *     $ codex generate --run runs/<id> --prompt "Call me"
 *     Call me Ishmael, …
 *
 * The prompt and its continuation go to stdout as they come, the speed to stderr, and the whole text to artifacts/infer/.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Json from "../core/data/Json.ts"
import * as Numbers from "../core/Numbers.ts"
import { inPreparedSession, load, recordEvent, recordResult } from "./Handler.ts"
import { count, json, number as numberOption } from "./Options.ts"
import { duration, number, plural } from "./render/Format.ts"
import * as TrainedRun from "./TrainedRun.ts"

const prompt = Options.text("prompt").pipe(
  Options.withDescription(
    "Text to continue. The default of this option and of the following ones is the run's `generation` section."
  ),
  Options.optional
)
const maxNewTokens = count("max-new-tokens").pipe(
  Options.withDescription("Generate at most this many tokens."),
  Options.optional
)
const temperature = numberOption("temperature", Numbers.NonNegative).pipe(
  Options.withDescription("0 always takes the most probable token; 1 samples from the model's own distribution."),
  Options.optional
)
const topK = numberOption("top-k", Numbers.CountOrZero).pipe(
  Options.withDescription("Sample from the k most probable tokens; 0: from all."),
  Options.optional
)
const topP = numberOption("top-p", Numbers.Share).pipe(
  Options.withDescription("Sample from the most probable tokens whose probabilities sum up to this."),
  Options.optional
)
const repetitionPenalty = numberOption("repetition-penalty", Numbers.Positive).pipe(
  Options.withDescription("Above 1, tokens that have occurred become less probable."),
  Options.optional
)

const decodeJson = Schema.decodeOption(Json.schema(Schema.String))
const unescaped = (text: string) => decodeJson(`"${text.replaceAll('"', '\\"')}"`)

// The parser trims the values of a repeated option, so a line break or an outer space is written as an escape.
const stop = Options.text("stop").pipe(
  Options.withDescription(
    "End before this text; may be repeated. Written as in JSON: \\n is a line break, \\u0020 a space."
  ),
  Options.repeated,
  Options.filterMap(
    (texts) => Option.filter(Option.all(texts.map(unescaped)), (all) => !all.includes("")),
    'Option "--stop" must be text as in JSON: write a line break as \\n, an outer space as \\u0020, a backslash as \\\\.'
  )
)
const seed = numberOption("seed", Numbers.Seed).pipe(
  Options.withDescription("Seed of the sampling: the same seed gives the same text."),
  Options.optional
)
const { checkpoint, device, run } = TrainedRun

export const generate = Command.make(
  "generate",
  { run, prompt, maxNewTokens, temperature, topK, topP, repetitionPenalty, stop, seed, checkpoint, device, json },
  inPreparedSession(TrainedRun.find, ({ saved }, { checkpoint, json, prompt, stop, ...settings }) =>
    Effect.gen(function* () {
      const Run = yield* load(() => import("../jobs/Run.ts"))
      const run = yield* Run.open(saved, { checkpoint })
      const from = { run: run.directory, checkpoint: run.checkpoint }
      const text = Option.getOrElse(prompt, () => run.config.generation.prompt)
      const write = (piece: string) => (json ? Effect.void : Effect.sync(() => process.stdout.write(piece)))
      // A warning has a line of its own: one about the device comes before the prompt, one about the saved text after the last line.
      const prompted = yield* Effect.once(write(text))
      const ended = yield* Effect.once(write("\n"))
      yield* recordEvent("user", text, from)
      const { finishReason, tokensPerSecond, ...generated } = yield* run
        .generateFile(text, {
          maxNewTokens: Option.getOrUndefined(settings.maxNewTokens),
          temperature: Option.getOrUndefined(settings.temperature),
          topK: Option.getOrUndefined(settings.topK),
          topP: Option.getOrUndefined(settings.topP),
          repetitionPenalty: Option.getOrUndefined(settings.repetitionPenalty),
          stop: stop.length === 0 ? undefined : stop,
          seed: Option.getOrUndefined(settings.seed),
          onText: (piece) => Effect.zipRight(prompted, write(piece)),
          onEnd: Effect.zipRight(prompted, ended)
        })
        // The shell's prompt starts on a new line, also after Ctrl-C.
        .pipe(Effect.ensuring(ended))
      const { file, millis, seed, tokens } = generated
      const place = file === undefined ? "not saved" : `saved in ${file}`
      yield* recordEvent("assistant", generated.text, { tokens, seed, finish_reason: finishReason })
      yield* recordResult(`${plural(tokens, "token")}, ${place}`)
      if (json) return yield* Console.log(JSON.stringify({ ...from, ...generated, finish_reason: finishReason }))
      const rate = tokens < 2 ? "" : `, ${number(tokensPerSecond, 3)} tokens/s`
      yield* Console.error(`${plural(tokens, "token")} in ${duration(millis)}${rate}; ${place}`)
    })
  )
).pipe(
  Command.withDescription(
    "Continue a prompt with generated text, token by token. " +
      'Example: codex generate --run runs/<id> --prompt "Call me" --max-new-tokens 60 --temperature 0.8 --seed 1'
  ),
  Command.provide(({ device }) => TrainedRun.environment({ device }))
)
