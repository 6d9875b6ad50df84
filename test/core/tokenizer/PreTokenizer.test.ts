/**
 * Pre-tokenizers. Oracle: the native `tokenizers` package with the same definition, on hard
 * texts and random ones; for places, the places of the native words.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { original } from "../../../src/core/tokenizer/AlignedText.ts"
import * as ByteAlphabet from "../../../src/core/tokenizer/ByteAlphabet.ts"
import * as PreTokenizer from "../../../src/core/tokenizer/PreTokenizer.ts"
import * as TokenizerJson from "../../../src/core/tokenizer/TokenizerJson.ts"
import { hardTexts } from "../../../src/testing/tokenizer.ts"
import { native, toUnits, words } from "./native.ts"

const decode = Schema.decodeUnknownSync(TokenizerJson.PreTokenizer)
const split = (Regex: string, behavior = "Isolated", invert = false) => ({
  type: "Split",
  pattern: { Regex },
  behavior,
  invert
})
const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false }

const patterns = {
  llama3:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  o200k:
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  deepseek:
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
}

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]

const specs = [
  ...["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"].map((type) => ({ type })),
  ...[true, false].flatMap((add_prefix_space) =>
    [true, false].map((use_regex) => ({ type: "ByteLevel", add_prefix_space, use_regex }))
  ),
  ...["always", "first", "never"].flatMap((prepend_scheme) =>
    [true, false].map((split) => ({ type: "Metaspace", prepend_scheme, split }))
  ),
  { type: "Digits", individual_digits: true },
  { type: "Digits" },
  { type: "FixedLength", length: 3 },
  { type: "CharDelimiterSplit", delimiter: "a" },
  ...behaviors.map((behavior) => ({ type: "Punctuation", behavior })),
  ...behaviors.flatMap((behavior) => [split("[ab]", behavior), split("[ab]+", behavior, true)]),
  { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
  ...Object.values(patterns).map((pattern) => ({
    type: "Sequence",
    pretokenizers: [split(pattern), byteLevel]
  })),
  { type: "Sequence", pretokenizers: [split(patterns.o200k, "Removed", true), byteLevel] },
  {
    type: "Sequence",
    pretokenizers: [split("\\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(patterns.deepseek), byteLevel]
  },
  { type: "Sequence", pretokenizers: [{ type: "ByteLevel", add_prefix_space: false }, { type: "Digits" }] },
  { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Metaspace", prepend_scheme: "first" }] }
].map((spec) => decode(spec))

const ranges = [
  [0, 0x24f],
  [0x2b0, 0x36f],
  [0x391, 0x3a1],
  [0x3a3, 0x481],
  [0x5d0, 0x5ea],
  [0x621, 0x65f],
  [0x904, 0x939],
  [0xe01, 0xe3a],
  [0x1100, 0x11ff],
  [0x2000, 0x2064],
  [0x2100, 0x2189],
  [0x2200, 0x22ff],
  [0x3001, 0x303f],
  [0x3041, 0x3096],
  [0x30a1, 0x30ff],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0xe000, 0xe0ff],
  [0xff01, 0xff5e],
  [0x1d400, 0x1d454],
  [0x1f300, 0x1f320],
  [0x20000, 0x2a6d6],
  [0x10fff0, 0x10ffff]
] as const

const text = FastCheck.oneof(
  FastCheck.array(
    FastCheck.constantFrom(
      ...[
        "a",
        "B",
        "ab",
        "é",
        "e\u0301",
        "ß",
        "ǅ",
        "ʰ",
        "字",
        "かな",
        "カー",
        "ก็",
        "😀",
        "👍🏽",
        "𝒜",
        "1",
        "12345",
        "½",
        "Ⅷ"
      ],
      ...[" ", "  ", "\t", "\n", "\r\n", "\u0085", "\u00A0", "\u2028", "\uFEFF", "\u200D", "'s", "'LL", "'ſ", "'", "’"],
      ...[".", "...", "_", "-", "/", "$", "€", "<|", "▁", "\0", "\u0001", "\u{10FFFF}", "\uFFFF"]
    ),
    { maxLength: 12 }
  ).map((parts) => parts.join("")),
  // The two engines know different versions of Unicode: characters of long ago only.
  FastCheck.array(
    FastCheck.oneof(
      ...ranges.map(([min, max]) => FastCheck.integer({ min, max }).map((code) => String.fromCodePoint(code)))
    ),
    { maxLength: 30 }
  ).map((characters) => characters.join(""))
)

/** Words that are raw text, as the native package writes them. */
const written = (word: string, byteLevel: boolean) =>
  byteLevel ? ByteAlphabet.write(new TextEncoder().encode(word)) : word

describe("PreTokenizer", () => {
  for (const spec of specs) {
    const oracle = native({ ...words, pre_tokenizer: spec }).getPreTokenizer()
    const ours = Either.getOrThrow(PreTokenizer.make(spec))
    const check = (given: string) => {
      const theirs = (oracle?.preTokenizeString(given) ?? []).filter(([word]) => word !== "")
      const found: Array<string> = []
      ours.split(given, true, (from, start, end) => found.push(written(from.slice(start, end), ours.byteLevel)))
      expect(found).toEqual(theirs.map(([word]) => word))
      const aligned = ours.align(original(given), true)
      expect(aligned.map((word) => written(word.text, ours.byteLevel))).toEqual(found)
      expect(aligned.flatMap(({ ends, starts }) => [starts[0], ends[ends.length - 1]])).toEqual(
        toUnits(
          given,
          theirs.map(([, range]) => range)
        )
      )
    }
    const name = JSON.stringify(spec).slice(0, 160)

    it(`${name}: hard texts`, () => {
      for (const given of hardTexts) check(given.toWellFormed())
    })
    it.prop(`${name}: random texts`, [text], ([given]) => check(given))
  }

  it.each([
    [byteLevel, false],
    [{ ...byteLevel, add_prefix_space: true }, true],
    [{ type: "Metaspace", prepend_scheme: "always" }, true],
    [{ type: "Metaspace", prepend_scheme: "first" }, false],
    [{ type: "Metaspace", prepend_scheme: "never" }, false],
    [{ type: "Sequence", pretokenizers: [{ type: "Digits" }, { type: "Metaspace" }] }, true],
    // A pattern that names one is not one.
    [split('"Metaspace"'), false]
  ] as const)("%j says whether cutting a text before a line break can add a prefix", (spec, prepends) => {
    const ours = Either.getOrThrow(PreTokenizer.make(decode(spec)))
    expect(ours.prepends).toBe(prepends)
    const wordsOf = (text: string, first: boolean) => ours.align(original(text), first).map((word) => word.text)
    const cut = [...wordsOf("a", true), ...wordsOf("\nb", false)]
    if (prepends) expect(cut.join("").length).toBeGreaterThan(wordsOf("a\nb", true).join("").length)
    else expect(cut.join("")).toBe(wordsOf("a\nb", true).join(""))
  })

  it("without a definition leaves the text whole, and an empty one gives no word", () => {
    const ours = Either.getOrThrow(PreTokenizer.make(null))
    expect(ours.align(original("a b"), true).map((word) => word.text)).toEqual(["a b"])
    expect(ours.align(original(""), true)).toEqual([])
  })
})
