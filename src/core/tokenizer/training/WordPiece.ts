/**
 * Learns WordPiece the way of Hugging Face's trainer: the merges of BPE by count, where characters inside a word are written
 * with ## before them and are tokens of their own. (Google's trainer, which was never published, chose by likelihood.)
 *
 * The ids are: the special tokens, the characters in the order of code points, those that stand inside of words once more with
 * ##, the merges as they were learnt. Words longer than the limit of encoding are not learnt from, as they are unknown there.
 * Source: Hugging Face tokenizers 0.23, models/wordpiece/trainer.rs, whose order of ## characters is random.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Bpe from "./Bpe.ts"
import { addedTokens, vocabulary } from "./Frame.ts"
import * as Symbols from "./Symbols.ts"
import { checkLeast, type Learned, type Report, type Sizes } from "./Training.ts"
import * as Words from "./Words.ts"

export const prefix = "##"

export interface Options {
  readonly minFrequency: number
  /** With the unknown token among them. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
  readonly limitAlphabet: number | undefined
  readonly maxInputCharsPerWord: number
}

export const learn = (all: Words.Words, sizes: Sizes, report: Report, options: Options) =>
  Effect.gen(function* () {
    const { limitAlphabet, maxInputCharsPerWord, minFrequency, specialTokens, unknown } = options
    const words = shortWords(all, maxInputCharsPerWord)
    const alphabet = Symbols.alphabet(words, limitAlphabet)
    const base = symbolsOf(words, alphabet)
    yield* Effect.forEach(
      sizes,
      (size) =>
        checkLeast(size, [
          { count: specialTokens.length, name: "special token" },
          { count: alphabet.characters.length, name: "character" },
          { count: base.symbols.length - alphabet.characters.length, name: "character inside words" }
        ]),
      { discard: true }
    )
    const cuts = yield* Bpe.learn(
      words,
      {
        ...base,
        join,
        reserved: new Set([...specialTokens, ...base.symbols]),
        fixed: specialTokens.length + base.symbols.length
      },
      { minFrequency, report, sizes }
    )
    return Arr.map(
      cuts,
      ({ tokens }): Learned => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: {
          type: "WordPiece",
          unk_token: unknown,
          continuing_subword_prefix: prefix,
          max_input_chars_per_word: maxInputCharsPerWord,
          vocab: vocabulary([...specialTokens, ...tokens])
        }
      })
    )
  })

const join = (left: string, right: string) => left + right.slice(prefix.length)

const shortWords = (words: Words.Words, limit: number): Words.Words => {
  const kept = Int32Array.from({ length: Words.size(words) }, (_, word) => word).filter((word) => {
    const units = words.units.subarray(words.starts[word]!, words.starts[word + 1]!)
    return units.length <= limit || (units.length <= 2 * limit && [...Words.textOf(units)].length <= limit)
  })
  return kept.length === Words.size(words) ? words : Words.select(words, kept)
}

/** Characters, and after them those that stand inside of words. */
const symbolsOf = (words: Words.Words, alphabet: Symbols.Alphabet) => {
  const { characters } = alphabet
  const sequences = Symbols.ofCharacters(words, alphabet, (id) => characters.length + id)
  const stands = new Uint8Array(2 * characters.length)
  for (const id of sequences.ids) stands[id] = 1
  const symbols = [...characters]
  const newId = Int32Array.from(stands.keys())
  for (let id = characters.length; id < stands.length; id++) {
    if (stands[id] === 0) continue
    newId[id] = symbols.length
    symbols.push(prefix + characters[id - characters.length]!)
  }
  for (let at = 0; at < sequences.ids.length; at++) sequences.ids[at] = newId[sequences.ids[at]!]!
  return { sequences, symbols }
}
