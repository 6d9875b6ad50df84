/**
 * The four metrics: the laws, and closed forms. Oracles: a uniform model over V tokens has perplexity V and log₂V / (bytes
 * per token) bits per byte; a code of k bits a byte has k. Needs nothing.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Metric, type Sample } from "../../../src/core/Metric.ts"
import { Accuracy } from "../../../src/plugins/metrics/accuracy.ts"
import { BitsPerByte } from "../../../src/plugins/metrics/bits_per_byte.ts"
import { Loss } from "../../../src/plugins/metrics/loss.ts"
import { Perplexity } from "../../../src/plugins/metrics/perplexity.ts"
import { metricContract } from "../../../src/testing/metric.ts"

const metrics = {
  accuracy: Accuracy.layer({}),
  bits_per_byte: BitsPerByte.layer({}),
  loss: Loss.layer({}),
  perplexity: Perplexity.layer({})
}

for (const [name, metric] of Object.entries(metrics)) metricContract(name, metric)

const valueOf = (name: keyof typeof metrics, samples: ReadonlyArray<Sample>): number =>
  Effect.runSync(
    Effect.map(Metric, ({ empty, result, update }) => result(samples.reduce(update, empty))).pipe(
      Effect.provide(metrics[name])
    )
  )

/** Windows of a model that gives each of V tokens the same probability, over text of 3 bytes a token. */
const uniform = (vocabulary: number): ReadonlyArray<Sample> =>
  [128, 64, 1].map((tokens) => ({ nats: tokens * Math.log(vocabulary), tokens, bytes: 3 * tokens, correct: 0 }))

describe("a uniform model over V tokens", () => {
  for (const vocabulary of [2, 257, 4096]) {
    it(`has perplexity V, loss ln V and log₂V/3 bits per byte for V = ${vocabulary}`, () => {
      expect(valueOf("perplexity", uniform(vocabulary)) / vocabulary).toBeCloseTo(1, 12)
      expect(valueOf("loss", uniform(vocabulary))).toBeCloseTo(Math.log(vocabulary), 12)
      expect(valueOf("bits_per_byte", uniform(vocabulary))).toBeCloseTo(Math.log2(vocabulary) / 3, 12)
    })
  }
})

describe("metrics of unequal windows", () => {
  const samples = [
    { nats: 10, tokens: 10, bytes: 20, correct: 10 },
    { nats: 90, tokens: 30, bytes: 20, correct: 0 }
  ]

  it("weigh tokens, not windows: no average of averages, no mean of perplexities", () => {
    expect(valueOf("loss", samples)).toBe(2.5)
    expect(valueOf("perplexity", samples)).toBe(Math.exp(2.5))
    expect(valueOf("accuracy", samples)).toBe(0.25)
    expect(valueOf("bits_per_byte", samples)).toBeCloseTo(2.5 / Math.LN2, 12)
  })

  it("say which way is better, by name", () => {
    const directions = Object.values(metrics).map((metric) =>
      Effect.runSync(
        Effect.map(Metric, ({ direction, name }) => [name, direction] as const).pipe(Effect.provide(metric))
      )
    )
    expect(Object.fromEntries(directions)).toEqual({
      accuracy: "higher",
      bits_per_byte: "lower",
      loss: "lower",
      perplexity: "lower"
    })
  })
})
