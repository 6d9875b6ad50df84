/** Strict UTF-8. Oracles: Node's TextEncoder, and sequences of the Unicode Standard written by hand. Needs nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Utf8 from "../../../src/core/data/Utf8.ts"

describe("UTF-8", () => {
  it("names the offset at which the first ill-formed sequence starts", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<number>, number]> = [
      [[0x61, 0x80], 1],
      [[0xc0, 0x80], 0],
      [[0x61, 0xe9, 0x20], 1],
      [[0xe0, 0x9f, 0x80], 0],
      [[0xc3, 0xa9, 0xed, 0xa0, 0x80], 2],
      [[0xf4, 0x90, 0x80, 0x80], 0],
      [[0xf5, 0x80, 0x80, 0x80], 0],
      [[0x61, 0xf0, 0x9f, 0x98], 1],
      [[0xff, 0xfe, 0x61, 0x00], 0]
    ]
    for (const [bytes, offset] of cases) expect(Utf8.decode(Uint8Array.from(bytes))).toEqual(Either.left(offset))
  })

  it.effect.prop(
    "takes all well-formed text, and finds a byte that was put into it",
    [FastCheck.string({ unit: "binary" }), FastCheck.nat()],
    ([text, at]) =>
      Effect.sync(() => {
        const bytes = new TextEncoder().encode(text)
        expect(Utf8.decode(bytes)).toEqual(Either.right(text))
        const place = Utf8.boundaryBefore(bytes, bytes.length === 0 ? 0 : at % bytes.length)
        const broken = Uint8Array.from([...bytes.subarray(0, place), 0xff, ...bytes.subarray(place)])
        expect(Utf8.decode(broken)).toEqual(Either.left(place))
      })
  )
})
