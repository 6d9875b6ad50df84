/**
 * The laws of core/Metric.ts as tests, for any metric, on random samples.
 *
 *     metricContract("bits_per_byte", BitsPerByte.layer({}))
 *
 * Sums of floating-point numbers depend on their order in the last digits, so totals are compared within 1e-9 of the sum of the
 * absolute values that went into them, and results within 1e-6 of their size. The laws say nothing about the value itself: that
 * needs a closed form, which is the metric's own test.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import { Metric, type Sample, type Totals } from "../core/Metric.ts"

/** Windows of 1 to 512 tokens. */
const sample: FastCheck.Arbitrary<Sample> = FastCheck.integer({ min: 1, max: 512 }).chain((tokens) =>
  FastCheck.record({
    nats: FastCheck.double({ min: 0, max: 8 * tokens, noNaN: true }),
    tokens: FastCheck.constant(tokens),
    bytes: FastCheck.integer({ min: tokens, max: 8 * tokens }),
    correct: FastCheck.integer({ min: 0, max: tokens })
  })
)
const samples = FastCheck.array(sample, { minLength: 1, maxLength: 12 })

/** Totals that are equal but for the rounding of sums of these parts. */
const expectTotals = (actual: Totals, expected: Totals, parts: ReadonlyArray<Totals>): void => {
  expect(actual).toHaveLength(expected.length)
  expected.forEach((value, i) => {
    const size = parts.reduce((sum, part) => sum + Math.abs(part[i]!), 0)
    expectNear(actual[i]!, value, 1e-9 * size)
  })
}

/** Infinities and NaN must be equal. */
const expectNear = (actual: number, expected: number, tolerance: number): void => {
  if (Number.isFinite(expected) && Math.abs(actual - expected) <= tolerance) return
  expect(actual).toBe(expected)
}

const totalsOf = (metric: Metric.Service, some: ReadonlyArray<Sample>): Totals =>
  some.reduce(metric.update, metric.empty)

/** Tests that a metric keeps the laws of its kind. `name` is in the names of the tests. */
export const metricContract = <E>(name: string, metric: Layer.Layer<Metric, E>): void =>
  layer(metric)(`${name}: metric laws`, (it) => {
    const law = (text: string, check: (metric: Metric.Service, some: ReadonlyArray<Sample>, at: number) => void) =>
      it.effect.prop(text, [samples, FastCheck.nat(12)], ([some, at]) =>
        Effect.map(Metric, (service) => check(service, some, Math.min(at, some.length)))
      )

    law("1 empty is the identity of combine", ({ combine, ...metric }, some) => {
      const totals = totalsOf({ combine, ...metric }, some)
      expect(metric.empty).toHaveLength(metric.size)
      expectTotals(combine(metric.empty, totals), totals, [totals])
      expectTotals(combine(totals, metric.empty), totals, [totals])
    })

    law("2 combine is associative", (metric, some, at) => {
      const a = totalsOf(metric, some.slice(0, at))
      const b = totalsOf(metric, some.slice(at))
      const c = totalsOf(metric, some)
      expectTotals(metric.combine(metric.combine(a, b), c), metric.combine(a, metric.combine(b, c)), [a, b, c])
    })

    law("3 any split of the samples gives the same result", (metric, some, at) => {
      const parts = metric.combine(totalsOf(metric, some.slice(0, at)), totalsOf(metric, some.slice(at)))
      const whole = metric.result(totalsOf(metric, some))
      expectNear(metric.result(parts), whole, 1e-6 * Math.abs(whole))
    })

    it.effect("has a name, a direction, and NaN for nothing", () =>
      Effect.map(Metric, (service) => {
        expect(service.name).toMatch(/^\w+$/)
        expect(["lower", "higher"]).toContain(service.direction)
        expect(service.result(service.empty)).toBeNaN()
      })
    )
  })
