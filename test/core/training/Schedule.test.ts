/** Oracle: closed forms, worked out by hand. Needs nothing. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import * as Schedule from "../../../src/core/training/Schedule.ts"

describe("learning-rate schedules", () => {
  it("linear goes straight from one rate to the other and stays there", () => {
    const rate = Schedule.linear(1, 0, 4)
    expect([0, 1, 2, 3, 4, 9].map(rate)).toEqual([1, 0.75, 0.5, 0.25, 0, 0])
  })

  it("cosine is half way down after half of its steps, and flat at both ends", () => {
    const rate = Schedule.cosine(2, 1, 100)
    expect(rate(0)).toBe(2)
    expect(rate(50)).toBeCloseTo(1.5, 12)
    expect(rate(100)).toBeCloseTo(1, 12)
    expect(rate(0) - rate(1)).toBeLessThan(rate(49) - rate(50))
  })

  it("a warm-up of n steps reaches the rate at its n-th step and never starts at zero", () => {
    const rate = Schedule.warmup(8, 4, Schedule.constant(8))
    expect([0, 1, 2, 3, 4, 5].map(rate)).toEqual([2, 4, 6, 8, 8, 8])
  })

  it("wsd is flat until its decay begins", () => {
    const rate = Schedule.stableThenDecay(1, 0, 10, 4)
    expect([0, 5, 6, 7, 8, 9, 10].map(rate)).toEqual([1, 1, 1, 0.75, 0.5, 0.25, 0])
  })

  it("a config's warm-up comes before the named shape, which ends at the last step", () => {
    const rate = Schedule.fromConfig({
      schedule: "linear",
      lr: 1,
      warmupSteps: 2,
      maxSteps: 12,
      minRatio: 0.5,
      decayFraction: 0
    })
    expect([0, 1, 2, 7, 12].map(rate)).toEqual([0.5, 1, 1, 0.75, 0.5])
  })

  it("a wsd decay that is longer than what follows the warm-up takes all of it", () => {
    // 40 of 100 steps are left after the warm-up, and the decay asks for 80.
    const rate = Schedule.fromConfig({ ...config, warmupSteps: 60, decayFraction: 0.8, schedule: "wsd" })
    expect([60, 80, 100].map(rate)).toEqual([1, 0.55, 0.1])
    expect([0, 2, 4, 9].map(Schedule.stableThenDecay(1, 0, 4, 8))).toEqual([1, 0.5, 0, 0])
  })

  it("a warm-up that is longer than the run is not shortened", () => {
    for (const schedule of Schedule.Name.literals) {
      const rate = Schedule.fromConfig({ ...config, schedule, warmupSteps: 8, maxSteps: 4 })
      expect([0, 1, 2, 3].map(rate)).toEqual([0.125, 0.25, 0.375, 0.5])
    }
  })

  it("every schedule has its values at its ends with no, one or all steps", () => {
    for (const steps of [0, 1, 7]) {
      expect(Schedule.linear(3, 1, steps)(steps)).toBe(1)
      expect(Schedule.cosine(3, 1, steps)(steps)).toBe(1)
      expect(Schedule.stableThenDecay(3, 1, steps, steps)(steps)).toBe(1)
      expect(Schedule.stableThenDecay(3, 1, steps, steps + 5)(steps)).toBe(1)
      expect(Schedule.warmup(3, steps, Schedule.constant(3))(steps)).toBe(3)
    }
    // A decay of no steps happens after the last one.
    expect([0, 6].map(Schedule.stableThenDecay(3, 1, 7, 0))).toEqual([3, 3])
  })

  it("every schedule of a config is continuous, within its bounds and at its last value after the last step", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.constantFrom(...Schedule.Name.literals),
        FastCheck.integer({ min: 1, max: 300 }),
        FastCheck.nat(299),
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        (schedule, maxSteps, warmup, minRatio, decayFraction) => {
          const warmupSteps = warmup % maxSteps
          const rate = Schedule.fromConfig({ schedule, lr: 1, warmupSteps, maxSteps, minRatio, decayFraction })
          const rates = Array.from({ length: maxSteps + 1 }, (_, step) => rate(step))
          const last = schedule === "constant" ? 1 : minRatio
          // A decay of less than half a step never begins.
          if (schedule !== "wsd" || Math.round(maxSteps * decayFraction) > 0) {
            expect(rates.at(-1)).toBeCloseTo(last, 12)
            expect(rate(maxSteps + 100)).toBeCloseTo(last, 12)
          }
          // The steepest are a warm-up and a decay over `length` steps, and the middle of a cosine.
          const decay = schedule === "wsd" ? Math.round(maxSteps * decayFraction) : maxSteps
          const length = Math.max(
            1,
            Math.min(warmupSteps === 0 ? maxSteps : warmupSteps, maxSteps - warmupSteps, decay)
          )
          const changes = rates.slice(1).map((next, step) => Math.abs(next - rates[step]!))
          expect(Math.max(...changes)).toBeLessThanOrEqual(Math.PI / 2 / length + 1e-12)
          expect(Math.max(...rates)).toBeLessThanOrEqual(1 + 1e-12)
          expect(Math.min(...rates)).toBeGreaterThanOrEqual(0)
          expect(Math.min(...rates.slice(warmupSteps))).toBeGreaterThanOrEqual(minRatio - 1e-12)
        }
      ),
      { numRuns: 300 }
    )
  })
})

const config = { lr: 1, maxSteps: 100, minRatio: 0.1, warmupSteps: 0, decayFraction: 0.2 }
