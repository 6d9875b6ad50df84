/** Cross-entropy: closed forms, and equality with its composition from logSoftmax and gatherElements. */
import { describe, expect, it } from "vitest"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { mul, neg } from "../../../../src/core/tensor/ops/elementwise.ts"
import { gatherElements } from "../../../../src/core/tensor/ops/gather.ts"
import { crossEntropy } from "../../../../src/core/tensor/ops/loss.ts"
import { logSoftmax } from "../../../../src/core/tensor/ops/softmax.ts"
import { evaluate } from "../../../../src/core/tensor/Reference.ts"
import { constant, integers, scalar, type Tensor, zeros } from "../../../../src/core/tensor/Tensor.ts"

const numbers = (tensor: Tensor) => Array.from(evaluate([tensor], new Map())[0]!.data)
const logits = constant({
  dtype: "float32",
  shape: [3, 4],
  data: Float64Array.from({ length: 12 }, (_, i) => Math.sin(3 * i))
})

describe("crossEntropy", () => {
  it("is ln V where all tokens are equally likely, and 0 where the target is ignored", () => {
    const nats = numbers(crossEntropy(zeros([2, 5]), integers([3, -100])))
    expect(nats[0]).toBeCloseTo(Math.log(5), 12)
    expect(nats[1]).toBe(0)
  })

  it("sends nothing into ignored rows; every other row's gradient is p − onehot and sums to 0", () => {
    const targets = integers([1, -100, 3])
    const d = numbers(grad(sum(crossEntropy(logits, targets)), [logits])[0]!)
    const p = numbers(logSoftmax(logits)).map(Math.exp)
    for (const [t, target] of [1, undefined, 3].entries()) {
      for (let v = 0; v < 4; v++) {
        const expected = target === undefined ? 0 : p[4 * t + v]! - (v === target ? 1 : 0)
        expect(d[4 * t + v]).toBeCloseTo(expected, 12)
      }
    }
  })

  it("equals the composition of logSoftmax and gatherElements, value and gradient", () => {
    const targets = integers([2, 0, 2])
    const weights = constant({ dtype: "float32", shape: [3], data: Float64Array.of(1, -2, 0.5) })
    const composed = sum(mul(neg(gatherElements(logSoftmax(logits), targets)), weights))
    const fused = sum(mul(crossEntropy(logits, targets), weights))
    expect(numbers(fused)[0]).toBeCloseTo(numbers(composed)[0]!, 12)
    const expected = numbers(grad(composed, [logits])[0]!)
    numbers(grad(fused, [logits])[0]!).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12)
    })
  })

  it("can ignore another index", () => {
    expect(numbers(mul(crossEntropy(logits, integers([0, 0, 0]), { ignoreIndex: 0 }), scalar(1)))).toEqual([0, 0, 0])
  })

  it("refuses a target outside of the vocabulary", () => {
    expect(() => numbers(crossEntropy(logits, integers([0, 4, 0])))).toThrow("target 4 is outside 0 … 3")
  })
})
