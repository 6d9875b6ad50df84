/**
 * codex tokenizer compare --tokenizer byte --tokenizer artifacts/tokenizers/notes --data 'notes/*.txt'
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load } from "../Handler.ts"
import { data, encoding, field, format, named, pluginConfig, withRegistry } from "../TokenizerOptions.ts"
import { usageError } from "../UsageError.ts"

const tokenizers = Options.text("tokenizer").pipe(
  Options.withDescription(`${named} Given twice.`),
  Options.repeated,
  Options.filterMap(([a, b, ...more]) => {
    return a === undefined || b === undefined || more.length > 0 ? Option.none() : Option.some([a, b] as const)
  }, 'Option "--tokenizer" must be given twice: the two tokenizers to compare.')
)
const text = Options.text("text").pipe(
  Options.withDescription("A text to compare them on. Can be repeated."),
  Options.repeated
)

export const compare = Command.make(
  "compare",
  { tokenizers, encoding, text, data, field, format },
  withRegistry(({ data, encoding, field, format, text, tokenizers }) =>
    Effect.gen(function* () {
      if (text.length === 0 && data.length === 0) {
        return yield* usageError("There is nothing to compare them on: give --text or --data.")
      }
      const [{ compareTokenizers }, { openTokenizerPair }, TextSource, { comparisonJson, comparisonText }] =
        yield* load(() =>
          Promise.all([
            import("../../jobs/tokenizers/compareTokenizers.ts"),
            import("../../jobs/tokenizers/openTokenizer.ts"),
            import("../../jobs/tokenizers/TextSource.ts"),
            import("../render/TokenizerReport.ts")
          ])
        )
      const pair = yield* openTokenizerPair(tokenizers, pluginConfig(encoding))
      const texts = yield* TextSource.open({ texts: text, paths: data, field: Option.getOrUndefined(field) })
      const comparison = yield* compareTokenizers(pair, texts.documents)
      yield* Console.log(format === "json" ? JSON.stringify(comparisonJson(comparison)) : comparisonText(comparison))
    })
  )
).pipe(
  Command.withDescription(
    "Compare two tokenizers on the same texts. " +
      "Example: codex tokenizer compare --tokenizer byte --tokenizer artifacts/tokenizers/notes --data 'notes/*.txt'"
  )
)
