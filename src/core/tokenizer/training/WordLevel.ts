/**
 * Learns a vocabulary of whole words: the most frequent ones, of equal count those that come first in the order of code points.
 *
 * The ids are: the special tokens, then the words, the most frequent one first. A word that is written like a special token is
 * left out.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Breath from "./Breath.ts"
import { addedTokens, vocabulary } from "./Frame.ts"
import { sortIndexes } from "./Sort.ts"
import { checkLargest, type Learned, type Report, type Sizes } from "./Training.ts"
import * as Words from "./Words.ts"

export interface Options {
  /** A word seen less often is no token. */
  readonly minFrequency: number
  /** With the unknown token among them. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
}

export const learn = (
  words: Words.Words,
  sizes: Sizes,
  report: Report,
  { minFrequency, specialTokens, unknown }: Options
) =>
  Effect.gen(function* () {
    const { counts, starts, units } = words
    const order = yield* Breath.run(() =>
      sortIndexes(
        Words.size(words),
        (a, b) =>
          counts[b]! - counts[a]! || Words.compare(units, starts[a]!, starts[a + 1]!, units, starts[b]!, starts[b + 1]!)
      )
    )
    const special = new Set(specialTokens)
    const wanted = Math.max(...sizes) - specialTokens.length
    const tokens: Array<string> = []
    let frequent = 0
    for (const word of order) {
      if (counts[word]! < minFrequency) break
      const text = Words.wordAt(words, word)
      if (special.has(text)) continue
      frequent++
      if (frequent <= wanted) tokens.push(text)
    }
    yield* report(tokens.length, wanted)
    yield* checkLargest(
      Math.max(...sizes),
      frequent + specialTokens.length,
      `${frequent} distinct words with min_frequency ${minFrequency} and ${specialTokens.length} special tokens give`
    )
    return Arr.map(
      sizes,
      (size): Learned => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: {
          type: "WordLevel",
          vocab: vocabulary([...specialTokens, ...tokens.slice(0, size - specialTokens.length)]),
          unk_token: unknown
        }
      })
    )
  })
