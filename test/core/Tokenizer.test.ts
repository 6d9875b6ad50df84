/**
 * What Tokenizer.make derives, and the messages of the errors. Oracle: TextDecoder over all bytes at once. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { Tokenizer, TokenizerFileError, UnknownToken } from "../../src/core/Tokenizer.ts"

const decodeBytes = (ids: Iterable<number>) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(ids).filter((id) => id < 255))

/** Bytes as ids, with 255 (which UTF-8 never has) as a special token, and nothing overridden. */
const bytes = Tokenizer.make({
  vocabularySize: 256,
  byteLevel: true,
  specialTokens: { "<end>": 255 },
  endOfText: 255,
  encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
  decode: (ids) => Effect.sync(() => decodeBytes(ids)),
  token: (id) => String(id),
  files: {}
})

const stream = (ids: Iterable<number>) =>
  Effect.map(Stream.runCollect(bytes.decodeStream(Stream.fromIterable(ids))), Chunk.toReadonlyArray)

describe("Tokenizer.make", () => {
  it.effect("holds a character back until its last byte is there", () =>
    Effect.gen(function* () {
      expect(yield* stream(new TextEncoder().encode("a😀b"))).toEqual(["a", "😀", "b"])
      expect(yield* stream([0x61, 0xf0, 0x9f, 255, 0x98, 0x80])).toEqual(["a", "😀"])
    })
  )

  it.effect("emits a replacement character for bytes that are not text, and for a character that never ends", () =>
    Effect.gen(function* () {
      expect((yield* stream([0x80, 0xf0, 0x9f, 0x98, 0x80])).join("|")).toBe("\uFFFD|😀")
      expect((yield* stream([0x61, 0xe2, 0x82])).join("|")).toBe("a|\uFFFD")
    })
  )

  // Lead bytes, continuations and specials far more often than chance gives them, so that characters do break.
  const anyByte = FastCheck.oneof(
    FastCheck.integer({ min: 0, max: 255 }),
    FastCheck.constantFrom(0x41, 0x80, 0x9f, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 255)
  )
  it.effect.prop("streams any bytes as they decode at once", [FastCheck.array(anyByte)], ([ids]) =>
    Effect.gen(function* () {
      expect((yield* stream(ids)).join("")).toBe(decodeBytes(ids))
    })
  )

  it("encodes a batch text by text", () => {
    expect(bytes.encodeBatch(["ab", ""])).toEqual([Int32Array.of(97, 98), new Int32Array(0)])
  })

  it.effect("needs four members", () =>
    Effect.gen(function* () {
      const letters = Tokenizer.make({
        vocabularySize: 2,
        encode: (text) => Int32Array.from(text, (letter) => (letter === "a" ? 0 : 1)),
        decode: (ids) => Effect.succeed(Array.from(ids, (id) => "ab"[id]).join("")),
        token: (id) => "ab"[id]
      })
      expect(letters).toMatchObject({ byteLevel: false, specialTokens: {}, endOfText: undefined, files: {} })
      const batch = yield* letters.batch(["ab", "a"], { padding: { to: "longest", padToken: 1 } })
      expect([batch.shape, Array.from(batch.inputIds)]).toEqual([
        [2, 2],
        [0, 1, 0, 1]
      ])
      expect(yield* letters.decodeWithSpecialTokens([1, 0])).toBe("ba")
    })
  )

  it("does not make the files before they are used", () => {
    let made = 0
    const lazy = Tokenizer.make({
      vocabularySize: 1,
      encode: () => new Int32Array(0),
      decode: () => Effect.succeed(""),
      token: () => undefined,
      get files() {
        made += 1
        return { "vocabulary.txt": "" }
      }
    })
    expect(made).toBe(0)
    expect([lazy.files, made]).toEqual([{ "vocabulary.txt": "" }, 1])
  })
})

describe("errors", () => {
  it("say what was wrong, where, and what to do", () => {
    expect(new UnknownToken({ id: 300, vocabularySize: 257 }).message).toBe(
      "Token id 300 is not in the vocabulary, whose ids are 0 to 256."
    )
    const fields = { path: "a/tokenizer.json", details: "is wrong.", remedy: "Save it again." }
    expect(new TokenizerFileError({ ...fields, key: "model.type" }).message).toBe(
      "a/tokenizer.json: model.type is wrong. Save it again."
    )
    expect(new TokenizerFileError({ ...fields, key: "" }).message).toBe("a/tokenizer.json: is wrong. Save it again.")
  })
})
