/** Oracle: the definition of a partition; the closed form of a mean's standard error. Needs nothing. */
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import * as Evaluation from "../../../src/core/evaluation/Evaluation.ts"
import { Metric } from "../../../src/core/Metric.ts"

describe("evaluation windows", () => {
  it("are those of the picture in the header", () => {
    expect(Evaluation.windows(10, 4, 2)).toEqual([
      { start: 0, length: 4, scoreFrom: 0 },
      { start: 2, length: 4, scoreFrom: 2 },
      { start: 4, length: 4, scoreFrom: 2 },
      { start: 6, length: 3, scoreFrom: 2 }
    ])
  })

  it("score every token but the first exactly once, with at least context − stride tokens before it", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 0, max: 300 }),
        FastCheck.integer({ min: 1, max: 32 }),
        FastCheck.integer({ min: 1, max: 32 }),
        (tokens, context, someStride) => {
          const stride = Math.min(context, someStride)
          const scored = Evaluation.windows(tokens, context, stride).flatMap(({ length, scoreFrom, start }) =>
            Array.from({ length: length - scoreFrom }, (_, i) => ({
              token: start + scoreFrom + i + 1,
              before: scoreFrom + i + 1
            }))
          )
          expect(scored.map(({ token }) => token)).toEqual(
            Array.from({ length: Math.max(0, tokens - 1) }, (_, i) => i + 1)
          )
          for (const { before, token } of scored)
            expect(before).toBeGreaterThanOrEqual(Math.min(token, context - stride + 1))
        }
      )
    )
  })
})

const row = (data: Float32Array) => ({ dtype: "float32" as const, shape: [data.length], data })

describe("scores", () => {
  const tokens = Int32Array.from({ length: 23 }, (_, i) => i % 5)
  const file = {
    length: tokens.length,
    documents: 1,
    bytes: 0,
    read: (position: number, length: number) => Effect.succeed(tokens.slice(position, position + length))
  }

  it("are attributed to the right tokens: a model that charges each token its own id", () => {
    const tokenBytes = Int32Array.of(1, 2, 3, 4, 0)
    const total = Effect.runSync(
      Evaluation.score({
        file,
        tokenBytes,
        contextLength: 8,
        stride: 4,
        batchSize: 3,
        limit: undefined,
        run: (inputs) => {
          const nats = Float32Array.from(inputs.targets!.data, (target) => (target < 0 ? 0 : target))
          // Every third position of the batch is right.
          return Effect.succeed({ nats: row(nats), correct: row(nats.map((_, i) => (i % 3 === 0 ? 1 : 0))) })
        }
      }).pipe(Evaluation.total)
    )
    const scored = [...tokens].slice(1)
    expect(total).toEqual({
      nats: scored.reduce((sum, id) => sum + id, 0),
      tokens: 22,
      bytes: scored.reduce((sum, id) => sum + tokenBytes[id]!, 0),
      // Of the five windows, in batches of three: 3 + 2 + 1, and 1 + 1.
      correct: 8
    })
  })

  it("the bootstrap's standard error of a mean is s / sqrt(n)", () => {
    const mean = Metric.make({
      name: "mean",
      unit: "",
      direction: "lower",
      size: 2,
      totals: ({ nats, tokens }) => [nats, tokens],
      result: ([nats = 0, count = 0]) => nats / count
    })
    const values = Array.from({ length: 100 }, (_, i) => Math.sin(i * 12.9898) * 3)
    const average = values.reduce((sum, value) => sum + value, 0) / 100
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / 100)
    const samples = values.map((nats) => ({ nats, tokens: 1, bytes: 1, correct: 0 }))
    const [result] = Evaluation.results([mean], samples, { seed: 1, resamples: 4000 })
    expect(result!.value).toBeCloseTo(average, 12)
    expect(Math.abs(result!.stderr! / (deviation / 10) - 1)).toBeLessThan(0.05)
  })

  it("sizes that are out of range are refused before anything is read", () => {
    const sizes = { contextLength: 4, stride: 2, batchSize: 2, limit: undefined }
    const wrong = [
      { stride: 0 },
      { stride: Number.NaN },
      { stride: 5 },
      { batchSize: 0 },
      { batchSize: Number.POSITIVE_INFINITY },
      { contextLength: 1.5 },
      { limit: Number.NaN }
    ]
    for (const change of wrong) {
      const run = () => Effect.die("nothing is computed")
      const options = { file, tokenBytes: new Int32Array(5), run, ...sizes, ...change }
      const error = Effect.runSync(Effect.flip(Evaluation.total(Evaluation.score(options))))
      expect(error.message, JSON.stringify(change)).toMatch(
        /^Evaluation\.score: (stride|batchSize|contextLength|limit): /
      )
    }
  })

  it("a stream of samples is read in the order of the text", () => {
    const starts = Effect.runSync(
      Evaluation.score({
        file,
        tokenBytes: new Int32Array(5),
        contextLength: 4,
        stride: 4,
        batchSize: 2,
        limit: 3,
        run: (inputs) =>
          Effect.succeed({ nats: row(Float32Array.from(inputs.tokens!.data)), correct: row(new Float32Array(8)) })
      }).pipe(Stream.runCollect)
    )
    expect([...starts].map(({ tokens }) => tokens)).toEqual([4, 4, 4])
  })
})
