/**
 * The byte tokenizer. Oracles: the tokenizer laws, UTF-8 itself, and @huggingface/tokenizers reading its file. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { Tokenizer as HuggingFace } from "@huggingface/tokenizers"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { ByteTokenizer } from "../../../src/plugins/tokenizers/byte.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"

tokenizerContract("byte", ByteTokenizer.layer({}))

describe("byte tokenizer", () => {
  it.effect("gives the UTF-8 bytes as ids, and 256 ends a text", () =>
    Effect.map(Tokenizer, (tokenizer) => {
      expect(Array.from(tokenizer.encode("aé"))).toEqual([0x61, 0xc3, 0xa9])
      expect(tokenizer.vocabularySize).toBe(257)
      expect(tokenizer.endOfText).toBe(256)
      expect([tokenizer.token(0x20), tokenizer.token(256), tokenizer.token(257)]).toEqual([
        "Ġ",
        "<|endoftext|>",
        undefined
      ])
    }).pipe(Effect.provide(ByteTokenizer.layer({})))
  )

  it.effect("encodes batches with its own encoder too", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const encoder = vi.spyOn(TextEncoder.prototype, "encode")
      const batch = tokenizer.encodeBatch(["hé", "x"])
      expect(encoder.mock.calls).toEqual([["hé"], ["x"]])
      encoder.mockRestore()
      expect(batch).toEqual([tokenizer.encode("hé"), tokenizer.encode("x")])
    }).pipe(Effect.provide(ByteTokenizer.layer({})))
  )

  it.effect("saves a file that gives an independent reader the same ids", () =>
    Effect.map(Tokenizer, (tokenizer) => {
      const reader = new HuggingFace(JSON.parse(tokenizer.files["tokenizer.json"] ?? ""), {})
      for (const text of hardTexts.filter((text) => !text.includes("<|endoftext|>"))) {
        expect(Array.from(tokenizer.encode(text))).toEqual(reader.encode(text).ids)
      }
    }).pipe(Effect.provide(ByteTokenizer.layer({})))
  )
})
