/** The natural order of names. Oracle: a hand-written list, and the laws of a total order. Needs nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { naturalOrder } from "../../../src/core/data/NaturalOrder.ts"

describe("natural order", () => {
  it("counts digits as numbers, of any length, and nothing else", () => {
    const ordered = [
      "a",
      "a1",
      "a01",
      "a2",
      "a10",
      "a10b",
      "a12345678901234567890",
      "a12345678901234567891",
      "b1",
      "b/1",
      "b/2/1"
    ]
    expect(ordered.toReversed().sort(naturalOrder)).toEqual(["a", "a01", "a1", ...ordered.slice(3)])
  })

  it.effect.prop(
    "is a total order",
    [FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom("a", "0", "1", "9", "-"), maxLength: 6 }))],
    ([names]) =>
      Effect.sync(() => {
        const sorted = [...new Set(names)].sort(naturalOrder)
        for (let i = 0; i < sorted.length; i++) {
          for (let j = 0; j < sorted.length; j++) {
            expect(Math.sign(naturalOrder(sorted[i]!, sorted[j]!))).toBe(Math.sign(i - j))
          }
        }
      })
  )
})
