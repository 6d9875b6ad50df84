/**
 * The laws of core/Metric.ts as tests, for any metric, on random samples.
 *
 *     metricContract("bits_per_byte", BitsPerByte.layer({}))
 *
 * They say nothing about the value itself: that needs a closed form, which is the metric's own test.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import { Metric, type Sample, type Totals } from "../core/Metric.ts"

/** Windows of 1 to 512 tokens. Nats are eighths, so that sums are exact in any order. */
const sample: FastCheck.Arbitrary<Sample> = FastCheck.integer({ min: 1, max: 512 }).chain((tokens) =>
  FastCheck.record({
    nats: FastCheck.integer({ min: 0, max: 64 * tokens }).map((eighths) => eighths / 8),
    tokens: FastCheck.constant(tokens),
    bytes: FastCheck.integer({ min: tokens, max: 8 * tokens }),
    correct: FastCheck.integer({ min: 0, max: tokens })
  })
)
const samples = FastCheck.array(sample, { minLength: 1, maxLength: 12 })

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
      expect(combine(metric.empty, totals)).toEqual(totals)
      expect(combine(totals, metric.empty)).toEqual(totals)
    })

    law("2 combine is associative", (metric, some, at) => {
      const a = totalsOf(metric, some.slice(0, at))
      const b = totalsOf(metric, some.slice(at))
      const c = totalsOf(metric, some)
      expect(metric.combine(metric.combine(a, b), c)).toEqual(metric.combine(a, metric.combine(b, c)))
    })

    law("3 any split of the samples gives the same result", (metric, some, at) => {
      const parts = metric.combine(totalsOf(metric, some.slice(0, at)), totalsOf(metric, some.slice(at)))
      expect(metric.result(parts)).toBe(metric.result(totalsOf(metric, some)))
    })

    it.effect("has a name, a direction, and NaN for nothing", () =>
      Effect.map(Metric, (service) => {
        expect(service.name).toMatch(/^\w+$/)
        expect(["lower", "higher"]).toContain(service.direction)
        expect(service.result(service.empty)).toBeNaN()
      })
    )
  })
