/**
 * Scanners. Oracle: the regular expression of the same pattern, on texts of telling characters, on any Unicode text, and on
 * long runs, which a scanner that looked twice at a character would not finish.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { matchesOf, type Ranges } from "../../../../src/core/tokenizer/patterns/Matches.ts"
import * as Pattern from "../../../../src/core/tokenizer/patterns/Pattern.ts"
import { cl100k, cl100kDigits, gpt2, o200k, scannerOf } from "../../../../src/core/tokenizer/patterns/Scanner.ts"
import { hardTexts } from "../../../../src/testing/tokenizer.ts"
import { inFull } from "../../../full.ts"

const telling = FastCheck.array(
  FastCheck.constantFrom(
    ...[
      "a",
      "b",
      "A",
      "B",
      "ab",
      "AB",
      "Ab",
      "ǅ",
      "ʰ",
      "字",
      "\u0301",
      "\u0301",
      "𝒜",
      "𐐨",
      "\u{1D165}",
      "1",
      "12",
      "½",
      "𝟙"
    ],
    ...[" ", " ", "  ", "\t", "\n", "\r", "\r\n", "\u0085", "\u00A0", "\u2028", "\uFEFF", "\u200D", "\0"],
    ...["'", "'s", "'S", "'ſ", "'re", "'Ll", "'l", "'v", "/", "//", ".", "!", "😀", "\u{10FFFF}", "\uE000"]
  ),
  { maxLength: 14 }
).map((parts) => parts.join(""))

const any = FastCheck.string({ unit: "binary", maxLength: 40 })

const rangesOf = (ranges: Ranges, text: string) => {
  const found: Array<string> = []
  ranges(text, (start, end) => found.push(text.slice(start, end)))
  return found
}

describe.each(Object.entries({ gpt2, cl100k, cl100kDigits, o200k }))("the scanner of %s", (_, pattern) => {
  const scanner = scannerOf(pattern) ?? (() => undefined)
  const expression = matchesOf(Either.getOrThrow(Pattern.compile({ Regex: pattern })))

  it.prop(
    "finds what the expression finds in telling texts",
    [telling],
    ([text]) => {
      expect(rangesOf(scanner, text)).toEqual(rangesOf(expression, text))
    },
    { fastCheck: { numRuns: inFull(1500, 500) } }
  )

  it.prop(
    "finds what the expression finds in any text",
    [any],
    ([text]) => {
      expect(rangesOf(scanner, text)).toEqual(rangesOf(expression, text))
    },
    { fastCheck: { numRuns: inFull(500, 200) } }
  )

  it("finds what the expression finds in hard texts", () => {
    for (const text of hardTexts) {
      expect(rangesOf(scanner, text.toWellFormed())).toEqual(rangesOf(expression, text.toWellFormed()))
    }
  })

  it.each([
    ["letters", "a"],
    ["capitals", "A"],
    ["marks", "\u0301"],
    ["spaces", " "],
    ["newlines", "\n"],
    ["digits", "7"],
    ["signs", "!"],
    ["astral characters", "😀"],
    ["blank lines", " \n"],
    ["words", "Ab'c "]
  ])("scans very many %s, and its matches join to the text", (_, unit) => {
    const text = `${unit.repeat(inFull(1_000_000, 200_000))}x`
    let at = 0
    let gaps = 0
    scanner(text, (start, end) => {
      if (start !== at || end <= start) gaps++
      at = end
    })
    expect([at, gaps]).toEqual([text.length, 0])
  })
})

it("a pattern without a written scanner has none", () => {
  expect(scannerOf("\\w+")).toBe(undefined)
})
