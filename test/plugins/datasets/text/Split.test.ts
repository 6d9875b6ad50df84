/**
 * The pure parts of the text dataset: order, split, UTF-8. Oracles: hand-written lists, the rule of Split.ts as counts, and
 * Node's TextEncoder. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as NaturalOrder from "../../../../src/plugins/datasets/text/NaturalOrder.ts"
import * as Split from "../../../../src/plugins/datasets/text/Split.ts"
import * as Utf8 from "../../../../src/plugins/datasets/text/Utf8.ts"

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
    expect(ordered.toReversed().sort(NaturalOrder.compare)).toEqual(["a", "a01", "a1", ...ordered.slice(3)])
  })

  it.effect.prop(
    "is a total order",
    [FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom("a", "0", "1", "9", "-"), maxLength: 6 }))],
    ([names]) =>
      Effect.sync(() => {
        const sorted = [...new Set(names)].sort(NaturalOrder.compare)
        for (let i = 0; i < sorted.length; i++) {
          for (let j = 0; j < sorted.length; j++) {
            expect(Math.sign(NaturalOrder.compare(sorted[i]!, sorted[j]!))).toBe(Math.sign(i - j))
          }
        }
      })
  )
})

const files = (n: number) => Array.from({ length: n }, (_, i) => ({ path: String(i), bytes: 100 }))
const held = (n: number, rule: Split.Rule) => {
  const assignment = Split.assign(files(n), rule)
  if ("cut" in assignment) return `cut ${assignment.near}`
  expect(
    [...assignment.train, ...assignment.validation].map((file) => Number(file.path)).sort((a, b) => a - b)
  ).toEqual(Array.from({ length: n }, (_, i) => i))
  return assignment.validation.map((file) => Number(file.path))
}

describe("split", () => {
  it("by every: files k, 2k, …, or the last", () => {
    expect(held(25, { every: 10 })).toEqual([9, 19])
    expect(held(4, { every: 10 })).toEqual([3])
    expect(held(3, { every: 1 })).toEqual([0, 1, 2])
    expect(held(1, { every: 10 })).toBe("cut 90")
  })

  it("by fraction: as many as the fraction says, drawn by the seed, and never all or none", () => {
    for (const [n, fraction, count] of [
      [100, 0.1, 10],
      [10, 0.25, 3],
      [3, 0.01, 1],
      [2, 0.99, 1]
    ] as const) {
      expect(held(n, { fraction, seed: 1 })).toHaveLength(count)
    }
    expect(held(100, { fraction: 0.1, seed: 1 })).toEqual(held(100, { fraction: 0.1, seed: 1 }))
    expect(held(100, { fraction: 0.1, seed: 1 })).not.toEqual(held(100, { fraction: 0.1, seed: 2 }))
    expect(held(5, { fraction: 0, seed: 1 })).toEqual([])
    expect(held(5, { fraction: 1, seed: 1 })).toEqual([0, 1, 2, 3, 4])
    expect(held(1, { fraction: 0.2, seed: 1 })).toBe("cut 80")
    expect(held(1, { fraction: 1, seed: 1 })).toEqual([0])
  })

  it("by fraction draws each file about equally often over the seeds", () => {
    const counts = new Array<number>(10).fill(0)
    for (let seed = 0; seed < 2000; seed++) {
      const drawn = held(10, { fraction: 0.2, seed })
      if (typeof drawn !== "string") for (const file of drawn) counts[file]! += 1
    }
    // Binomial: mean 400, standard deviation 18; five of them.
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(90)
  })
})

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
