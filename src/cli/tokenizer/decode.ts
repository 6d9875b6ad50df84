/**
 * codex tokenizer decode --tokenizer artifacts/tokenizers/notes 41 256 12
 *
 *     $ codex tokenizer encode --tokenizer byte hi | codex tokenizer decode --tokenizer byte
 *     hi
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load } from "../Handler.ts"
import { encoding, pluginConfig, tokenizer, withRegistry } from "../TokenizerOptions.ts"
import { usageError } from "../UsageError.ts"

const ids = Args.text({ name: "id" }).pipe(
  Args.withDescription("Token ids, separated by spaces or commas. Without any, they are read from stdin."),
  Args.repeated
)
const skipSpecialTokens = Options.boolean("skip-special-tokens").pipe(
  Options.withDescription("Leave special tokens out. This is the default.")
)
const keepSpecialTokens = Options.boolean("keep-special-tokens").pipe(
  Options.withDescription("Print special tokens in their written form.")
)

export const decode = Command.make(
  "decode",
  { tokenizer, encoding, skipSpecialTokens, keepSpecialTokens, ids },
  withRegistry(({ encoding, ids, keepSpecialTokens, skipSpecialTokens, tokenizer: name }) =>
    Effect.gen(function* () {
      if (skipSpecialTokens && keepSpecialTokens) {
        return yield* usageError("Special tokens can be skipped or kept, not both.")
      }
      const [{ openTokenizer }, Input] = yield* load(() =>
        Promise.all([import("../../jobs/tokenizers/openTokenizer.ts"), import("../Input.ts")])
      )
      const { tokenizer } = yield* openTokenizer(name, pluginConfig(encoding))
      const given = ids.length === 0 ? Option.none() : Option.some(ids.join(" "))
      const input = yield* Input.read({ text: given, file: Option.none() }, "token id")
      const parsed = yield* Input.tokenIds(input, tokenizer.vocabularySize)
      const text = yield* keepSpecialTokens ? tokenizer.decodeWithSpecialTokens(parsed) : tokenizer.decode(parsed)
      yield* Effect.sync(() => process.stdout.write(process.stdout.isTTY ? `${text}\n` : text))
    })
  )
).pipe(
  Command.withDescription(
    "Print the text of token ids exactly. A line break is added on a terminal only. " +
      "Example: codex tokenizer decode --tokenizer artifacts/tokenizers/notes 41 256 12"
  )
)
