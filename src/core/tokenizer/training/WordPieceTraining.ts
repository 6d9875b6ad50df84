/**
 * Learns WordPiece as Hugging Face's trainer does: BPE merges by count, where a character inside a word is a separate token
 * that is written with ## before it. (Google's trainer, which was never published, chose merges by likelihood.)
 *
 * The ids are: the special tokens, the characters in the order of code points, the characters that occur inside words again
 * with ##, the merges as they were learned. Words longer than the limit for encoding are skipped, since they encode to the
 * unknown token.
 * Source: Hugging Face tokenizers 0.23, models/wordpiece/trainer.rs, whose order of ## characters is random.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as BpeTraining from "./BpeTraining.ts"
import * as SymbolSequences from "./SymbolSequences.ts"
import { checkLeast, type LearnedModel, type Report, type Sizes } from "./TokenizerTraining.ts"
import { addedTokens, vocabulary } from "./TrainerSettings.ts"
import * as WordCounts from "./WordCounts.ts"

/** Marks a token inside a word. */
export const prefix = "##"

export interface Options {
  readonly minFrequency: number
  /** Including the unknown token. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
  readonly limitAlphabet: number | undefined
  readonly maxInputCharsPerWord: number
}

export const learn = (all: WordCounts.WordCounts, sizes: Sizes, report: Report, options: Options) =>
  Effect.gen(function* () {
    const { limitAlphabet, maxInputCharsPerWord, minFrequency, specialTokens, unknown } = options
    const words = shortWords(all, maxInputCharsPerWord)
    const alphabet = SymbolSequences.alphabet(words, limitAlphabet)
    const base = symbolsOf(words, alphabet)
    yield* Effect.forEach(
      sizes,
      (size) =>
        checkLeast(size, [
          { count: specialTokens.length, name: "special token" },
          { count: alphabet.characters.length, name: "character" },
          { count: base.symbols.length - alphabet.characters.length, name: "word-internal character" }
        ]),
      { discard: true }
    )
    const cuts = yield* BpeTraining.learn(
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
      ({ tokens }): LearnedModel => ({
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

const shortWords = (words: WordCounts.WordCounts, limit: number): WordCounts.WordCounts => {
  const kept = Int32Array.from({ length: WordCounts.size(words) }, (_, word) => word).filter((word) => {
    const units = words.units.subarray(words.starts[word]!, words.starts[word + 1]!)
    return units.length <= limit || (units.length <= 2 * limit && [...WordCounts.textOf(units)].length <= limit)
  })
  return kept.length === WordCounts.size(words) ? words : WordCounts.select(words, kept)
}

/** The characters, and after them those that occur inside words, with ##. */
const symbolsOf = (words: WordCounts.WordCounts, alphabet: SymbolSequences.Alphabet) => {
  const { characters } = alphabet
  const sequences = SymbolSequences.ofCharacters(words, alphabet, (id) => characters.length + id)
  const occurs = new Uint8Array(2 * characters.length)
  for (const id of sequences.ids) occurs[id] = 1
  const symbols = [...characters]
  const newId = Int32Array.from(occurs.keys())
  for (let id = characters.length; id < occurs.length; id++) {
    if (occurs[id] === 0) continue
    newId[id] = symbols.length
    symbols.push(prefix + characters[id - characters.length]!)
  }
  for (let at = 0; at < sequences.ids.length; at++) sequences.ids[at] = newId[sequences.ids[at]!]!
  return { sequences, symbols }
}
