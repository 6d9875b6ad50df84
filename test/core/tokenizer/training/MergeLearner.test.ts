/**
 * Learning merges, of bytes, of characters and of WordPiece. Oracles: a straightforward trainer that counts every pair again
 * before each merge, an example worked by hand, and the messages as written down beforehand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { TokenizerTrainer } from "../../../../src/core/TokenizerTrainer.ts"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import * as PreTokenizer from "../../../../src/core/tokenizer/PreTokenizer.ts"
import type { PreTokenizer as Specification } from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { definitionOf, modelOf, train, trainers } from "./trainers.ts"

interface Rules {
  /** Written forms of the symbols, in the order of their ids. */
  readonly symbols: ReadonlyArray<string>
  readonly split: (word: string) => ReadonlyArray<string>
  readonly join: (left: string, right: string) => string
  readonly reserved: ReadonlyArray<string>
  readonly minFrequency: number
}

/** Pairs of written forms in the order of merging: counts all neighbours, merges the best pair everywhere, from the left. */
const referenceMerges = (words: ReadonlyArray<string>, rules: Rules, limit: number) => {
  const tokens = [...rules.symbols]
  const taken = new Set([...rules.reserved, ...tokens])
  let split = words.map((word) => rules.split(word).map((symbol) => tokens.indexOf(symbol)))
  const merges: Array<[string, string]> = []
  while (merges.length < limit) {
    const counts = new Map<string, { pair: [number, number]; count: number }>()
    for (const ids of split) {
      for (let i = 0; i + 1 < ids.length; i++) {
        const pair: [number, number] = [ids[i]!, ids[i + 1]!]
        counts.set(String(pair), { pair, count: (counts.get(String(pair))?.count ?? 0) + 1 })
      }
    }
    const [best] = [...counts.values()]
      .filter(({ pair: [left, right] }) => !taken.has(rules.join(tokens[left]!, tokens[right]!)))
      .sort((a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1])
    if (best === undefined || best.count < rules.minFrequency) break
    const [left, right] = best.pair
    split = split.map((ids) => {
      const merged: Array<number> = []
      for (let i = 0; i < ids.length; i++) {
        const found = ids[i] === left && ids[i + 1] === right
        merged.push(found ? tokens.length : ids[i]!)
        if (found) i++
      }
      return merged
    })
    merges.push([tokens[left]!, tokens[right]!])
    tokens.push(rules.join(tokens[left]!, tokens[right]!))
    taken.add(tokens.at(-1)!)
  }
  return merges
}

const wordsOf = (text: string, specification: Specification) => {
  const found: Array<string> = []
  Either.getOrThrow(PreTokenizer.make(specification)).split(text, true, (words, start, end) =>
    found.push(words.slice(start, end))
  )
  return found
}

const gpt2 = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const
const concatenate = (left: string, right: string) => left + right
const bytes = (minFrequency: number): Rules => ({
  symbols: ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!),
  split: (word) => [...new TextEncoder().encode(word)].map((byte) => ByteAlphabet.byteToCharacter[byte]!),
  join: concatenate,
  reserved: ["<|endoftext|>"],
  minFrequency
})

const trainBytes = (vocab_size: number, text: string, more: Parameters<typeof trainers.bpe>[0] = {}) =>
  train(trainers.bpe({ vocab_size, min_frequency: 1, ...more }), [text])

const alphabetOf = (words: ReadonlyArray<string>) =>
  [...new Set(words.join(""))].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!)

const texts = (...units: readonly [string, ...ReadonlyArray<string>]) =>
  FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom(...units), maxLength: 8 }), { minLength: 1 }).map(
    (list) => `${list.join(" ")} ${units.join("")}`
  )

