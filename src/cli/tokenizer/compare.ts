/**
 * codex tokenizer compare --tokenizer byte --tokenizer artifacts/tokenizers/notes --data 'notes/*.txt'
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import { lazy } from "../Lazy.ts"
import { data, encoding, field, format, named } from "../TokenizerOptions.ts"

const tokenizers = Options.text("tokenizer").pipe(
  Options.withDescription(`${named} Given twice.`),
  Options.repeated,
  Options.filterMap(([a, b, ...more]) => {
    return a === undefined || b === undefined || more.length > 0 ? Option.none() : Option.some([a, b] as const)
  }, 'Option "--tokenizer" must be given twice: the two tokenizers to compare.')
)
const text = Options.text("text").pipe(
  Options.withDescription("A text to compare them on; may be repeated."),
  Options.repeated
)

export const compare = Command.make(
  "compare",
  { tokenizers, encoding, text, data, field, format },
  lazy(() => import("../handlers/tokenizer-compare.ts"))
).pipe(
  Command.withDescription(
    "Set two tokenizers side by side on the same texts. " +
      "Example: codex tokenizer compare --tokenizer byte --tokenizer artifacts/tokenizers/notes --data 'notes/*.txt'"
  )
)
