import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import type * as TokenizerJson from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { processorMillis } from "../../../work.ts"
import { characters, encode, makeModel, nativeIds, problemOf, vocabOf, word } from "./models.ts"

const wordPiece = (vocab: TokenizerJson.WordPiece["vocab"], more: Partial<TokenizerJson.WordPiece> = {}) => ({
  type: "WordPiece" as const,
  unk_token: "[UNK]",
  continuing_subword_prefix: "##",
  max_input_chars_per_word: 100,
  vocab,
  ...more
})

const specs = FastCheck.record({
  prefix: FastCheck.constantFrom("##", "", "a"),
  known: FastCheck.subarray(characters, { minLength: 8 }),
  pieces: FastCheck.array(FastCheck.array(FastCheck.constantFrom(...characters.slice(0, 8)), { maxLength: 4 }), {
    maxLength: 30
  }),
  most: FastCheck.constantFrom(100, 12, 0)
}).map(({ known, most, pieces, prefix }) => {
  const written = [...known, ...pieces.map((piece) => piece.join(""))]
  const tokens = new Set([
    "[UNK]",
    prefix,
    ...written.flatMap((token, i) => (i % 5 === 4 ? [token] : [token, prefix + token]))
  ])
  return wordPiece(vocabOf([...tokens].filter((token) => token !== "")), {
    continuing_subword_prefix: prefix,
    max_input_chars_per_word: most
  })
})

describe("WordPiece", () => {
  it.each([false, true])("gives the native package's ids (bytes: %s)", (byteLevel) =>
    FastCheck.assert(
      FastCheck.asyncProperty(specs, FastCheck.array(word, { minLength: 4, maxLength: 8 }), async (spec, words) => {
        const model = makeModel(spec, byteLevel)
        const expected = await nativeIds(spec, byteLevel, words)
        expect(words.map((text) => encode(model, text))).toEqual(expected)
        expect(words.map((text) => encode(model, text))).toEqual(expected)
        expect(words.map((text) => model.tokenize(text).map(({ id }) => id))).toEqual(expected)
      }),
      { numRuns: 200 }
    )
  )

  it("takes the longest token first, and says where tokens are", () => {
    const model = makeModel(wordPiece(vocabOf(["[UNK]", "un", "##aff", "##able", "##a", "##ff", "😀", "##😀"])))
    expect(model.tokenize("unaffable")).toEqual([
      { id: 1, start: 0, end: 2 },
      { id: 2, start: 2, end: 5 },
      { id: 3, start: 5, end: 9 }
    ])
    expect(model.tokenize("😀😀")).toEqual([
      { id: 6, start: 0, end: 2 },
      { id: 7, start: 2, end: 4 }
    ])
    expect(model.tokenize("unbelievable")).toEqual([{ id: 0, start: 0, end: 12 }])
    expect([model.unknownToken, model.total]).toEqual([0, false])
  })

  it("writes words in the byte alphabet, and places in units", () => {
    const written = ByteAlphabet.write(new TextEncoder().encode("é中"))
    const model = makeModel(wordPiece(vocabOf(["[UNK]", written.slice(0, 3), `##${written.slice(3)}`])), true)
    expect(model.tokenize("é中")).toEqual([
      { id: 1, start: 0, end: 2 },
      { id: 2, start: 1, end: 2 }
    ])
  })

  it("counts the characters of a word, and answers a word of a megabyte at once", () => {
    const model = makeModel(wordPiece(vocabOf(["[UNK]", "😀", "##😀"]), { max_input_chars_per_word: 3 }))
    expect(encode(model, "😀😀😀")).toEqual([1, 2, 2])
    expect(encode(model, "😀😀😀😀")).toEqual([0])
    const word = "😀".repeat(500_000)
    expect(processorMillis(() => expect(encode(model, word)).toEqual([0]))).toBeLessThan(1000)
  })

  it("refuses an unknown token that the vocabulary lacks", () => {
    expect(problemOf(wordPiece({ a: 0 }))).toEqual({
      key: "model.unk_token",
      details: 'is "[UNK]", which is not in model.vocab.'
    })
  })
})
