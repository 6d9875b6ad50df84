/**
 * Causal attention. Oracles: the composition of its parts with keys repeated for each group, and the law that a token
 * computed alone against a cache is the same as in the whole sequence.
 */
import { describe, expect, it } from "vitest"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { causalAttention } from "../../../../src/core/tensor/ops/attention.ts"
import { broadcastTo, reshape, sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { add, mul } from "../../../../src/core/tensor/ops/elementwise.ts"
import { writeRows } from "../../../../src/core/tensor/ops/gather.ts"
import { matMul } from "../../../../src/core/tensor/ops/matmul.ts"
import { slice } from "../../../../src/core/tensor/ops/shape.ts"
import { softmax } from "../../../../src/core/tensor/ops/softmax.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, input, integers, type Tensor, zeros } from "../../../../src/core/tensor/Tensor.ts"

const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)
const wave = (shape: ReadonlyArray<number>, speed: number): Tensor => {
  const length = shape.reduce((product, size) => product * size, 1)
  return constant({ dtype: "float32", shape, data: Float64Array.from({ length }, (_, i) => Math.sin(speed * i + 1)) })
}
const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  expect(actual.length).toBe(expected.length)
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 10)
  })
}
const [B, H, K, T, D] = [2, 4, 2, 5, 3]
const [q, k, v] = [wave([B, H, T, D], 2), wave([B, K, T, D], 3), wave([B, K, T, D], 5)]

/** The textbook form: every key head repeated for its group, a mask added, softmax, product. */
const composed = (): Tensor => {
  const repeated = (x: Tensor) => reshape(broadcastTo(reshape(x, [B, K, 1, T, D]), [B, K, H / K, T, D]), [B, H, T, D])
  const future = Float64Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0))
  const mask = constant({ dtype: "float32", shape: [T, T], data: future })
  const scores = matMul(q, repeated(k), { transposeB: true, alpha: 1 / Math.sqrt(D) })
  return matMul(softmax(add(scores, mask)), repeated(v))
}

describe("causalAttention", () => {
  it("equals the composition of its parts, value and gradients, with grouped heads", () => {
    const weights = wave([B, H, T, D], 11)
    const [own, expected] = [causalAttention(q, k, v), composed()]
    close(numbers(own), numbers(expected))
    const gradients = (y: Tensor) => grad(sum(mul(y, weights)), [q, k, v]).map(numbers)
    gradients(own).forEach((gradient, i) => {
      close(gradient, gradients(expected)[i]!)
    })
  })

  it("gives a token the same result from a cache as in the whole sequence", () => {
    const whole = causalAttention(q, k, v)
    const cached = (x: Tensor) => writeRows(zeros([B, K, 8, D]), x, integers([0], []))
    for (let t = 0; t < T; t++) {
      const alone = causalAttention(slice(q, 2, t, t + 1), cached(k), cached(v), { position: integers([t], []) })
      close(numbers(alone), numbers(slice(whole, 2, t, t + 1)))
    }
  })

  it("does not depend on later tokens", () => {
    const changed = writeRows(v, zeros([B, K, 1, D]), integers([T - 1], []))
    const earlier = (y: Tensor) => numbers(slice(y, 2, 0, T - 1))
    expect(earlier(causalAttention(q, k, changed))).toEqual(earlier(causalAttention(q, k, v)))
  })

  it("refuses key heads that do not divide the query heads, and too few keys", () => {
    const three = input("q", "float32", [B, 3, T, D])
    expect(() => causalAttention(three, k, v)).toThrow("2 key heads do not divide 3 query heads")
    const long = input("k", "float32", [B, K, 8, D])
    expect(() => causalAttention(q, long, long)).toThrow("without a position there must be 5 keys, not 8")
    expect(() => causalAttention(q, k, long)).toThrow("input 3 has S = 8 where 5 came before")
  })
})