describe("training", () => {
  it.effect("merges the most frequent pair first, and on a tie the one of smaller ids", () =>
    Effect.gen(function* () {
      // Words: abab, Ġab. ab stands three times; then Ġ+ab and ab+ab once each, and the id of Ġ (220) is below that of ab.
      expect(modelOf(yield* trainBytes(256 + 3 + 1, "abab ab")).merges).toEqual([
        ["a", "b"],
        ["Ġ", "ab"],
        ["ab", "ab"]
      ])
    })
  )

  it.effect.prop(
    "of bytes learns what a trainer that counts again before each merge learns",
    [texts("a", "b", "c", "é"), FastCheck.integer({ min: 1, max: 3 })],
    ([text, min_frequency]) =>
      Effect.gen(function* () {
        const expected = referenceMerges(wordsOf(text, gpt2), bytes(min_frequency), 15)
        const trained = yield* trainBytes(257 + expected.length, text, { min_frequency })
        expect(modelOf(trained).merges).toEqual(expected)
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect.prop(
    "of characters too",
    [texts("a", "b", "c", "😀", "\n"), FastCheck.integer({ min: 1, max: 3 })],
    ([text, min_frequency]) =>
      Effect.gen(function* () {
        const config = { byte_fallback: true, min_frequency, special_tokens: ["ab"] }
        const { pre_tokenizer } = yield* definitionOf(
          yield* train(trainers.bpe({ ...config, vocab_size: 263 }), ["abc😀\n"])
        )
        const words = wordsOf(text, pre_tokenizer ?? { type: "WhitespaceSplit" })
        const symbols = alphabetOf(words)
        const split = (word: string) => [...word]
        const rules = { symbols, split, join: concatenate, reserved: ["ab"], minFrequency: min_frequency }
        const expected = referenceMerges(words, rules, 15)
        const vocab_size = 257 + symbols.length + expected.length
        const model = modelOf(yield* train(trainers.bpe({ ...config, vocab_size }), [text]))
        expect(model.merges).toEqual(expected)
        expect(model.vocab["<0x00>"]).toBe(1)
        expect(symbols.map((symbol) => model.vocab[symbol])).toEqual(symbols.map((_, i) => 257 + i))
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect.prop(
    "of WordPiece too, also where # is a character of the text",
    [texts("a", "#", "!", "?"), FastCheck.integer({ min: 1, max: 3 })],
    ([text, min_frequency]) =>
      Effect.gen(function* () {
        const words = wordsOf(text, { type: "Whitespace" })
        const split = (word: string) => [...word].map((character, i) => (i === 0 ? character : `##${character}`))
        const inside = alphabetOf(words.map((word) => [...word].slice(1).join("")))
        const symbols = [...alphabetOf(words), ...inside.map((character) => `##${character}`)]
        const join = (left: string, right: string) => left + right.slice(2)
        const rules = { symbols, split, join, reserved: ["[UNK]"], minFrequency: min_frequency }
        const expected = referenceMerges(words, rules, 15)
        const config = { min_frequency, pre_tokenizer: "whitespace", special_tokens: [] } as const
        const vocab_size = 1 + symbols.length + expected.length
        const { vocab } = modelOf(yield* train(trainers.wordpiece({ ...config, vocab_size }), [text]))
        const tokens = ["[UNK]", ...symbols, ...expected.map(([left, right]) => join(left, right))]
        expect(vocab).toEqual(Object.fromEntries(tokens.map((token, id) => [token, id])))
        expect(Object.keys(vocab).length).toBe(vocab_size)
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect("counts overlapping pairs, and merges them from the left", () =>
    Effect.gen(function* () {
      const text = "aaaaaaa aaa aa bbbbb bbbb abababa"
      const trained = yield* trainBytes(256 + 6 + 1, text)
      expect(modelOf(trained).merges).toEqual(referenceMerges(wordsOf(text, gpt2), bytes(1), 6))
    })
  )

  it.effect("makes no merge across words, whatever the newlines", () =>
    Effect.gen(function* () {
      // The words are x, Ċ and Ġy, so there is one pair at all.
      const text = "x\nx\nx\nx\nx y"
      expect(modelOf(yield* trainBytes(258, text)).merges).toEqual([["Ġ", "y"]])
      expect(yield* Effect.flip(trainBytes(259, text))).toMatchObject({ largest: 258 })
    })
  )

  it.effect("never learns the written form of a special token", () =>
    Effect.gen(function* () {
      const trained = yield* trainBytes(258, "abab", { special_tokens: ["ab"] })
      // ab stands twice but is reserved, so ba is the first that may be merged.
      expect(modelOf(trained).merges).toEqual([["b", "a"]])
    })
  )

  it.effect("reports documents and merges as they are done", () =>
    Effect.gen(function* () {
      const seen: Array<TokenizerTrainer.Progress> = []
      yield* train(trainers.bpe({ vocab_size: 258 }), ["aa aa", "é aa"], {
        onProgress: (progress) => Effect.sync(() => seen.push(progress))
      })
      expect(seen.findLast(({ phase }) => phase === "counting")).toEqual({ phase: "counting", documents: 2, bytes: 10 })
      expect(seen.at(-1)).toEqual({ phase: "learning", of: "merges", done: 1, wanted: 1 })
    })
  )
})

describe("a wrong size or special token", () => {
  it.effect("is refused with what to do", () =>
    Effect.gen(function* () {
      const message = (vocab_size: number, special_tokens: ReadonlyArray<string> = ["<|endoftext|>"]) =>
        Effect.map(
          Effect.flip(train(trainers.bpe({ vocab_size, special_tokens }), ["aa aa"])),
          (error) => error.message
        )
      expect(yield* message(256)).toBe(
        "A vocabulary of 256 is too small: the 256 bytes and 1 special token need 257. Set vocab_size to 257 or more."
      )
      expect(yield* message(300)).toBe(
        "A vocabulary of 300 is larger than the text allows: 2 distinct words with min_frequency 2 can give " +
          "at most 258 tokens. Set vocab_size to 258 or less, give more text, or lower min_frequency."
      )
      expect(yield* message(300, ["a"])).toContain(
        'special_tokens has "a", which is a single character and could be ordinary text.'
      )
      const ofOneWord = yield* Effect.flip(train(trainers.bpe({ vocab_size: 300 }), ["aaa"]))
      expect(ofOneWord.message).toContain(": 1 distinct word with min_frequency 2 can give at most ")
    })
  )

  it.effect("of several is found before the documents are read", () =>
    Effect.gen(function* () {
      const trainer = yield* TokenizerTrainer
      const error = yield* Effect.flip(trainer.trainSizes(Stream.die("read"), [300, 100]))
      expect(error.message).toContain("A vocabulary of 100 is too small")
    }).pipe(Effect.provide(trainers.bpe({})))
  )
})
