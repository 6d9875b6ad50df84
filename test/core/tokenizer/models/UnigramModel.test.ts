import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import type * as TokenizerJson from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { processorMillis } from "../../../work.ts"
import { byteTokens, characters, encode, makeModel, nativeIds, problemOf, word } from "./models.ts"

const unigram = (
  vocab: TokenizerJson.Unigram["vocab"],
  more: Partial<TokenizerJson.Unigram> = {}
): TokenizerJson.Unigram => ({ type: "Unigram", unk_id: 0, byte_fallback: false, vocab, ...more })

/** Scores of few values, so that ties are frequent. */
const score = FastCheck.integer({ min: -8, max: 1 }).map((n) => n / 2)

const specs = FastCheck.record({
  known: FastCheck.subarray(characters, { minLength: 4 }),
  pieces: FastCheck.array(
    FastCheck.tuple(FastCheck.array(FastCheck.constantFrom(...characters), { minLength: 1, maxLength: 4 }), score),
    { maxLength: 40 }
  ),
  scores: FastCheck.array(score, { minLength: 11, maxLength: 11 }),
  bytes: FastCheck.constantFrom("none", "some", "all")
}).map(({ bytes, known, pieces, scores }) =>
  unigram(
    [
      ["<unk>", 0],
      ...known.map((token, i) => [token, scores[i]]),
      // Some pieces are there twice, with two scores.
      ...pieces.map(([piece, score]) => [piece.join(""), score]),
      ...byteTokens.filter((_, i) => bytes === "all" || (bytes === "some" && i % 5 !== 0)).map((token) => [token, -3])
    ],
    { byte_fallback: bytes !== "none" }
  )
)

describe("Unigram", () => {
  it.each([false, true])("gives the native package's ids (bytes: %s)", (byteLevel) =>
    FastCheck.assert(
      FastCheck.asyncProperty(specs, FastCheck.array(word, { minLength: 4, maxLength: 8 }), async (spec, words) => {
        const texts = [...words, "a<unk>b", "<unk>", "<unk><unk>x"]
        const model = makeModel(spec, byteLevel)
        const expected = await nativeIds(spec, byteLevel, texts)
        expect(texts.map((text) => encode(model, text))).toEqual(expected)
        expect(texts.map((text) => encode(model, text))).toEqual(expected)
        expect(texts.map((text) => model.tokenize(text).map(({ id }) => id))).toEqual(expected)
      }),
      { numRuns: 300 }
    )
  )

  it("takes the segmentation of highest score", () => {
    // The example of the documentation of Hugging Face's library.
    const scores = { "<unk>": 0, a: 0, b: 0, c: 0, d: 0, cd: 1, ab: 2, abc: 5, abcd: 10 }
    const model = makeModel(unigram(Object.entries(scores)))
    expect(model.tokenize("abcdacdx😀")).toEqual([
      { id: 8, start: 0, end: 4 },
      { id: 1, start: 4, end: 5 },
      { id: 5, start: 5, end: 7 },
      { id: 0, start: 7, end: 10 }
    ])
    expect([model.unknownToken, model.total, model.idOf("cd"), model.idOf("bc")]).toEqual([0, false, 5, undefined])
  })

  it("gives each byte of an unknown character the place of the character", () => {
    const model = makeModel(
      unigram([["<unk>", 0], ["a", -1], ...byteTokens.map((token) => [token, -2])], { byte_fallback: true })
    )
    expect(model.total).toBe(true)
    expect(model.tokenize("aé\n")).toEqual([
      { id: 1, start: 0, end: 1 },
      { id: 2 + 0xc3, start: 1, end: 2 },
      { id: 2 + 0xa9, start: 1, end: 2 },
      { id: 2 + 0x0a, start: 2, end: 3 }
    ])
  })

  it("leaves out what it cannot write when it names no unknown token", () => {
    const model = makeModel(unigram([["a", -1]], { unk_id: null }))
    expect(model.tokenize("xax")).toEqual([{ id: 0, start: 1, end: 2 }])
    expect([model.unknownToken, model.total]).toEqual([undefined, false])
    expect(makeModel(unigram(ByteAlphabet.byteToCharacter.map((c) => [c, -1])), true).total).toBe(true)
  })

  it("takes time in proportion to the length of a word", () => {
    const pieces = Array.from({ length: 16 }, (_, i) => ["a".repeat(i + 1), -10 + i / 2])
    const model = makeModel(unigram([["<unk>", 0], ...pieces]))
    const word = "a".repeat(1_000_000)
    expect(processorMillis(() => expect(encode(model, word)).toHaveLength(62_500))).toBeLessThan(5000)
  })

  it.each([
    ["a piece without score", unigram([["a"]]), "model.vocab[0]", 'is ["a"], not a token and its score.'],
    ["a token as a piece", unigram([["a", 0], "b"]), "model.vocab[1]", 'is "b", not a token and its score.'],
    [
      "an unknown token past the end",
      unigram([["a", 0]], { unk_id: 1 }),
      "model.unk_id",
      "is 1, but there are 1 token."
    ]
  ])("refuses %s", (_, spec, key, details) => {
    expect(problemOf(spec)).toEqual({ key, details })
  })
})
