/**
 * codex tokenizer export --tokenizer cl100k_base.tiktoken --out artifacts/tokenizers/cl100k
 */

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { load } from "../Handler.ts"
import { force } from "../Options.ts"
import { encoding, pluginConfig, tokenizer, withRegistry } from "../TokenizerOptions.ts"

const out = Options.text("out").pipe(Options.withDescription("The directory to write."))

export const exportCommand = Command.make(
  "export",
  { tokenizer, encoding, out, force: force("Replace files of another tokenizer in the directory.") },
  withRegistry(({ encoding, force, out, tokenizer }) =>
    Effect.gen(function* () {
      const [{ exportTokenizer }, { openTokenizer }, { ChangeJournal }, { bytes }] = yield* load(() =>
        Promise.all([
          import("../../jobs/tokenizers/exportTokenizer.ts"),
          import("../../jobs/tokenizers/openTokenizer.ts"),
          import("../../services/logs/ChangeJournal.ts"),
          import("../render/Format.ts")
        ])
      )
      const { join } = yield* Path.Path
      const opened = yield* openTokenizer(tokenizer, pluginConfig(encoding))
      const files = yield* exportTokenizer({ tokenizer: opened, out, force })
      yield* ChangeJournal.result(files.map(({ file }) => join(out, file)).join(", "))
      yield* Console.log(files.map(({ bytes: size, file }) => `${join(out, file)}: ${bytes(size)}`).join("\n"))
    })
  )
).pipe(
  Command.withDescription(
    "Write a tokenizer as a directory that Hugging Face's libraries and other tools open: tokenizer.json, tokenizer_config.json, special_tokens_map.json. " +
      "Example: codex tokenizer export --tokenizer models/llama2 --out artifacts/tokenizers/llama2"
  )
)
