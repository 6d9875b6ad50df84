/**
 * The CPU form of aᵀ · b over many rows (a weight's gradient), for which the samples of the contract are too small.
 * Oracle: the reference evaluation. Needs a CPU session.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Backend } from "../../../../src/core/Backend.ts"
import { lower } from "../../../../src/core/tensor/Lower.ts"
import { gemm } from "../../../../src/core/tensor/ops/matmul.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import * as Reference from "../../../../src/core/tensor/Reference.ts"
import type { TensorData } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"

const rows = 600

const numbers = (columns: number, seed: number): TensorData => ({
  dtype: "float32",
  shape: [rows, columns],
  data: Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + i * 1.7))
})

layer(OnnxBackend.layer({ device: "cpu", threads: 2 }))("a weight's gradient on the CPU", (it) => {
  for (const [M, N] of [
    [3, 5],
    [5, 3]
  ] as const) {
    it.scoped(`transposes the narrower of ${M} and ${N} columns and equals the reference`, () =>
      Effect.gen(function* () {
        const program = yield* Program.make({
          name: "gradient",
          state: {},
          inputs: { a: { dtype: "float32", shape: [rows, M] }, b: { dtype: "float32", shape: [rows, N] } },
          build: (_, { a, b }) => ({ outputs: { y: gemm(a!, b!, undefined, { transposeA: true, alpha: 0.5 }) } })
        })
        expect(lower(program, "cpu").nodes.map(({ opType }) => opType)).toEqual(
          M < N ? ["Transpose", "Gemm"] : ["Transpose", "Gemm", "Transpose"]
        )
        const inputs = { a: numbers(M, 1), b: numbers(N, 2) }
        const executable = yield* (yield* Backend).compile({ program })
        const { y } = yield* executable.run("program", inputs)
        const expected = Reference.run(
          program,
          {},
          {
            a: Reference.fromData(inputs.a),
            b: Reference.fromData(inputs.b)
          }
        ).outputs.y!
        expect(y!.shape).toEqual([M, N])
        expected.data.forEach((value, i) => {
          expect(Math.abs(y!.data[i]! - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)))
        })
      })
    )
  }
})
