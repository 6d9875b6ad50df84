/**
 * Learns BPE over bytes, or over characters where rare characters are written as bytes.
 *
 * Over bytes the ids are: the 256 bytes in the order of their characters, the merges as they were learned, the special tokens.
 * Over characters: the special tokens, the bytes `<0x00>` to `<0xFF>`, the characters in the order of code points, the merges.
 * A vocabulary cut to fewer merges is the one that training with that size gives. Text that looks like a special token is
 * ordinary text.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as EventLoop from "../../EventLoop.ts"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import * as TokenizerJson from "../TokenizerJson.ts"
import * as MergeLearner from "./MergeLearner.ts"
import * as SymbolSequences from "./SymbolSequences.ts"
import {
  checkLargest,
  checkLeast,
  distinctWords,
  type LearnedModel,
  type Report,
  type Sizes
} from "./TokenizerTraining.ts"
import { addedTokens, vocabulary } from "./TrainerSettings.ts"
import * as WordCounts from "./WordCounts.ts"

export interface Options {
  readonly minFrequency: number
  readonly specialTokens: ReadonlyArray<string>
}

/** What merges are learned from: sequences of symbols, and the vocabulary before the first merge. */
export interface InitialVocabulary {
  readonly sequences: SymbolSequences.Sequences
  /** Written forms of the symbols of the sequences, by id. */
  readonly symbols: ReadonlyArray<string>
  readonly join?: (left: string, right: string) => string
  /** Tokens that no merge may make. */
  readonly reserved: ReadonlySet<string>
  /** Number of tokens of every vocabulary, without the merges. */
  readonly fixed: number
}

/** The merges of one vocabulary size. */
export interface MergedVocabulary {
  readonly merges: ReadonlyArray<MergeLearner.Merge>
  /** Written forms of symbols and merges, by the ids of the merges. */
  readonly tokens: ReadonlyArray<string>
}

/** The merges for each size. Fails when the text has too few merges for one of the sizes. */
export const learn = (
  words: WordCounts.WordCounts,
  base: InitialVocabulary,
  { minFrequency, report, sizes }: { readonly minFrequency: number; readonly report: Report; readonly sizes: Sizes }
) =>
  Effect.gen(function* () {
    const limit = Math.max(...sizes) - base.fixed
    yield* EventLoop.turn
    const merges = yield* EventLoop.run(
      () => MergeLearner.learn(base.sequences, { ...base, limit, minFrequency }),
      (done) => report(done, limit)
    )
    yield* report(merges.length, limit)
    yield* checkLargest(
      Math.max(...sizes),
      base.fixed + merges.length,
      `${distinctWords(WordCounts.size(words))} with min_frequency ${minFrequency}`
    )
    const { join = (left, right) => left + right } = base
    const tokens = [...base.symbols]
    for (const { left, right } of merges) tokens.push(join(tokens[left]!, tokens[right]!))
    return Arr.map(sizes, (size): MergedVocabulary => {
      const count = size - base.fixed
      return { merges: merges.slice(0, count), tokens: tokens.slice(0, base.symbols.length + count) }
    })
  })

const writtenForm = (text: string) => ByteAlphabet.write(new TextEncoder().encode(text))

const byteParts = (specialTokens: ReadonlyArray<string>) => [
  { count: 256, name: "byte" },
  { count: specialTokens.length, name: "special token" }
]

export const checkBytes = (size: number, { specialTokens }: Options) => checkLeast(size, byteParts(specialTokens))

export const learnBytes = (words: WordCounts.WordCounts, sizes: Sizes, report: Report, options: Options) => {
  const { minFrequency, specialTokens } = options
  const base: InitialVocabulary = {
    sequences: SymbolSequences.ofBytes(words),
    symbols: ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!),
    reserved: new Set(specialTokens.map(writtenForm)),
    fixed: 256 + specialTokens.length
  }
  return Effect.map(learn(words, base, { minFrequency, report, sizes }), (cuts) =>
    Arr.map(
      cuts,
      (cut): LearnedModel => ({
        added_tokens: addedTokens(specialTokens, cut.tokens.length),
        model: model(vocabulary([...cut.tokens, ...specialTokens]), cut, { byteFallback: false, unknown: null })
      })
    )
  )
}

export const learnCharacters = (
  words: WordCounts.WordCounts,
  sizes: Sizes,
  report: Report,
  options: Options & { readonly limitAlphabet: number | undefined; readonly unknown: string | null }
) =>
  Effect.gen(function* () {
    const { limitAlphabet, minFrequency, specialTokens, unknown } = options
    const alphabet = SymbolSequences.alphabet(words, limitAlphabet)
    const parts = [...byteParts(specialTokens), { count: alphabet.characters.length, name: "character" }]
    yield* Effect.forEach(sizes, (size) => checkLeast(size, parts), { discard: true })
    const before = [...specialTokens, ...ByteAlphabet.byteTokens]
    const base: InitialVocabulary = {
      sequences: SymbolSequences.ofCharacters(words, alphabet),
      symbols: alphabet.characters,
      reserved: new Set(before),
      fixed: before.length + alphabet.characters.length
    }
    const cuts = yield* learn(words, base, { minFrequency, report, sizes })
    return Arr.map(
      cuts,
      (cut): LearnedModel => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: model(vocabulary([...before, ...cut.tokens]), cut, { byteFallback: true, unknown })
      })
    )
  })

const model = (
  vocab: { readonly [token: string]: number },
  { merges, tokens }: MergedVocabulary,
  { byteFallback, unknown }: { readonly byteFallback: boolean; readonly unknown: string | null }
): TokenizerJson.Bpe =>
  TokenizerJson.bpe({
    unk_token: unknown,
    byte_fallback: byteFallback,
    vocab,
    merges: merges.map(({ left, right }) => [tokens[left], tokens[right]])
  })
