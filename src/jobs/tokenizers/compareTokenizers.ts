/**
 * Compares two tokenizers on the same texts: statistics, and the first places where they split differently. The job of `codex
 * tokenizer compare`.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Document } from "../../core/Dataset.ts"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import type { OpenedTokenizer } from "./openTokenizer.ts"
import { type Difference, differences } from "./TokenSpans.ts"

/** One of the compared tokenizers, in numbers. */
export interface ComparedTokenizer {
  readonly tokenizer: string
  readonly plugin: string
  readonly vocabularySize: number
  readonly statistics: Statistics.Statistics
}

/** Two tokenizers on the same texts. */
export interface Comparison {
  readonly tokenizers: readonly [ComparedTokenizer, ComparedTokenizer]
  /** The first ones. */
  readonly differences: ReadonlyArray<Difference>
}

const DIFFERENCES = 10

/** Measures both tokenizers on every document, one document at a time. */
export const compareTokenizers = <E, R>(
  [a, b]: readonly [OpenedTokenizer, OpenedTokenizer],
  documents: Stream.Stream<Document, E, R>
) =>
  Effect.gen(function* () {
    const counters = [Statistics.make(a.tokenizer), Statistics.make(b.tokenizer)] as const
    const found: Array<Difference> = []
    yield* Stream.runForEach(documents, (document) =>
      Effect.gen(function* () {
        for (const counter of counters) yield* counter.add(document.text, document.id)
        found.push(...differences([a.tokenizer, b.tokenizer], document, DIFFERENCES - found.length, found))
      })
    )
    const side = ({ name, plugin, tokenizer }: OpenedTokenizer, counter: Statistics.Counter) =>
      Effect.map(
        counter.result,
        (statistics): ComparedTokenizer => ({
          tokenizer: name,
          plugin,
          vocabularySize: tokenizer.vocabularySize,
          statistics
        })
      )
    return {
      tokenizers: [yield* side(a, counters[0]), yield* side(b, counters[1])],
      differences: found
    } satisfies Comparison
  })
