/**
 * The BPE trainer. Oracles: a straightforward trainer that counts every pair again before each merge, an example worked by
 * hand, and the messages as written down beforehand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import type { TokenizerTrainer } from "../../../../src/core/TokenizerTrainer.ts"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import * as Merges from "../../../../src/plugins/tokenizers/bpe/Merges.ts"
import { forEachWord } from "../../../../src/plugins/tokenizers/bpe/PreTokenizer.ts"
import * as Trainer from "../../../../src/plugins/tokenizers/bpe/Trainer.ts"

/** Pairs of written forms in the order of merging: counts all neighbours, merges the best pair everywhere, from the left. */
const referenceMerges = (words: ReadonlyMap<string, number>, limit: number, minFrequency: number) => {
  const tokens = ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!)
  const idOf = new Map(tokens.map((token, id) => [token, id]))
  let split = Array.from(words, ([word, count]) => ({
    count,
    ids: Array.from(new TextEncoder().encode(word), (byte) => idOf.get(ByteAlphabet.byteToCharacter[byte]!)!)
  }))
  const merges: Array<[string, string]> = []
  while (merges.length < limit) {
    const counts = new Map<string, { pair: [number, number]; count: number }>()
    for (const { count, ids } of split) {
      for (let i = 0; i + 1 < ids.length; i++) {
        const pair: [number, number] = [ids[i]!, ids[i + 1]!]
        counts.set(String(pair), { pair, count: (counts.get(String(pair))?.count ?? 0) + count })
      }
    }
    const [best] = [...counts.values()].sort(
      (a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]
    )
    if (best === undefined || best.count < minFrequency) break
    const [left, right] = best.pair
    split = split.map(({ count, ids }) => {
      const merged: Array<number> = []
      for (let i = 0; i < ids.length; i++) {
        const found = ids[i] === left && ids[i + 1] === right
        merged.push(found ? tokens.length : ids[i]!)
        if (found) i++
      }
      return { count, ids: merged }
    })
    merges.push([tokens[left]!, tokens[right]!])
    tokens.push(tokens[left]! + tokens[right]!)
  }
  return merges
}

const countWords = (text: string) => {
  const words = new Map<string, number>()
  forEachWord(text, (word) => words.set(word, (words.get(word) ?? 0) + 1))
  return words
}

const mergesOf = (files: TokenizerTrainer.Trained["files"]): unknown =>
  JSON.parse(files["tokenizer.json"] ?? "").model.merges

const options = { minFrequency: 2, specialTokens: ["<|endoftext|>"] }
const train = (vocabularySize: number, text: string, more: Partial<Trainer.Options> = {}) =>
  Trainer.train({ ...options, vocabularySize, ...more }, Stream.make(text))

