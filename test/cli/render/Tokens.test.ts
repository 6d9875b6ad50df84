/**
 * Tokens on a terminal. Oracles: Unicode's classes of characters for what may be printed, and strings written down by hand.
 */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { split, visible } from "../../../src/cli/render/Tokens.ts"
import type { TokenSpan } from "../../../src/jobs/tokenizers/TokenSpans.ts"

const piece = (start: number, end: number): TokenSpan => ({ id: 0, token: "written", offsets: [start, end] })

describe("visible", () => {
  it("writes out what a terminal would act upon", () => {
    expect(visible("a b\n\tc\u001b[31m\u0000\u007f\u0085\u202e\u00a0\u3000\ufeff\ud800")).toBe(
      "a b↵⇥c␛[31m␀␡<U+0085><U+202E><U+00A0><U+3000><U+FEFF><U+D800>"
    )
  })

  it("leaves letters, marks and emoji alone", () => {
    for (const text of ["naïve", "e\u0301", "東京で", "👍🏽", "👩‍👧", "हि", "+-*/ €"]) expect(visible(text)).toBe(text)
  })

  it("never lets a control character through", () => {
    // Of all code points, surrogates too; `string({ unit: "binary" })` takes seconds to be made.
    const any = FastCheck.array(FastCheck.integer({ min: 0, max: 0x10ffff })).map((points) =>
      String.fromCodePoint(...points)
    )
    FastCheck.assert(
      FastCheck.property(any, (text) => {
        expect(visible(text)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_C}]/u)
      })
    )
  })
})

describe("split", () => {
  it("puts | between tokens, and shows further parts of a character as ·", () => {
    const spans = [piece(0, 3), piece(3, 4), piece(3, 4), piece(3, 4), piece(4, 6)]
    expect(split(spans, "the京\nx", { colour: false })).toBe("the|京|·|·|↵x")
    expect(split([], "", { colour: false })).toBe("")
  })

  it("shows written forms when there are no places", () => {
    const spans = ["call", "me\u001b"].map((token) => ({ id: 1, token, offsets: undefined }))
    expect(split(spans, "Call me", { colour: false })).toBe("call|me␛")
  })

  it("changes the background from token to token, and ends each", () => {
    const shown = split([piece(0, 1), piece(1, 2), piece(2, 3)], "abc", { colour: true })
    const parts = [...shown.matchAll(/\p{Cc}\[([\d;]+)m(\w)\p{Cc}\[0m/gu)].map(([, style, letter]) => ({
      style,
      letter
    }))
    expect(parts.map(({ letter }) => letter).join("")).toBe("abc")
    expect(parts[0]?.style).toBe(parts[2]?.style)
    expect(parts[0]?.style).not.toBe(parts[1]?.style)
  })
})
