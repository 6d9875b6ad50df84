/**
 * Learns a vocabulary of whole words: the most frequent ones, and among equal counts the first in the order of code points.
 *
 * The ids are: the special tokens, then the words, the most frequent first. A word that is written like a special token is
 * left out.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as EventLoop from "../../EventLoop.ts"
import { plural } from "../../Plural.ts"
import { checkLargest, distinctWords, type LearnedModel, type Report, type Sizes } from "./TokenizerTraining.ts"
import { addedTokens, vocabulary } from "./TrainerSettings.ts"
import * as WordCounts from "./WordCounts.ts"

export interface Options {
  /** A word with a lower count is not a token. */
  readonly minFrequency: number
  /** Including the unknown token. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
}

export const learn = (
  words: WordCounts.WordCounts,
  sizes: Sizes,
  report: Report,
  { minFrequency, specialTokens, unknown }: Options
) =>
  Effect.gen(function* () {
    const { counts, starts, units } = words
    const order = yield* EventLoop.run(() =>
      EventLoop.sortIndexes(
        WordCounts.size(words),
        (a, b) =>
          counts[b]! - counts[a]! ||
          WordCounts.compare(units, starts[a]!, starts[a + 1]!, units, starts[b]!, starts[b + 1]!)
      )
    )
    const special = new Set(specialTokens)
    const wanted = Math.max(...sizes) - specialTokens.length
    const tokens: Array<string> = []
    let frequent = 0
    for (const word of order) {
      if (counts[word]! < minFrequency) break
      const text = WordCounts.wordAt(words, word)
      if (special.has(text)) continue
      frequent++
      if (frequent <= wanted) tokens.push(text)
    }
    yield* report(tokens.length, wanted)
    yield* checkLargest(
      Math.max(...sizes),
      frequent + specialTokens.length,
      `${distinctWords(frequent)} with min_frequency ${minFrequency} and ${plural(specialTokens.length, "special token")}`
    )
    return Arr.map(
      sizes,
      (size): LearnedModel => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: {
          type: "WordLevel",
          vocab: vocabulary([...specialTokens, ...tokens.slice(0, size - specialTokens.length)]),
          unk_token: unknown
        }
      })
    )
  })
