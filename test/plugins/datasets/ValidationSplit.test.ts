/** Which files are held out. Oracles: hand-written lists, and the rule of ValidationSplit.ts as counts. Needs nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as ValidationSplit from "../../../src/plugins/datasets/ValidationSplit.ts"

const files = (n: number) => Array.from({ length: n }, (_, i) => ({ path: String(i), bytes: 100 }))
const held = (n: number, rule: ValidationSplit.Rule) => {
  const assignment = ValidationSplit.assign(files(n), rule, ({ bytes }) => bytes)
  if ("cut" in assignment) return `cut ${assignment.near}`
  expect(
    [...assignment.train, ...assignment.validation].map((file) => Number(file.path)).sort((a, b) => a - b)
  ).toEqual(Array.from({ length: n }, (_, i) => i))
  return assignment.validation.map((file) => Number(file.path))
}

describe("the split for validation", () => {
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
