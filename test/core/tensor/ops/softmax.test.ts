/** Softmax: laws that hold for every row, and rows that overflow a careless implementation. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { exp } from "../../../../src/core/tensor/ops/elementwise.ts"
import { logSoftmax, softmax } from "../../../../src/core/tensor/ops/softmax.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, type Tensor } from "../../../../src/core/tensor/Tensor.ts"

const rowOf = (data: ReadonlyArray<number>): Tensor =>
  constant({ dtype: "float32", shape: [data.length], data: Float64Array.from(data) })
const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)

const rows = FastCheck.array(FastCheck.double({ min: -700, max: 700, noNaN: true }), { minLength: 1, maxLength: 8 })

describe("softmax", () => {
  it("gives probabilities that do not change when a row is shifted", () => {
    FastCheck.assert(
      FastCheck.property(rows, FastCheck.integer({ min: -1000, max: 1000 }), (row, shift) => {
        const p = numbers(softmax(rowOf(row)))
        expect(p.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 10)
        numbers(softmax(rowOf(row.map((x) => x + shift)))).forEach((value, i) => {
          expect(value).toBeCloseTo(p[i]!, 9)
        })
      })
    )
  })

  it("is the exponential of logSoftmax", () => {
    FastCheck.assert(
      FastCheck.property(rows, (row) => {
        const p = numbers(softmax(rowOf(row)))
        numbers(exp(logSoftmax(rowOf(row)))).forEach((value, i) => {
          expect(value).toBeCloseTo(p[i]!, 12)
        })
      })
    )
  })

  it("stays finite where exp overflows", () => {
    expect(numbers(logSoftmax(rowOf([10000, 0])))).toEqual([0, -10000])
  })
})
