/**
 * The words of a text as numbered characters, one word behind the other, each with how often it was seen.
 *
 * A character that is not in the alphabet ends a word: no piece contains it.
 */
import * as Words from "../Words.ts"

export interface Corpus {
  /** The characters, in the order of their numbers. */
  readonly alphabet: ReadonlyArray<string>
  readonly symbols: Int32Array
  /** Word i is `symbols[starts[i], starts[i + 1])`. */
  readonly starts: Int32Array
  readonly counts: Float64Array
}

export const make = (words: Words.Words, alphabet: ReadonlyArray<string>): Corpus => {
  const numbers = new Map(alphabet.map((character, symbol) => [character, symbol]))
  const symbols: Array<number> = []
  const starts = [0]
  const counts: Array<number> = []
  for (let word = 0; word < Words.size(words); word++) {
    const end = () => {
      if (symbols.length === starts.at(-1)) return
      starts.push(symbols.length)
      counts.push(words.counts[word]!)
    }
    for (const character of Words.wordAt(words, word)) {
      const symbol = numbers.get(character)
      if (symbol === undefined) end()
      else symbols.push(symbol)
    }
    end()
  }
  return {
    alphabet,
    symbols: Int32Array.from(symbols),
    starts: Int32Array.from(starts),
    counts: Float64Array.from(counts)
  }
}
