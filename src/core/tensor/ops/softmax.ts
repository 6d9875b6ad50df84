/**
 * Softmax and its logarithm over the last axis.
 *
 * Both subtract the row's largest number first, so large inputs do not overflow. A row that has only −∞ is outside of the domain.
 * Sources: ONNX Softmax and LogSoftmax.
 */

import type { OnnxEmitter } from "../OnnxGraph.ts"
import { type AnyOperator, apply, type Definition, expectInputs, make, type NoAttributes } from "../Operator.ts"
import type { NdArray, Tensor } from "../Tensor.ts"
import { sum } from "./broadcast.ts"
import { exp, mul, sub } from "./elementwise.ts"

/** log softmax of each row of `width` numbers. */
export const logSoftmaxRows = (x: NdArray): Float64Array => {
  const width = x.shape[x.shape.length - 1]!
  const out = new Float64Array(x.data.length)
  for (let row = 0; row < out.length; row += width) {
    let largest = -Infinity
    for (let i = row; i < row + width; i++) largest = Math.max(largest, x.data[i]!)
    let total = 0
    for (let i = row; i < row + width; i++) total += Math.exp(x.data[i]! - largest)
    for (let i = row; i < row + width; i++) out[i] = x.data[i]! - largest - Math.log(total)
  }
  return out
}

const sampleRows: Definition<NoAttributes>["sample"] = (pick) => ({
  inputs: [{ dtype: "float32", shape: [...pick.of([[], [1], [3], [2, 2]]), pick.int(1, 5)], range: [-4, 4] }],
  attributes: {}
})

const lastAxis = (x: Tensor) => ({ axes: [x.shape.length - 1], keepDims: true })

/**
 * y = exp(x) / Σ exp(x) over the last axis         x [..., C] → y [..., C]
 * dx = y · (g − Σ g·y). Backward keeps y only.                                softmax([0, ln 3]) = [0.25, 0.75]
 */
export const softmaxOperator = make<NoAttributes>({
  name: "softmax",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[..., C]"], broken)
    return [{ dtype: "float32", shape: inputs[0]!.shape }]
  },
  reference: ([x]) => [{ ...x!, data: logSoftmaxRows(x!).map(Math.exp) }],
  gradient: ({ gradients, outputs }) => {
    const [y, g] = [outputs[0]!, gradients[0]!]
    return [mul(y, sub(g, sum(mul(g, y), lastAxis(y))))]
  },
  onnx: { default: (emit, inputs) => [emit.node("Softmax", inputs, { axis: -1 })] },
  sample: sampleRows,
  points: [
    {
      inputs: [{ dtype: "float32", shape: [2, 2], data: Float32Array.of(0, Math.log(3), 1000, 1000) }],
      attributes: {},
      outputs: [[0.25, 0.75, 0.5, 0.5]]
    }
  ]
})

/** LogSoftmax from primitives: the fused node has no WebGPU kernel. */
export const logSoftmaxFromPrimitives = (emit: OnnxEmitter, x: string): string => {
  const axis = emit.int64([-1])
  const shifted = emit.node("Sub", [x, emit.node("ReduceMax", [x, axis], { keepdims: 1 })])
  const total = emit.node("ReduceSum", [emit.node("Exp", [shifted]), axis], { keepdims: 1 })
  return emit.node("Sub", [shifted, emit.node("Log", [total])])
}

/**
 * y = x − ln Σ exp(x) over the last axis         x [..., C] → y [..., C]
 * dx = g − exp(y) · Σ g. Backward keeps y only.                            logSoftmax([0, ln 3]) = [ln 0.25, ln 0.75]
 */
export const logSoftmaxOperator = make<NoAttributes>({
  name: "logSoftmax",
  shape: softmaxOperator.shape,
  reference: ([x]) => [{ ...x!, data: logSoftmaxRows(x!) }],
  gradient: ({ gradients, outputs }) => {
    const [y, g] = [outputs[0]!, gradients[0]!]
    return [sub(g, mul(exp(y), sum(g, lastAxis(y))))]
  },
  onnx: {
    default: (emit, inputs) => [emit.node("LogSoftmax", inputs, { axis: -1 })],
    webgpu: (emit, [x]) => [logSoftmaxFromPrimitives(emit, x!)]
  },
  sample: sampleRows,
  points: [
    {
      inputs: [{ dtype: "float32", shape: [3, 2], data: Float32Array.of(0, Math.log(3), 1000, 1000, -1000, 0) }],
      attributes: {},
      outputs: [[Math.log(0.25), Math.log(0.75), -Math.LN2, -Math.LN2, -1000, 0]]
    }
  ]
})

/** exp(x) / Σ exp(x) over the last axis. x [..., C] → [..., C]. float32. Raises `ShapeError`. */
export const softmax = (x: Tensor): Tensor => apply(softmaxOperator, [x], {})

/** x − ln Σ exp(x) over the last axis. x [..., C] → [..., C]. float32. Raises `ShapeError`. */
export const logSoftmax = (x: Tensor): Tensor => apply(logSoftmaxOperator, [x], {})

export const softmaxOperators: ReadonlyArray<AnyOperator> = [softmaxOperator, logSoftmaxOperator]
