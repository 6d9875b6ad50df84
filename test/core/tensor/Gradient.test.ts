/**
 * Reverse-mode differentiation as a walk over graphs. Oracles: closed forms, worked out by hand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { grad } from "../../../src/core/tensor/Gradient.ts"
import { sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { cast, lessOrEqual } from "../../../src/core/tensor/ops/compare.ts"
import { add, exp, log, maximum, mul, neg, sigmoid, tanh } from "../../../src/core/tensor/ops/elementwise.ts"
import { max, mean, sumSquares } from "../../../src/core/tensor/ops/reduce.ts"
import { concat, slice, split } from "../../../src/core/tensor/ops/shape.ts"
import * as Reference from "../../../src/core/tensor/Reference.ts"
import { constant, input, integers, type Tensor, topologicalOrder } from "../../../src/core/tensor/Tensor.ts"

const vector = (...values: ReadonlyArray<number>) =>
  constant({ dtype: "float32", shape: [values.length], data: Float64Array.from(values) })

const numbersOf = (tensor: Tensor) => Array.from(Reference.evaluate([tensor], new Map())[0]!.data)

const expectClose = (tensor: Tensor, expected: ReadonlyArray<number>) => {
  const actual = numbersOf(tensor)
  expect(actual.length).toBe(expected.length)
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 12)
  })
}

describe("grad", () => {
  it("sums over every path: d/dx (x·x + 3x) = 2x + 3", () => {
    const x = vector(1, -2)
    expectClose(grad(sum(add(mul(x, x), mul(x, vector(3, 3)))), [x])[0]!, [5, -1])
  })

  it("differentiates with respect to a tensor inside the graph: d/dy Σ y² at y = eˣ is 2y", () => {
    const x = vector(0, 1)
    const y = exp(x)
    const [dy, dx] = grad(sumSquares(y), [y, x])
    expectClose(dy!, [2, 2 * Math.E])
    expectClose(dx!, [2, 2 * Math.E ** 2])
  })

  it("is zero, of the right shape, where the loss does not depend on a tensor", () => {
    const [x, other] = [vector(1), vector(4, 5)]
    expectClose(grad(sum(x), [other])[0]!, [0, 0])
  })

  it("is 1 with respect to the loss itself", () => {
    const loss = sum(vector(1, 2))
    expectClose(grad(loss, [loss])[0]!, [1])
  })

  it("can be applied twice: d²/dx² σ(x) = σ'(x)(1 − 2σ(x)), d²/dx² tanh = −2 tanh (1 − tanh²)", () => {
    const values = [-1, 0.3, 2]
    const x = vector(...values)
    const twice = (f: (x: Tensor) => Tensor) => grad(sum(grad(sum(f(x)), [x])[0]!), [x])[0]!
    const s = values.map((v) => 1 / (1 + Math.exp(-v)))
    expectClose(
      twice(sigmoid),
      s.map((s) => s * (1 - s) * (1 - 2 * s))
    )
    expectClose(
      twice(tanh),
      values.map((v) => -2 * Math.tanh(v) * (1 - Math.tanh(v) ** 2))
    )
  })

  it("sums over what was broadcast: d/db Σ (x + b) counts the rows", () => {
    const x = constant({ dtype: "float32", shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) })
    const [b, s] = [vector(0, 0, 0), constant({ dtype: "float32", shape: [], data: Float64Array.of(2) })]
    const [db, ds] = grad(sum(mul(add(x, b), s)), [b, s])
    expectClose(db!, [4, 4, 4])
    expectClose(ds!, [21])
  })

  it("gives ties to the first of a maximum, and shares them in a reduction", () => {
    const [a, b] = [vector(1, 2, 3), vector(1, 5, 0)]
    const [da, db] = grad(sum(maximum(a, b)), [a, b])
    expectClose(da!, [1, 0, 1])
    expectClose(db!, [0, 1, 0])
    const x = vector(3, 1, 3)
    expectClose(grad(max(x), [x])[0]!, [0.5, 0, 0.5])
  })

  it("works through only some of an operator's outputs", () => {
    const x = vector(1, 2, 3, 4)
    const [, second] = split(x, [1, 2, 1], 0)
    expectClose(grad(sumSquares(second!), [x])[0]!, [0, 4, 6, 0])
    expectClose(grad(sumSquares(slice(concat([x, x], 0), 0, 3, 6)), [x])[0]!, [2, 4, 0, 8])
  })

  it("sends nothing through whole numbers and bools", () => {
    const x = vector(-1, 2)
    const positive = cast(lessOrEqual(vector(0, 0), x), "float32")
    expectClose(grad(sum(mul(positive, x)), [x])[0]!, [0, 1])
    expectClose(grad(sum(mul(cast(cast(x, "int32"), "float32"), x)), [x])[0]!, [-1, 2])
  })

  it("does not build gradients that are not requested", () => {
    const [x, frozen] = [input("x", "float32", [2]), input("frozen", "float32", [2])]
    const [gradient] = grad(sum(mul(x, log(frozen))), [x])
    const names = topologicalOrder([gradient!]).map((node) => (node._tag === "Apply" ? node.operator.name : node._tag))
    expect(names).not.toContain("div")
  })

  it("does not exhaust the stack on a deep graph", () => {
    const x = vector(1)
    let y: Tensor = x
    for (let i = 0; i < 20_000; i++) y = neg(y)
    expectClose(grad(sum(y), [x])[0]!, [1])
  })

  it("refuses what is not a float32 scalar", () => {
    expect(() => grad(vector(1, 2), [])).toThrow("grad(float32[2]): only a float32 scalar can be differentiated")
    expect(() => grad(integers([1], []), [])).toThrow("grad(int32[]): only a float32 scalar can be differentiated")
  })

  it("mean of squares: 2x/n", () => {
    const x = vector(1, 2, 3, -4)
    expectClose(grad(mean(mul(x, x)), [x])[0]!, [0.5, 1, 1.5, -2])
  })
})
