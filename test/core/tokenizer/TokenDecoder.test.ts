/**
 * Decoders. Oracle: the native `tokenizers` package with the same definition, on random lists of telling tokens. Streams:
 * decoding at once.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TokenDecoder from "../../../src/core/tokenizer/TokenDecoder.ts"
import * as TokenizerJson from "../../../src/core/tokenizer/TokenizerJson.ts"
import { inFull } from "../../full.ts"
import { native, words } from "./native.ts"

const decode = Schema.decodeUnknownSync(TokenizerJson.Decoder)

const decoders = [
  { type: "ByteLevel" },
  { type: "BPEDecoder" },
  { type: "WordPiece" },
  { type: "WordPiece", prefix: "#", cleanup: false },
  { type: "Metaspace" },
  { type: "Metaspace", replacement: "_", prepend_scheme: "never" },
  { type: "Metaspace", prepend_scheme: "first" },
  { type: "CTC" },
  { type: "CTC", pad_token: "a", word_delimiter_token: "b", cleanup: false },
  { type: "Fuse" },
  { type: "ByteFallback" },
  // With `stop`, the native package dies of a token that is stripped whole: that is checked by hand below.
  { type: "Strip", content: " ", start: 1, stop: 0 },
  { type: "Replace", pattern: { String: "▁" }, content: " " },
  { type: "Replace", pattern: { Regex: "[ab]+" }, content: "$1" },
  {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 }
    ]
  }
].map((spec) => decode(spec))

const tokens = FastCheck.array(
  FastCheck.constantFrom(
    ...["a", "b", "▁", "▁a", "a▁", "b▁▁c", "##a", "#b", "##", "c</w>", "</w>", "Ġ", "Ġa", "Ã©", "Ã", "©", "é", "😀"],
    ...["<0xC3>", "<0xA9>", "<0xF0>", "<0x0A>", "<0x41>", "<0xZZ>", "|", "<pad>", " ", "  a ", " .", ".", "'s", "n't"],
    ...["do", "not", "_", "_a"]
  ),
  { maxLength: 12 }
)

describe("Decoder", () => {
  for (const spec of decoders) {
    const oracle = native({ ...words, decoder: spec }).getDecoder()
    const ours = Either.getOrThrow(TokenDecoder.make(spec))

    it.prop(`${JSON.stringify(spec)} gives the text of the native package`, [tokens], ([list]) => {
      expect(ours(list)).toBe(oracle?.decode(list))
    })

    it.effect.prop(
      `${JSON.stringify(spec)} streams what it gives at once`,
      [tokens],
      ([list]) =>
        Effect.gen(function* () {
          const decoding = TokenDecoder.methods({ tokens: list, specialIds: new Set(), decode: ours, spec })
          const ids = list.map((_, id) => id)
          const pieces = yield* Stream.runCollect(decoding.decodeStream(Stream.fromIterable(ids)))
          expect(Chunk.join(pieces, "")).toBe(yield* decoding.decode(ids))
        }),
      { fastCheck: { numRuns: inFull(40, 15) } }
    )
  }

  it("strips at both ends, at most as often as it says", () => {
    const strip = Either.getOrThrow(TokenDecoder.make(decode({ type: "Strip", content: "é", start: 1, stop: 2 })))
    expect(["ééaééé", "é", "éé", "", "a"].map((token) => strip([token]))).toEqual(["éaé", "", "", "", "a"])
  })

  it("joins by spaces without a decoder", () => {
    expect(Either.getOrThrow(TokenDecoder.make(null))(["a", "b"])).toBe("a b")
  })

  it("names the pattern that is not a regular expression", () => {
    const spec = decode({
      type: "Sequence",
      decoders: [{ type: "Fuse" }, { type: "Replace", pattern: { Regex: "(" }, content: "" }]
    })
    expect(Either.flip(TokenDecoder.make(spec))).toMatchObject({ right: { key: "decoder.decoders[1].pattern" } })
  })
})
