/** Oracle: closed forms, worked out by hand. Needs nothing. */
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
})
