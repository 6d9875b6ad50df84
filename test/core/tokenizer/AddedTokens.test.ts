/**
 * Added tokens inside text. Oracle: the native `tokenizers` package with the same definition, on texts made of spellings.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Pipeline from "../../../src/core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"
import { addedToken, native, toUnits, words } from "./native.ts"

const flags = FastCheck.record({
  single_word: FastCheck.boolean(),
  lstrip: FastCheck.boolean(),
  rstrip: FastCheck.boolean(),
  normalized: FastCheck.boolean()
})

const contents = ["ab", "abc", "<t>", "<t>x", "É", "A B", "_"] as const

const definitions = FastCheck.tuple(
  FastCheck.tuple(...contents.map(() => FastCheck.tuple(flags, FastCheck.boolean()))),
  FastCheck.constantFrom<TokenizerJson["normalizer"]>(null, { type: "Lowercase" }, { type: "Prepend", prepend: "c " })
).map(
  ([tokens, normalizer]): TokenizerJson => ({
    ...words,
    normalizer,
    added_tokens: contents.map((content, i) => {
      const [options, special] = tokens[i] ?? [{}, false]
      return addedToken(30 + i, content, { ...options, special })
    })
  })
)

const texts = FastCheck.array(
  FastCheck.constantFrom(...contents, "a", "b", " ", "  ", "\n", "é", "B", "x", "😀", "\u0085", "_", "-"),
  { maxLength: 10 }
).map((parts) => parts.join(""))

describe("AddedTokens", () => {
  it.effect.prop("are found where the native package finds them", [definitions, texts], ([definition, text]) =>
    Effect.gen(function* () {
      const tokenizer = yield* Pipeline.make(definition)
      const oracle = native(definition)
      const theirs = yield* Effect.promise(() => oracle.encode(text))
      expect([...tokenizer.encodeWithSpecialTokens(text)]).toEqual(theirs.getIds())
      const { ids, offsets } = tokenizer.encodeWithOffsets(text, { splitSpecialTokens: false })
      expect([...ids]).toEqual(theirs.getIds())
      expect([...(offsets ?? [])]).toEqual(toUnits(text, theirs.getOffsets()))
    })
  )

  it.effect.prop("that are special are ordinary text to encode", [definitions, texts], ([definition, text]) =>
    Effect.gen(function* () {
      const special = new Set(definition.added_tokens.filter((token) => token.special).map(({ id }) => id))
      const tokenizer = yield* Pipeline.make(definition)
      const ids = tokenizer.encode(text)
      expect(ids.filter((id) => special.has(id))).toEqual(new Int32Array(0))
      expect(tokenizer.encodeWithOffsets(text).ids).toEqual(ids)
    })
  )

  it.effect("that a vocabulary holds as ordinary words are hidden from text", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Pipeline.make(words)
      expect([...tokenizer.encode("a <s> b <pad>")]).toEqual([4, 0, 5, 0])
      expect([...tokenizer.encodeWithSpecialTokens("a <s> b <pad>")]).toEqual([4, 1, 5, 3])
      expect(yield* tokenizer.decodeWithSpecialTokens([4, 1, 5])).toBe("a <s> b")
      expect(yield* tokenizer.decode([4, 1, 5])).toBe("a b")
    })
  )
})
