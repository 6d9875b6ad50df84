/** Rotary positions: the properties that define them. Exact in real numbers, so checked in float64. */
import { describe, expect, it } from "vitest"
import { matMul } from "../../../../src/core/tensor/ops/matmul.ts"
import { rotary } from "../../../../src/core/tensor/ops/rotary.ts"
import { slice } from "../../../../src/core/tensor/ops/shape.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, input, integers, type Tensor } from "../../../../src/core/tensor/Tensor.ts"

const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)
const at = (position: number) => integers([position], [])
const wave = (shape: ReadonlyArray<number>, speed: number): Tensor => {
  const length = shape.reduce((product, size) => product * size, 1)
  return constant({ dtype: "float32", shape, data: Float64Array.from({ length }, (_, i) => Math.sin(speed * i + 1)) })
}
const theta = 10000
const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  expect(actual.length).toBe(expected.length)
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 10)
  })
}

describe("rotary", () => {
  it("makes q · k depend only on the distance of their positions", () => {
    const [q, k] = [wave([1, 1, 1, 8], 2), wave([1, 1, 1, 8], 5)]
    const score = (i: number, j: number) =>
      numbers(matMul(rotary(q, at(i), { theta }), rotary(k, at(j), { theta }), { transposeB: true }))
    close(score(9, 4), score(5, 0))
    close(score(1234, 1229), score(5, 0))
    expect(score(9, 3)[0]).not.toBeCloseTo(score(9, 4)[0]!, 3)
  })

  it("rotates a token the same in a sequence and alone", () => {
    const x = wave([2, 3, 5, 4], 3)
    const whole = rotary(x, at(10), { theta })
    close(numbers(slice(whole, 2, 3, 4)), numbers(rotary(slice(x, 2, 3, 4), at(13), { theta })))
  })

  it("is reversed by its inverse, and keeps lengths", () => {
    const x = wave([1, 2, 3, 6], 7)
    const turned = rotary(x, at(100), { theta })
    close(numbers(rotary(turned, at(100), { theta, inverse: true })), numbers(x))
    expect(Math.hypot(...numbers(turned))).toBeCloseTo(Math.hypot(...numbers(x)), 10)
  })

  it("refuses an odd head width", () => {
    expect(() => rotary(input("x", "float32", [1, 1, 1, 3]), at(0), { theta })).toThrow(
      "rotary(float32[1, 1, 1, 3], int32[]): the head width must be even, but it is 3"
    )
  })
})
