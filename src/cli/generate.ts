/**
 * codex generate --run runs/<id> --prompt "Call me" [--max-new-tokens 60] [--temperature 0.8] [--top-k 50] [--top-p 0.95] [--seed 1]
 *
 *     $ codex generate --run runs/<id> --prompt "Call me"
 *     Call me Ishmael, …
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { lazyPrepared } from "./Lazy.ts"
import { between, checkpoint, count, device, json, run } from "./Options.ts"

const decode = Schema.decodeOption(Schema.parseJson(Schema.String))
const unescaped = (text: string) => decode(`"${text.replaceAll('"', '\\"')}"`)

const prompt = Options.text("prompt").pipe(
  Options.withDescription("Text to go on from. This option and the next default to the run's `generation` section."),
  Options.optional
)
const maxNewTokens = count("max-new-tokens").pipe(
  Options.withDescription("Tokens to generate at most"),
  Options.optional
)
const temperature = between("temperature", 0, Number.POSITIVE_INFINITY).pipe(
  Options.withDescription("0 takes the most probable token each time; 1 draws as the model believes."),
  Options.optional
)
const topK = count("top-k", 0).pipe(
  Options.withDescription("Draw from the k most probable tokens only; 0 from all."),
  Options.optional
)
const topP = between("top-p", 0, 1).pipe(
  Options.withDescription("Draw from the most probable tokens that together reach this probability."),
  Options.optional
)
const repetitionPenalty = between("repetition-penalty", Number.MIN_VALUE, Number.POSITIVE_INFINITY).pipe(
  Options.withDescription("Above 1, tokens that occurred become less probable."),
  Options.optional
)
// The parser trims what may be repeated, so a line break or an outer space can only come in as an escape.
const stop = Options.text("stop").pipe(
  Options.withDescription(
    "End before this text, written as in JSON: \\n a line break, \\u0020 a space; may be repeated."
  ),
  Options.repeated,
  Options.filterMap(
    (texts) => Option.filter(Option.all(texts.map(unescaped)), (all) => !all.includes("")),
    'Option "--stop" must be text as in JSON: write a line break as \\n, an outer space as \\u0020, a backslash as \\\\.'
  )
)
const seed = Options.integer("seed").pipe(
  Options.withDescription("Seed of the draws: the same seed gives the same text."),
  Options.optional
)

export const generate = Command.make(
  "generate",
  { run, prompt, maxNewTokens, temperature, topK, topP, repetitionPenalty, stop, seed, checkpoint, device, json },
  lazyPrepared(() => import("./handlers/generate.ts"))
).pipe(
  Command.withDescription(
    "Go on from a prompt, token by token. " +
      'Example: codex generate --run runs/<id> --prompt "Call me" --max-new-tokens 60 --temperature 0.8 --seed 1'
  )
)
