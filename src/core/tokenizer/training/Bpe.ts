/**
 * Learns BPE over bytes, or over characters whose rare ones are written as bytes.
 *
 * Over bytes the ids are: the 256 bytes in the order of their characters, the merges as they were learnt, the special tokens.
 * Over characters: the special tokens, the bytes `<0x00>` to `<0xFF>`, the characters in the order of code points, the merges.
 * A vocabulary cut to fewer merges is the one that training with that size gives. Text that looks like a special token is
 * ordinary text.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import * as Definition from "../Definition.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import * as Breath from "./Breath.ts"
import { addedTokens, vocabulary } from "./Frame.ts"
import * as Merges from "./Merges.ts"
import * as Symbols from "./Symbols.ts"
import { checkLargest, checkLeast, type Learned, type Report, type Sizes } from "./Training.ts"
import * as Words from "./Words.ts"

export interface Options {
  readonly minFrequency: number
  readonly specialTokens: ReadonlyArray<string>
}

/** Sequences of symbols, and the tokens that they are made of. */
export interface Base {
  readonly sequences: Symbols.Sequences
  /** Written forms of the symbols of the sequences, by id. */
  readonly symbols: ReadonlyArray<string>
  readonly join?: (left: string, right: string) => string
  /** Tokens that must not be made by a merge. */
  readonly reserved: ReadonlySet<string>
  /** Tokens of every vocabulary, besides merges. */
  readonly fixed: number
}

export interface Cut {
  readonly merges: ReadonlyArray<Merges.Merge>
  /** Written forms of symbols and merges, by the ids of the merges. */
  readonly tokens: ReadonlyArray<string>
}

/** The merges of each size; fails when the text has too few for one. */
export const learn = (
  words: Words.Words,
  base: Base,
  { minFrequency, report, sizes }: { readonly minFrequency: number; readonly report: Report; readonly sizes: Sizes }
) =>
  Effect.gen(function* () {
    const limit = Math.max(...sizes) - base.fixed
    yield* Breath.turn
    const merges = yield* Breath.run(
      () => Merges.learn(base.sequences, { ...base, limit, minFrequency }),
      (done) => report(done, limit)
    )
    yield* report(merges.length, limit)
    yield* checkLargest(
      Math.max(...sizes),
      base.fixed + merges.length,
      `${Words.size(words)} distinct words with min_frequency ${minFrequency} give`
    )
    const { join = (left, right) => left + right } = base
    const tokens = [...base.symbols]
    for (const { left, right } of merges) tokens.push(join(tokens[left]!, tokens[right]!))
    return Arr.map(sizes, (size): Cut => {
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

export const learnBytes = (words: Words.Words, sizes: Sizes, report: Report, options: Options) => {
  const { minFrequency, specialTokens } = options
  const base: Base = {
    sequences: Symbols.ofBytes(words),
    symbols: ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!),
    reserved: new Set(specialTokens.map(writtenForm)),
    fixed: 256 + specialTokens.length
  }
  return Effect.map(learn(words, base, { minFrequency, report, sizes }), (cuts) =>
    Arr.map(
      cuts,
      (cut): Learned => ({
        added_tokens: addedTokens(specialTokens, cut.tokens.length),
        model: model(vocabulary([...cut.tokens, ...specialTokens]), cut, { byteFallback: false, unknown: null })
      })
    )
  )
}

const byteTokens = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)

export const learnCharacters = (
  words: Words.Words,
  sizes: Sizes,
  report: Report,
  options: Options & { readonly limitAlphabet: number | undefined; readonly unknown: string | null }
) =>
  Effect.gen(function* () {
    const { limitAlphabet, minFrequency, specialTokens, unknown } = options
    const alphabet = Symbols.alphabet(words, limitAlphabet)
    const parts = [...byteParts(specialTokens), { count: alphabet.characters.length, name: "character" }]
    yield* Effect.forEach(sizes, (size) => checkLeast(size, parts), { discard: true })
    const before = [...specialTokens, ...byteTokens]
    const base: Base = {
      sequences: Symbols.ofCharacters(words, alphabet),
      symbols: alphabet.characters,
      reserved: new Set(before),
      fixed: before.length + alphabet.characters.length
    }
    const cuts = yield* learn(words, base, { minFrequency, report, sizes })
    return Arr.map(
      cuts,
      (cut): Learned => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: model(vocabulary([...before, ...cut.tokens]), cut, { byteFallback: true, unknown })
      })
    )
  })

const model = (
  vocab: { readonly [token: string]: number },
  { merges, tokens }: Cut,
  { byteFallback, unknown }: { readonly byteFallback: boolean; readonly unknown: string | null }
): TokenizerJson.Bpe =>
  Definition.bpe({
    unk_token: unknown,
    byte_fallback: byteFallback,
    vocab,
    merges: merges.map(({ left, right }) => [tokens[left], tokens[right]])
  })
