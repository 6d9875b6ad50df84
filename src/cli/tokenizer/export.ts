/**
 * codex tokenizer export --tokenizer cl100k_base.tiktoken --out artifacts/tokenizers/cl100k
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "../Lazy.ts"
import { force } from "../Options.ts"
import { encoding, tokenizer } from "../TokenizerOptions.ts"

const out = Options.text("out").pipe(Options.withDescription("The folder to write"))

export const exportCommand = Command.make(
  "export",
  { tokenizer, encoding, out, force: force("Replace files of the tokenizer that are already in the folder.") },
  lazy(() => import("../handlers/tokenizer-export.ts"))
).pipe(
  Command.withDescription(
    "Write a tokenizer as a Hugging Face folder, which other tools open: tokenizer.json, tokenizer_config.json, special_tokens_map.json. " +
      "Example: codex tokenizer export --tokenizer llama2/tokenizer.model --out artifacts/tokenizers/llama2"
  )
)
