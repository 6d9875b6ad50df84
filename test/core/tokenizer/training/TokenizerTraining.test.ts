/**
 * All trainers. Oracles: their laws; the native `tokenizers` package, which opens each file and encodes with it; for BPE its
 * trainer on Moby-Dick; small vocabularies worked out by hand; and the messages as written down beforehand.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BPE, byteLevelPreTokenizer, Tokenizer as Native } from "tokenizers"
import { Tokenizer } from "../../../../src/core/Tokenizer.ts"
import type { TokenizerTrainer } from "../../../../src/core/TokenizerTrainer.ts"
import { hardTexts, tokenizerContract } from "../../../../src/testing/tokenizer.ts"
import { tokenizerTrainerContract } from "../../../../src/testing/tokenizerTrainer.ts"
import { chapters, definitionOf, modelOf, tokenizerOf, train, trainers } from "./trainers.ts"

const documents = [...chapters.slice(0, 2), ...hardTexts]

tokenizerTrainerContract("bpe with byte fallback", {
  layer: (vocab_size) => trainers.bpe({ vocab_size, byte_fallback: true }),
  documents,
  sizes: [700, 500, 1000]
})
tokenizerTrainerContract("wordpiece", {
  layer: (vocab_size) => trainers.wordpiece({ vocab_size, limit_alphabet: 100 }),
  documents,
  sizes: [400, 300, 1000]
})
tokenizerTrainerContract("unigram", {
  layer: (vocab_size) => trainers.unigram({ vocab_size }),
  documents: [(chapters[0] ?? "").slice(0, 4000), ...hardTexts],
  sizes: [400, 300, 600]
})
tokenizerTrainerContract("wordlevel", {
  layer: (vocab_size) => trainers.wordlevel({ vocab_size }),
  documents,
  sizes: [400, 3, 1000]
})

const splitters = ["gpt2", "gpt4", "o200k", "metaspace", "whitespace", "bert"] as const
const normalizer = ["nfkc", "lowercase", "strip_accents"] as const
const cases: ReadonlyArray<readonly [string, Layer.Layer<TokenizerTrainer, unknown>]> = [
  ...splitters
    .slice(0, 3)
    .map((name) => [`bpe, ${name}`, trainers.bpe({ vocab_size: 600, pre_tokenizer: name })] as const),
  ["bpe, normalized", trainers.bpe({ vocab_size: 600, normalizer, pre_tokenizer: ["digits", "gpt4"] })],
  ["bpe, byte fallback", trainers.bpe({ vocab_size: 700, byte_fallback: true })],
  [
    "bpe, byte fallback, normalized, of few characters",
    trainers.bpe({ vocab_size: 500, byte_fallback: true, limit_alphabet: 30, normalizer, pre_tokenizer: "digits" })
  ],
  ["wordpiece", trainers.wordpiece({ vocab_size: 500 })],
  [
    "wordpiece, whitespace and digits, normalized",
    trainers.wordpiece({ vocab_size: 500, normalizer, pre_tokenizer: ["whitespace", "digits"] })
  ],
  ["unigram", trainers.unigram({ vocab_size: 500 })],
  [
    "unigram, gpt4, digits, normalized",
    trainers.unigram({ vocab_size: 500, normalizer, pre_tokenizer: ["gpt4", "digits"] })
  ],
  ["unigram of few characters", trainers.unigram({ vocab_size: 300, limit_alphabet: 20, max_piece_length: 5 })],
  ...splitters.map(
    (name) => [`wordlevel, ${name}`, trainers.wordlevel({ vocab_size: 500, pre_tokenizer: [name, "digits"] })] as const
  )
]

describe("a trained file", () => {
  for (const [name, layer] of cases) {
    it.effect(`${name}: the native package gives the same ids and text`, () =>
      Effect.gen(function* () {
        const trained = yield* train(layer, documents)
        const tokenizer = yield* tokenizerOf(trained)
        const reader = Native.fromString(trained.files["tokenizer.json"] ?? "")
        expect(tokenizer.vocabularySize).toBe(trained.vocabularySize)
        expect(reader.getVocabSize()).toBe(trained.vocabularySize)
        const special = Object.keys(tokenizer.specialTokens)
        const texts = [...hardTexts, ...chapters.slice(6, 7)].map((text) => text.toWellFormed())
        for (const text of texts.filter((one) => special.every((token) => !one.includes(token)))) {
          const ids = [...tokenizer.encode(text)]
          expect(ids).toEqual(
            (yield* Effect.promise(() => reader.encode(text, null, { addSpecialTokens: false }))).getIds()
          )
          expect(yield* tokenizer.decode(ids)).toBe(yield* Effect.promise(() => reader.decode(ids, true)))
        }
      })
    )
  }

  it.effect("of wordpiece puts [CLS] and [SEP] around a text, where it has them", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Effect.flatMap(train(trainers.wordpiece({ vocab_size: 300 }), documents), tokenizerOf)
      const tokens = (ids: Iterable<number>) => [...ids].map((id) => tokenizer.token(id))
      const { ids } = yield* tokenizer.encoding("the")
      expect(tokens(ids)).toEqual(["[CLS]", "the", "[SEP]"])
      const pair = yield* tokenizer.encoding(["the", "of"])
      expect(tokens(pair.ids)).toEqual(["[CLS]", "the", "[SEP]", "of", "[SEP]"])
      const bare = yield* train(trainers.wordpiece({ vocab_size: 300, special_tokens: ["[UNK]"] }), documents)
      expect((yield* definitionOf(bare)).post_processor).toBeNull()
    })
  )
})

describe("bpe of Moby-Dick", () => {
  it.effect("has the merges of the native trainer", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(`${tmpdir()}/codex-native-`)
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const text = chapters.join("\n")
      writeFileSync(`${folder}/text.txt`, text)
      const native = new Native(BPE.empty())
      native.setPreTokenizer(byteLevelPreTokenizer(false))
      native.train([`${folder}/text.txt`])
      native.save(`${folder}/tokenizer.json`)
      const { merges } = JSON.parse(readFileSync(`${folder}/tokenizer.json`, "utf8")).model
      expect(merges.length).toBeGreaterThan(20_000)
      // It reads line by line.
      const trained = yield* train(
        trainers.bpe({ vocab_size: 256 + merges.length, min_frequency: 1, special_tokens: [] }),
        text.split(/(?<=\n)/)
      )
      expect(modelOf(trained).merges).toEqual(merges)
    }).pipe(Effect.scoped)
  )
})

const byFallback = train(trainers.bpe({ vocab_size: 1000, byte_fallback: true }), chapters.slice(0, 20))

tokenizerContract(
  "bpe with byte fallback of Moby-Dick",
  Layer.effect(Tokenizer, Effect.flatMap(byFallback, tokenizerOf)),
  [chapters[40] ?? ""]
)

describe("a small vocabulary", () => {
  it.effect("of whole words: by count, then in the order of code points", () =>
    Effect.gen(function* () {
      const text = "b b a a 😀 ｚ c c c <unk>"
      const trained = yield* train(trainers.wordlevel({ vocab_size: 7 }), [text])
      expect(modelOf(trained).vocab).toEqual({ "<unk>": 0, "<|endoftext|>": 1, c: 2, a: 3, b: 4, "<": 5, ">": 6 })
      const largest = yield* train(trainers.wordlevel({ vocab_size: 10 }), [text])
      expect(Object.keys(modelOf(largest).vocab).slice(7)).toEqual(["unk", "ｚ", "😀"])
      const frequent = yield* Effect.flip(train(trainers.wordlevel({ vocab_size: 6, min_frequency: 2 }), [text]))
      expect(frequent).toMatchObject({ largest: 5 })
    })
  )

  it.effect("of wordpiece: characters, inner characters, merges by count and then by ids", () =>
    Effect.gen(function* () {
      // hug 10, pug 5, pun 12, bun 4, hugs 5: ##u ##g 20, ##u ##n 16, h ##ug 15, p ##un 12, p ##ug 5,
      // hug ##s 5, b ##un 4.
      const words = { hug: 10, pug: 5, pun: 12, bun: 4, hugs: 5 }
      const text = Object.entries(words).map(([word, count]) => `${word} `.repeat(count))
      const trained = yield* train(trainers.wordpiece({ vocab_size: 19, special_tokens: [] }), text)
      expect(
        Object.entries(modelOf(trained).vocab)
          .sort(([, a], [, b]) => Number(a) - Number(b))
          .map(([token]) => token)
      ).toEqual("[UNK] b g h n p s u ##g ##n ##s ##u ##ug ##un hug pun pug hugs bun".split(" "))
    })
  )

  it.effect("of unigram has no piece that is written like a special token", () =>
    Effect.gen(function* () {
      const text = ["</s> </s> </s> a </s>"]
      const config = { vocab_size: 12, special_tokens: ["<unk>", "▁</s>"] }
      const error = yield* Effect.flip(train(trainers.unigram({ ...config, vocab_size: 50 }), text))
      const largest = "largest" in error && typeof error.largest === "number" ? error.largest : 0
      const { vocab } = modelOf(yield* train(trainers.unigram({ ...config, vocab_size: largest }), text))
      expect(vocab.filter(([piece]: [string]) => piece === "▁</s>")).toHaveLength(1)
    })
  )
})

describe("settings that contradict each other", () => {
  const message = (layer: Layer.Layer<TokenizerTrainer, unknown>, texts: ReadonlyArray<string> = ["aa aa"]) =>
    Effect.map(Effect.flip(train(layer, texts)), (error) => (error instanceof Error ? error.message : ""))

  it.effect("are refused by key", () =>
    Effect.gen(function* () {
      expect(yield* message(trainers.bpe({ byte_fallback: true, pre_tokenizer: "gpt2" }))).toContain(
        "pre_tokenizer gpt2 does not work with byte_fallback, whose tokens are characters: it keeps spaces inside words. Choose one of metaspace."
      )
      expect(yield* message(trainers.bpe({ pre_tokenizer: "metaspace" }))).toContain(
        "pre_tokenizer metaspace does not work with bpe over bytes"
      )
      expect(yield* message(trainers.bpe({ limit_alphabet: 9 }))).toContain(
        "limit_alphabet is for tokens of characters"
      )
      expect(yield* message(trainers.wordpiece({ pre_tokenizer: ["bert", "whitespace"] }))).toContain(
        "pre_tokenizer has bert and whitespace, which split text in different ways."
      )
      expect(yield* message(trainers.wordlevel({ special_tokens: ["<a>", "<a>"] }))).toContain(
        'special_tokens has "<a>" twice'
      )
      expect(yield* message(trainers.unigram({ special_tokens: ["a"] }))).toContain(
        'special_tokens has "a", which is a single character'
      )
      expect(yield* message(trainers.unigram({ normalizer: ["nfc", "nfc"] }))).toContain('normalizer has "nfc" twice')
    })
  )

  it.effect("a vocabulary too small for what it must hold is refused with the least size", () =>
    Effect.gen(function* () {
      expect(yield* message(trainers.wordlevel({ vocab_size: 1 }))).toBe(
        "A vocabulary of 1 is too small: the 2 special tokens need 2. Set vocab_size to 2 or more."
      )
      expect(yield* message(trainers.wordpiece({ vocab_size: 5 }))).toBe(
        "A vocabulary of 5 is too small: the 5 special tokens and 1 character and 1 word-internal character need 7. " +
          "Set vocab_size to 7 or more."
      )
      expect(yield* message(trainers.unigram({ vocab_size: 4 }))).toBe(
        "A vocabulary of 4 is too small: the 3 special tokens and 2 characters need 5. Set vocab_size to 5 or more."
      )
      expect(yield* message(trainers.bpe({ vocab_size: 260, byte_fallback: true }))).toBe(
        "A vocabulary of 260 is too small: the 256 bytes and 3 special tokens and 2 characters need 261. " +
          "Set vocab_size to 261 or more."
      )
    })
  )
})
