/**
 * Prints what a tokenizer is made of and what it makes of texts, as text or as JSON.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import * as Layers from "../../jobs/Environment.ts"
import { inspectTokenizer } from "../../jobs/tokenizers/inspectTokenizer.ts"
import { openTokenizer } from "../../jobs/tokenizers/openTokenizer.ts"
import * as TextSource from "../../jobs/tokenizers/TextSource.ts"
import { colour } from "../Process.ts"
import { inspectionText } from "../render/TokenizerReport.ts"
import { pluginConfig } from "../TokenizerOptions.ts"

/** What is split when no text is given. */
const sentence =
  "The quick brown fox jumped 12 times: naïve façade, 東京で 1234.5 €! \u{1F44D}\u{1F3FD}\n\tdef f(x): return x"

export interface Options {
  readonly tokenizer: string
  readonly encoding: Option.Option<string>
  readonly text: Option.Option<string>
  readonly data: ReadonlyArray<string>
  readonly field: Option.Option<string>
  readonly format: "text" | "json"
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const named = yield* openTokenizer(options.tokenizer, pluginConfig(options))
    const text = Option.getOrUndefined(options.text)
    const texts = yield* TextSource.open({
      texts: text === undefined ? [] : [text],
      paths: options.data,
      field: Option.getOrUndefined(options.field)
    })
    const sample = text ?? sentence
    const inspection = yield* inspectTokenizer(named, {
      sample,
      documents: text === undefined && options.data.length === 0 ? undefined : texts.documents
    })
    yield* Console.log(
      options.format === "json"
        ? JSON.stringify({
            tokenizer: inspection.tokenizer,
            plugin: inspection.plugin,
            algorithm: inspection.algorithm,
            vocabulary_size: inspection.vocabularySize,
            byte_level: inspection.byteLevel,
            normalizer: inspection.normalizer,
            pre_tokenizer: inspection.preTokenizer,
            decoder: inspection.decoder,
            special_tokens: inspection.specialTokens,
            template: inspection.template,
            text: sample,
            tokens: inspection.spans.map(({ id, offsets, token }) => ({ id, token, offsets })),
            statistics: inspection.statistics && Statistics.encode(inspection.statistics)
          })
        : inspectionText(inspection, sample.toWellFormed(), { colour: colour(process) })
    )
  }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry()]))
