import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { encode, makeModel, nativeIds, problemOf, vocabOf, word } from "./models.ts"

const wordLevel = (tokens: ReadonlyArray<string>) => ({
  type: "WordLevel" as const,
  unk_token: "<unk>",
  vocab: vocabOf(tokens)
})

describe("WordLevel", () => {
  it.each([false, true])("gives the native package's ids (bytes: %s)", (byteLevel) =>
    FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.uniqueArray(word, { minLength: 4, maxLength: 12 }), async (words) => {
        const spec = wordLevel(["<unk>", "__proto__", "Ċ", ...words.filter((_, i) => i % 2 === 0)])
        const texts = [...words, "__proto__", "constructor", "\n"]
        const model = makeModel(spec, byteLevel)
        const expected = await nativeIds(spec, byteLevel, texts)
        expect(texts.map((text) => encode(model, text))).toEqual(expected)
        expect(texts.map((text) => encode(model, text))).toEqual(expected)
        expect(texts.map((text) => model.tokenize(text).map(({ id }) => id))).toEqual(expected)
      }),
      { numRuns: 100 }
    )
  )

  it("gives every word one token of its length", () => {
    const model = makeModel(wordLevel(["<unk>", "😀a"]))
    expect(model.tokenize("😀a")).toEqual([{ id: 1, start: 0, end: 3 }])
    expect(model.tokenize("b".repeat(1_000_000))).toEqual([{ id: 0, start: 0, end: 1_000_000 }])
    expect([model.unknownToken, model.total, model.idOf("toString")]).toEqual([0, false, undefined])
  })

  it("refuses an unknown token that the vocabulary lacks", () => {
    expect(problemOf(wordLevel(["a"]))).toEqual({
      key: "model.unk_token",
      details: 'is "<unk>", which is not in model.vocab.'
    })
  })
})
