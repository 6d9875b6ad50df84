/**
 * codex tokenizer decode --tokenizer artifacts/tokenizers/notes 41 256 12
 *
 *     $ codex tokenizer encode --tokenizer byte hi | codex tokenizer decode --tokenizer byte
 *     hi
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "../Lazy.ts"
import { encoding, tokenizer } from "../TokenizerOptions.ts"

const ids = Args.text({ name: "id" }).pipe(
  Args.withDescription("Token ids, with spaces or commas between; without any, stdin is read to its end."),
  Args.repeated
)
const skipSpecialTokens = Options.boolean("skip-special-tokens").pipe(
  Options.withDescription("Special tokens give nothing. This is the default.")
)
const keepSpecialTokens = Options.boolean("keep-special-tokens").pipe(
  Options.withDescription("Special tokens give their written form.")
)

export const decode = Command.make(
  "decode",
  { tokenizer, encoding, skipSpecialTokens, keepSpecialTokens, ids },
  lazy(() => import("../handlers/tokenizer-decode.ts"))
).pipe(
  Command.withDescription(
    "Print the text of token ids, as it is: a line break follows on a terminal only. " +
      "Example: codex tokenizer decode --tokenizer artifacts/tokenizers/notes 41 256 12"
  )
)
