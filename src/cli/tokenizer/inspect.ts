/**
 * codex tokenizer inspect --tokenizer artifacts/tokenizers/notes [--text "…"] [--data file] [--format json]
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "../Lazy.ts"
import { data, encoding, field, format, tokenizer } from "../TokenizerOptions.ts"

const text = Options.text("text").pipe(
  Options.withDescription("A text to split into tokens and to measure. Default: a sentence of several scripts"),
  Options.optional
)

export const inspect = Command.make(
  "inspect",
  { tokenizer, encoding, text, data, field, format },
  lazy(() => import("../handlers/tokenizer-inspect.ts"))
).pipe(
  Command.withDescription(
    "Show what a tokenizer is made of, and what it makes of a text. " +
      'Example: codex tokenizer inspect --tokenizer artifacts/tokenizers/notes --text "Call me Ishmael."'
  )
)
