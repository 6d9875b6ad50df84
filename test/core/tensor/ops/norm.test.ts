/** Norms: invariances that hold in exact arithmetic, and rows for which float32 is critical. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../../src/core/Backend.ts"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { mul } from "../../../../src/core/tensor/ops/elementwise.ts"
import { layerNorm, rmsNorm } from "../../../../src/core/tensor/ops/norm.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import * as Reference from "../../../../src/core/tensor/Reference.ts"
import { constant, type Tensor } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"

const float = (shape: ReadonlyArray<number>, data: ReadonlyArray<number>): Tensor =>
  constant({ dtype: "float32", shape, data: Float64Array.from(data) })
const numbers = (tensor: Tensor) => Array.from(Reference.evaluate([tensor], new Map())[0]!.data)
const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) =>
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 9)
  })

const row = [0.3, -1.2, 2, 0.7]
const gain = float([4], [1, 2, -1, 0.5])

describe("layerNorm", () => {
  it("does not change when a row is scaled and shifted", () => {
    const moved = row.map((value) => 3 * value + 7)
    close(
      numbers(layerNorm(float([1, 4], moved), gain, undefined, 0)),
      numbers(layerNorm(float([1, 4], row), gain, undefined, 0))
    )
  })

  it("has a gradient that is orthogonal to shifts and to scalings of its row", () => {
    const x = float([1, 4], row)
    const weights = float([1, 4], [1, -2, 0.5, 3])
    const dx = numbers(grad(sum(mul(layerNorm(x, gain, undefined, 0), weights)), [x])[0]!)
    expect(dx.reduce((total, value) => total + value, 0)).toBeCloseTo(0, 12)
    expect(dx.reduce((total, value, i) => total + value * row[i]!, 0)).toBeCloseTo(0, 12)
    expect(Math.hypot(...dx)).toBeGreaterThan(0.1)
  })

  it.scoped("keeps its gradient on the CPU when a row is far from zero", () =>
    Effect.gen(function* () {
      const [T, C] = [3, 8]
      const program = yield* Program.make({
        name: "norm",
        state: {},
        inputs: {
          x: { dtype: "float32", shape: [T, C] },
          gain: { dtype: "float32", shape: [C] },
          bias: { dtype: "float32", shape: [C] }
        },
        build: (_, inputs) => {
          const y = layerNorm(inputs.x!, inputs.gain!, inputs.bias!, 1e-5)
          const [dx, dGain] = grad(sum(mul(y, mul(y, y))), [inputs.x!, inputs.gain!])
          return { outputs: { dx: dx!, dGain: dGain! } }
        }
      })
      const data = {
        // Multiples of 1/8 near 100: exact in float32.
        x: Float32Array.from({ length: T * C }, (_, i) => 100 + ((i * 5) % 16) / 8),
        gain: Float32Array.from({ length: C }, (_, i) => 1 + i / 8),
        bias: Float32Array.from({ length: C }, (_, i) => i / 16 - 0.25)
      }
      const values = {
        x: { dtype: "float32", shape: [T, C], data: data.x },
        gain: { dtype: "float32", shape: [C], data: data.gain },
        bias: { dtype: "float32", shape: [C], data: data.bias }
      } as const
      const expected = Reference.run(
        program,
        {},
        {
          x: Reference.fromData(values.x),
          gain: Reference.fromData(values.gain),
          bias: Reference.fromData(values.bias)
        }
      ).outputs
      const { run } = yield* (yield* Backend).compile({ norm: program })
      const actual = yield* run("norm", values)
      for (const name of ["dx", "dGain"]) {
        expected[name]!.data.forEach((value: number, i: number) => {
          expect(Math.abs(actual[name]!.data[i]! - value) / Math.max(1, Math.abs(value))).toBeLessThan(1e-4)
        })
      }
    }).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1 })))
  )
})

describe("rmsNorm", () => {
  it("does not change when a row is scaled, and does when it is shifted", () => {
    const at = (f: (value: number) => number) => numbers(rmsNorm(float([1, 4], row.map(f)), gain, 0))
    close(
      at((value) => 5 * value),
      at((value) => value)
    )
    expect(at((value) => value + 1)[0]).not.toBeCloseTo(at((value) => value)[0]!, 2)
  })
})
