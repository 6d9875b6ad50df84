/**
 * Reading and writing by index. Oracles: sums of whole numbers (exact in float32, in any order) and hand computation.
 * Repeated indices run on the CPU with two threads, where a racing provider operator loses sums (ScatterND does).
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Backend } from "../../../../src/core/Backend.ts"
import { gather, scatterAddRows, sliceAt, writeRows } from "../../../../src/core/tensor/ops/gather.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, input, integers, type Tensor } from "../../../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"

const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)

describe("scatterAddRows", () => {
  for (const threads of [1, 2]) {
    it.scoped(`adds up repeated rows exactly, for small and large tables, with ${threads} threads`, () =>
      Effect.gen(function* () {
        const [count, width, tables] = [4000, 64, [7, 256, 257, 3000]]
        const program = yield* Program.make({
          name: "scatter",
          state: {},
          inputs: {
            indices: { dtype: "int32", shape: [count] },
            updates: { dtype: "float32", shape: [count, width] }
          },
          build: (_, { indices, updates }) => ({
            outputs: Object.fromEntries(tables.map((rows) => [rows, scatterAddRows(indices!, updates!, { rows })]))
          })
        })
        // Only 3 different rows (squares modulo 5), so that many updates meet.
        const indices = Int32Array.from({ length: count }, (_, n) => (n * n) % 5)
        const updates = Float32Array.from({ length: count * width }, (_, i) => (i % 13) - 6)
        const { run } = yield* (yield* Backend).compile({ scatter: program })
        const outputs = yield* run("scatter", {
          indices: { dtype: "int32", shape: [count], data: indices },
          updates: { dtype: "float32", shape: [count, width], data: updates }
        })
        for (const rows of tables) {
          const expected = new Float32Array(rows * width)
          updates.forEach((value, i) => {
            const at = indices[Math.floor(i / width)]! * width + (i % width)
            expected[at] = expected[at]! + value
          })
          const got = outputs[rows]!.data
          expect(got.length).toBe(expected.length)
          expect(got.findIndex((value, i) => value !== expected[i])).toBe(-1)
        }
      }).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads })))
    )
  }
})

describe("gather", () => {
  it.scoped("reports an index outside of the table as a failed run", () =>
    Effect.gen(function* () {
      const program = yield* Program.make({
        name: "look up",
        state: {},
        inputs: { table: { dtype: "float32", shape: [3, 2] }, indices: { dtype: "int32", shape: [1] } },
        build: (_, { indices, table }) => ({ outputs: { y: gather(table!, indices!) } })
      })
      const { run } = yield* (yield* Backend).compile({ "look up": program })
      const result = yield* Effect.either(
        run("look up", {
          table: { dtype: "float32", shape: [3, 2], data: new Float32Array(6) },
          indices: { dtype: "int32", shape: [1], data: Int32Array.of(3) }
        })
      )
      expect(Either.isLeft(result) && result.left.reason).toBe("Run")
    }).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1 })))
  )

  it("refuses a table that is not [V, C] and indices that are not int32, naming both", () => {
    const [table, indices] = [input("t", "float32", [3]), input("i", "float32", [2])]
    expect(() => gather(table, indices)).toThrow(
      "gather(float32[3], float32[2]): expects float32[V, C], int32[...]; input 1 has 1 axes"
    )
    expect(() => gather(input("t", "float32", [3, 2]), indices)).toThrow("input 2 is float32")
  })
})

describe("rows at a position", () => {
  const table = constant({ dtype: "float32", shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) })

  it("sliceAt reads them and writeRows replaces them", () => {
    expect(numbers(sliceAt(table, integers([2], []), 2))).toEqual([5, 6, 7, 8])
    const rows = constant({ dtype: "float32", shape: [2, 2], data: Float32Array.of(-1, -2, -3, -4) })
    expect(numbers(writeRows(table, rows, integers([1], [])))).toEqual([1, 2, -1, -2, -3, -4, 7, 8])
  })

  it("writeRows refuses more rows than there are, and a position from which they do not fit", () => {
    const rows = input("rows", "float32", [5, 2])
    expect(() => writeRows(table, rows, integers([0], []))).toThrow("5 rows do not fit into 4")
    const two = constant({ dtype: "float32", shape: [2, 2], data: new Float32Array(4) })
    expect(() => numbers(writeRows(table, two, integers([3], [])))).toThrow("index 3 is outside 0 … 2")
  })
})
