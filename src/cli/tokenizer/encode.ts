/**
 * codex tokenizer encode --tokenizer artifacts/tokenizers/notes "Call me Ishmael."
 *
 *     $ codex tokenizer encode --tokenizer byte hi
 *     104 105
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "../Lazy.ts"
import { encoding, tokenizer } from "../TokenizerOptions.ts"

const text = Args.text({ name: "text" }).pipe(
  Args.withDescription("The text; without it and without --file, stdin is read to its end."),
  Args.optional
)
const file = Options.text("file").pipe(Options.withDescription("A UTF-8 file to read the text from"), Options.optional)
const format = Options.choice("format", ["ids", "json", "tokens", "table"]).pipe(
  Options.withDescription(
    "ids: on one line. json: ids, tokens and offsets. tokens: their written form, one a line. table: id, token, place. Default: ids"
  ),
  Options.withDefault("ids" as const)
)
const addSpecialTokens = Options.boolean("add-special-tokens").pipe(
  Options.withDescription("Put the tokenizer's special tokens around the text.")
)
const parseSpecialTokens = Options.boolean("parse-special-tokens").pipe(
  Options.withDescription("Special tokens that the text spells become their ids; otherwise they are ordinary text.")
)

export const encode = Command.make(
  "encode",
  { tokenizer, encoding, file, format, addSpecialTokens, parseSpecialTokens, text },
  lazy(() => import("../handlers/tokenizer-encode.ts"))
).pipe(
  Command.withDescription(
    "Print the token ids of a text. " +
      'Example: codex tokenizer encode --tokenizer artifacts/tokenizers/notes "Call me Ishmael."'
  )
)
