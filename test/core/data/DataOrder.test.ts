/** Oracle: what a permutation and a partition are. Needs nothing. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import * as DataOrder from "../../../src/core/data/DataOrder.ts"

describe("data order", () => {
  it("permute is a permutation for every size and key", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 1, max: 600 }), FastCheck.integer(), (size, key) => {
        const image = new Set(Array.from({ length: size }, (_, i) => DataOrder.permute(i, size, key)))
        expect(image.size).toBe(size)
        expect(Math.max(...image)).toBe(size - 1)
      }),
      { numRuns: 100 }
    )
  })

  it("permutes evenly: each of 50 elements goes to each half about equally often", () => {
    const inFirstHalf = Array.from({ length: 50 }, (_, i) =>
      Array.from({ length: 2000 }, (_, key) => DataOrder.permute(i, 50, DataOrder.mix(key, 7)) < 25)
    ).map((hits) => hits.filter(Boolean).length)
    // Binomial(2000, ½): mean 1000, standard deviation 22; ±5 deviations.
    for (const hits of inFirstHalf) expect(Math.abs(hits - 1000)).toBeLessThan(112)
  })

  it("windows of an epoch do not overlap, are inside the text, and leave out less than two contexts", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 40 }),
        FastCheck.integer({ min: 2, max: 2000 }),
        FastCheck.integer({ min: 0, max: 5 }),
        FastCheck.integer(),
        (contextLength, tokens, epoch, seed) => {
          const order = DataOrder.make({ tokens, contextLength, seed })
          if (tokens < contextLength + 1) {
            expect(order).toBeUndefined()
            return
          }
          if (order === undefined) throw new Error("a window fits")
          const starts = Array.from({ length: order.windows }, (_, i) => order.start(epoch, i)).sort((a, b) => a - b)
          expect(starts[0]).toBeGreaterThanOrEqual(0)
          expect(starts.at(-1)).toBeLessThanOrEqual(tokens - contextLength - 1)
          for (let i = 1; i < starts.length; i++) expect(starts[i]! - starts[i - 1]!).toBe(contextLength)
          expect(tokens - 1 - order.windows * contextLength).toBeLessThan(2 * contextLength)
        }
      ),
      { numRuns: 300 }
    )
  })

  it("every token but the first is a target in some epoch, and no token is one twice in an epoch", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 12 }),
        FastCheck.integer({ min: 2, max: 120 }),
        FastCheck.integer(),
        (contextLength, tokens, seed) => {
          FastCheck.pre(tokens > contextLength)
          const order = DataOrder.make({ tokens, contextLength, seed })!
          const seen = new Set<number>()
          // As many epochs as there are offsets: fewer than two contexts.
          for (let epoch = 0; epoch < 2 * contextLength; epoch++) {
            const targets = Array.from({ length: order.windows }, (_, i) => order.start(epoch, i)).flatMap((start) =>
              Array.from({ length: contextLength }, (_, i) => start + 1 + i)
            )
            expect(new Set(targets).size).toBe(targets.length)
            for (const target of targets) seen.add(target)
          }
          expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: tokens - 1 }, (_, i) => i + 1))
        }
      ),
      { numRuns: 200 }
    )
  })

  it("spreads the offsets of the first epochs evenly: a token near an end does not wait long", () => {
    // 128 + 99 offsets; after eight epochs no gap between neighbours is much larger than an eighth.
    const order = DataOrder.make({ tokens: 100 * 128 + 99, contextLength: 128, seed: 7 })!
    const offsets = Array.from({ length: 8 }, (_, epoch) =>
      Math.min(...Array.from({ length: order.windows }, (_, i) => order.start(epoch, i)))
    ).sort((a, b) => a - b)
    const gaps = offsets.map((offset, i) => (i === 0 ? offset + 227 - offsets.at(-1)! : offset - offsets[i - 1]!))
    expect(Math.max(...gaps)).toBeLessThan((2 * 227) / 8)
  })

  it("differs between epochs and seeds, and is the same again for the same", () => {
    const starts = (seed: number, epoch: number) =>
      Array.from({ length: 100 }, (_, i) =>
        DataOrder.make({ tokens: 10_000, contextLength: 50, seed })!.start(epoch, i)
      )
    expect(starts(1, 0)).toEqual(starts(1, 0))
    expect(starts(1, 0)).not.toEqual(starts(1, 1))
    expect(starts(1, 0)).not.toEqual(starts(2, 0))
  })
})