describe("training", () => {
  it.effect("merges the most frequent pair first, and on a tie the one of smaller ids", () =>
    Effect.gen(function* () {
      // Words: abab, Ġab. ab stands three times; then Ġ+ab and ab+ab once each, and the id of Ġ (220) is below that of ab.
      const { files } = yield* train(256 + 3 + 1, "abab ab", { minFrequency: 1 })
      expect(mergesOf(files)).toEqual([
        ["a", "b"],
        ["Ġ", "ab"],
        ["ab", "ab"]
      ])
    })
  )

  it.effect.prop(
    "learns what a trainer that counts again before each merge learns",
    [
      FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "c", "é", " "), maxLength: 8 })),
      FastCheck.integer({ min: 1, max: 3 })
    ],
    ([words, minFrequency]) =>
      Effect.sync(() => {
        const counted = countWords(words.join(" "))
        const learning = Merges.learn(counted, { limit: 15, minFrequency, reserved: new Set() })
        let step = learning.next()
        while (step.done !== true) step = learning.next()
        const tokens = ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!)
        const learnt = step.value.map(({ left, right }) => {
          tokens.push(tokens[left]! + tokens[right]!)
          return [tokens[left], tokens[right]]
        })
        expect(learnt).toEqual(referenceMerges(counted, 15, minFrequency))
      })
  )

  it.effect("counts overlapping pairs, and merges them from the left", () =>
    Effect.gen(function* () {
      const text = "aaaaaaa aaa aa bbbbb bbbb abababa"
      const { files } = yield* train(256 + 6 + 1, text, { minFrequency: 1 })
      expect(mergesOf(files)).toEqual(referenceMerges(countWords(text), 6, 1))
    })
  )

  it.effect("a smaller vocabulary is a larger one cut short", () =>
    Effect.gen(function* () {
      const text = "the cat sat on the mat; the cat that sat ".repeat(3)
      const large = mergesOf((yield* train(270, text)).files)
      const small = mergesOf((yield* train(262, text)).files)
      expect(Array.isArray(large) && large.slice(0, 5)).toEqual(small)
    })
  )

  it.effect("makes no merge across words, whatever the newlines", () =>
    Effect.gen(function* () {
      // The words are x, Ċ and Ġy, so there is one pair at all.
      const text = "x\nx\nx\nx\nx y"
      const { files } = yield* train(258, text, { minFrequency: 1 })
      expect(mergesOf(files)).toEqual([["Ġ", "y"]])
      expect((yield* Effect.flip(train(259, text, { minFrequency: 1 }))).largest).toBe(258)
    })
  )

  it.effect("never learns the written form of a special token", () =>
    Effect.gen(function* () {
      const { files } = yield* train(258, "abab", { minFrequency: 1, specialTokens: ["ab"] })
      // ab stands twice but is reserved, so ba is the first that may be merged.
      expect(mergesOf(files)).toEqual([["b", "a"]])
    })
  )

  it.effect("reports documents and merges as they are done", () =>
    Effect.gen(function* () {
      const seen: Array<TokenizerTrainer.Progress> = []
      yield* Trainer.train({ ...options, vocabularySize: 258 }, Stream.make("aa aa", "é aa"), (progress) =>
        Effect.sync(() => seen.push(progress))
      )
      expect(seen.filter((progress) => progress.phase === "counting")).toEqual([
        { phase: "counting", documents: 1, bytes: 5 },
        { phase: "counting", documents: 2, bytes: 10 }
      ])
      expect(seen.at(-1)).toEqual({ phase: "merging", merges: 1, wanted: 1 })
    })
  )
})

describe("a wrong size or special token", () => {
  const message = (vocabularySize: number, text: string, more: Partial<Trainer.Options> = {}) =>
    Effect.map(Effect.flip(train(vocabularySize, text, more)), (error) => error.message)

  it.effect("is refused with what to do", () =>
    Effect.gen(function* () {
      expect(yield* message(256, "text")).toBe(
        "A vocabulary of 256 is too small: the 256 bytes and 1 special token need 257. Set vocab_size to 257 or more."
      )
      expect(yield* message(300, "aa aa")).toBe(
        "A vocabulary of 300 is larger than the text allows: 2 distinct words give at most 258 tokens with " +
          "min_frequency 2. Set vocab_size to 258 or less, give more text, or lower min_frequency."
      )
      expect(yield* message(300, "aa", { specialTokens: ["<s>", "<s>"] })).toBe(
        'special_tokens has "<s>" twice. Name each special token once.'
      )
      expect(yield* message(300, "aa", { specialTokens: ["a"] })).toBe(
        'The special token "a" is the written form of a byte. Choose one of several characters, such as "<|endoftext|>".'
      )
    })
  )
})

describe("words", () => {
  it("of runs longer than the pattern's bound are whole", () => {
    for (const run of ["a", "𝒜", "7", "!", "😀"]) {
      const long = run.repeat(10_001)
      const words: Array<string> = []
      forEachWord(`x, ${long}; y`, (word) => words.push(word))
      const expected = /[!😀]/u.test(run) ? ["x", ",", ` ${long};`, " y"] : ["x", ",", ` ${long}`, ";", " y"]
      expect(words).toEqual(expected)
    }
  })
})
