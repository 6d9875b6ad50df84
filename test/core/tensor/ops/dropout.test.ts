/** Dropout: a mask that is a function of seed and stream, with the stated rate (binomial bounds at five deviations). */
import { describe, expect, it } from "vitest"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { dropout } from "../../../../src/core/tensor/ops/dropout.ts"
import { sum } from "../../../../src/core/tensor/ops/reduce.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, integers, type Tensor } from "../../../../src/core/tensor/Tensor.ts"

const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)
const [T, C] = [64, 100]
const ones = constant({ dtype: "float32", shape: [T, C], data: new Float32Array(T * C).fill(1) })
const mask = (seed: number, stream: number, rate = 0.2) =>
  numbers(dropout(ones, integers([seed], []), { rate, stream }))

describe("dropout", () => {
  it("keeps a share of 1 − rate, scaled so that the expected value stays", () => {
    const kept = mask(7, 0).filter((value) => value !== 0)
    // Scaled by the float32 nearest 1 / 0.8.
    expect(new Set(kept)).toEqual(new Set([1.25]))
    expect(Math.abs(kept.length / (T * C) - 0.8)).toBeLessThan(5 * Math.sqrt((0.8 * 0.2) / (T * C)))
  })

  it("repeats for the same seed and stream, and changes with either", () => {
    expect(mask(7, 0)).toEqual(mask(7, 0))
    const agreement = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
      a.filter((value, i) => value === b[i]).length / a.length
    // Two independent masks agree with probability 0.8² + 0.2².
    const bound = 5 * Math.sqrt((0.68 * 0.32) / (T * C))
    for (const other of [mask(8, 0), mask(7, 1)]) {
      expect(Math.abs(agreement(mask(7, 0), other) - 0.68)).toBeLessThan(bound)
    }
  })

  it("sends gradients through the numbers it kept", () => {
    const y = dropout(ones, integers([7], []), { rate: 0.2, stream: 0 })
    expect(numbers(grad(sum(y), [ones])[0]!)).toEqual(mask(7, 0))
  })

  it("is the identity at rate 0 and refuses rate 1", () => {
    expect(dropout(ones, integers([1], []), { rate: 0, stream: 0 })).toBe(ones)
    expect(() => mask(1, 0, 1)).toThrow("the rate must be at least 0 and below 1, it is 1")
  })
})
