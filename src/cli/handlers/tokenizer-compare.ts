/**
 * Prints two tokenizers side by side, as text or as JSON.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import * as Layers from "../../jobs/Environment.ts"
import { compareTokenizers } from "../../jobs/tokenizers/compareTokenizers.ts"
import { openTokenizerPair } from "../../jobs/tokenizers/openTokenizer.ts"
import * as TextSource from "../../jobs/tokenizers/TextSource.ts"
import { comparisonText } from "../render/TokenizerReport.ts"
import { pluginConfig } from "../TokenizerOptions.ts"
import { usageError } from "../UsageError.ts"

export interface Options {
  readonly tokenizers: readonly [string, string]
  readonly encoding: Option.Option<string>
  readonly text: ReadonlyArray<string>
  readonly data: ReadonlyArray<string>
  readonly field: Option.Option<string>
  readonly format: "text" | "json"
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    if (options.text.length === 0 && options.data.length === 0) {
      return yield* usageError("There is nothing to compare them on: give --text or --data.")
    }
    const tokenizers = yield* openTokenizerPair(options.tokenizers, pluginConfig(options))
    const texts = yield* TextSource.open({
      texts: options.text,
      paths: options.data,
      field: Option.getOrUndefined(options.field)
    })
    const comparison = yield* compareTokenizers(tokenizers, texts.documents)
    yield* Console.log(
      options.format === "json"
        ? JSON.stringify({
            tokenizers: comparison.tokenizers.map(({ plugin, statistics, tokenizer, vocabularySize }) => ({
              tokenizer,
              plugin,
              vocabulary_size: vocabularySize,
              ...Statistics.encode(statistics)
            })),
            differences: comparison.differences
          })
        : comparisonText(comparison)
    )
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))
