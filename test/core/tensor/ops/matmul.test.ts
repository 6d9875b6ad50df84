/** Matrix products: what the contract suite does not check. Oracle: hand computation. */
import { describe, expect, it } from "vitest"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { gemm, matMul } from "../../../../src/core/tensor/ops/matmul.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, input, type Tensor } from "../../../../src/core/tensor/Tensor.ts"

const float = (shape: ReadonlyArray<number>, data: ReadonlyArray<number>): Tensor =>
  constant({ dtype: "float32", shape, data: Float64Array.from(data) })
const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)

describe("matMul", () => {
  it("uses an operand without leading axes for every matrix, and sums its gradient", () => {
    const a = float([2, 1, 2], [1, 2, 3, 4])
    const b = float([2, 1], [10, 100])
    expect(numbers(matMul(a, b))).toEqual([210, 430])
    // d Σ y / d b is the sum of the rows of a.
    expect(numbers(grad(sum(matMul(a, b)), [b])[0]!)).toEqual([4, 6])
  })

  it("names both shapes when the inner sizes differ", () => {
    const x = input("x", "float32", [2, 3])
    expect(() => matMul(x, x)).toThrow(
      "matMul(float32[2, 3], float32[2, 3]): the inner sizes differ: 3 and 2 (transposes applied)"
    )
    expect(matMul(x, x, { transposeB: true }).shape).toEqual([2, 2])
  })

  it("refuses leading axes that differ", () => {
    const [a, b] = [input("a", "float32", [2, 3, 3]), input("b", "float32", [3, 3, 3])]
    expect(() => matMul(a, b)).toThrow("the leading axes must be equal, or one operand must have two axes only")
  })
})

describe("gemm", () => {
  it("adds a bias once a row, and its gradient is the sum over the rows", () => {
    const [a, b, c] = [float([2, 1], [1, 2]), float([1, 2], [3, 4]), float([2], [10, 20])]
    const y = gemm(a, b, c)
    expect(numbers(y)).toEqual([13, 24, 16, 28])
    expect(numbers(grad(sum(y), [c])[0]!)).toEqual([2, 2])
  })

  it("refuses an addend of another shape", () => {
    const [x, c] = [input("x", "float32", [2, 2]), input("c", "float32", [3])]
    expect(() => gemm(x, x, c)).toThrow(
      "gemm(float32[2, 2], float32[2, 2], float32[3]): the addend must be [2, 2], [2] or []"
    )
  })
})
