/**
 * Cross-entropy of a language model: −ln p(target), one number per token.
 *
 * [T, V] is by far the largest activation of a small model, so passes over it are what counts: forward is LogSoftmax and
 * a look-up; backward is exp, one multiplication by the row's gradient, and T single numbers changed in place. Written
 * out from logSoftmax and gatherElements, backward would take five passes.
 */

import type { OnnxEmitter } from "../OnnxGraph.ts"
import {
  type AnyOperator,
  type Attributes,
  apply,
  applyAll,
  expectInputs,
  make,
  nonDifferentiable
} from "../Operator.ts"
import { sizeOf, type Tensor } from "../Tensor.ts"
import { sum } from "./broadcast.ts"
import { add, exp, mul, sub } from "./elementwise.ts"
import { logSoftmaxFromPrimitives, logSoftmaxRows } from "./softmax.ts"

interface LossAttributes extends Attributes {
  /** A target that is not scored. */
  readonly ignoreIndex: number
}

const sampleIgnored = -1

/** `value` where the target is scored, else `otherwise`; both [T]. */
const whereScored = (
  emit: OnnxEmitter,
  targets: string,
  { ignoreIndex }: LossAttributes,
  value: string,
  otherwise: string
): string => {
  const ignored = emit.constant({ dtype: "int32", shape: [], data: Int32Array.of(ignoreIndex) })
  return emit.node("Where", [emit.node("Equal", [targets, ignored]), otherwise, value])
}

/** The targets as a column [T, 1], with 0 for those that are not scored. */
const lookUpColumn = (emit: OnnxEmitter, targets: string, attributes: LossAttributes): string => {
  const zero = emit.constant({ dtype: "int32", shape: [], data: Int32Array.of(0) })
  return emit.node("Unsqueeze", [whereScored(emit, targets, attributes, targets, zero), emit.int64([1])])
}

const forward = (emit: OnnxEmitter, logp: string, targets: string, attributes: LossAttributes): string => {
  const column = lookUpColumn(emit, targets, attributes)
  const found = emit.node("Squeeze", [emit.node("GatherElements", [logp, column], { axis: 1 }), emit.int64([1])])
  return whereScored(emit, targets, attributes, emit.node("Neg", [found]), emit.float(0))
}

/**
 * nats[t] = −logp[t, target[t]], 0 where target[t] = ignoreIndex;  logp = logSoftmax(logits)
 * logits [T, V], targets int32 [T] → nats [T], logp [T, V]
 * dlogits = g[t] · (exp(logp) − onehot(target)), 0 in rows that are not scored. Backward keeps logp.
 */
export const crossEntropyOperator = make<LossAttributes>({
  name: "crossEntropy",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[T, V]", "int32[T]"], broken)
    return [inputs[1]!.shape, inputs[0]!.shape].map((shape) => ({ dtype: "float32", shape }))
  },
  reference: ([logits, targets], { ignoreIndex }, types) => {
    const V = logits!.shape[1]!
    const logp = logSoftmaxRows(logits!)
    const nats = Float64Array.from(targets!.data, (target: number, t) => {
      if (target === ignoreIndex) return 0
      if (target < 0 || target >= V) throw new RangeError(`target ${target} is outside 0 … ${V - 1}`)
      return -logp[t * V + target]!
    })
    return [nats, logp].map((data, i) => ({ ...types[i]!, data }))
  },
  gradient: ({ attributes, gradients: [g, dLogp], inputs, outputs }) => {
    const [targets, logp] = [inputs[1]!, outputs[1]!]
    const scored = g === undefined ? undefined : apply(crossEntropyGradientOperator, [logp, targets, g], attributes)
    if (dLogp === undefined) return [scored, undefined]
    const direct = sub(dLogp, mul(exp(logp), sum(dLogp, { axes: [1], keepDims: true })))
    return [scored === undefined ? direct : add(scored, direct), undefined]
  },
  onnx: {
    default: (emit, [logits, targets], attributes) => {
      const logp = emit.node("LogSoftmax", [logits!], { axis: -1 })
      return [forward(emit, logp, targets!, attributes), logp]
    },
    webgpu: (emit, [logits, targets], attributes) => {
      const logp = logSoftmaxFromPrimitives(emit, logits!)
      return [forward(emit, logp, targets!, attributes), logp]
    }
  },
  sample: (pick) => {
    const [T, V] = [pick.int(1, 4), pick.int(1, 5)]
    return {
      inputs: [
        { dtype: "float32", shape: [T, V], range: [-4, 4] },
        { dtype: "int32", shape: [T], range: [sampleIgnored, V - 1] }
      ],
      attributes: { ignoreIndex: sampleIgnored }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [2, 2], data: Float32Array.of(0, Math.log(3), 1000, 1000) },
        { dtype: "int32", shape: [2], data: Int32Array.of(1, -100) }
      ],
      attributes: { ignoreIndex: -100 },
      outputs: [
        [-Math.log(0.75), 0],
        [Math.log(0.25), Math.log(0.75), -Math.LN2, -Math.LN2]
      ]
    }
  ]
})

/** g[t] · (exp(logp) − onehot(target)), 0 in rows that are not scored         logp [T, V], targets [T], g [T] → [T, V] */
export const crossEntropyGradientOperator = make<LossAttributes>({
  name: "crossEntropyGradient",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[T, V]", "int32[T]", "float32[T]"], broken)
    return [{ dtype: "float32", shape: inputs[0]!.shape }]
  },
  reference: ([logp, targets, g], { ignoreIndex }, [type]) => {
    const V = logp!.shape[1]!
    const data = new Float64Array(sizeOf(type!.shape))
    for (let i = 0; i < data.length; i++) {
      const t = Math.floor(i / V)
      const target = targets!.data[t]!
      if (target !== ignoreIndex) data[i] = g!.data[t]! * (Math.exp(logp!.data[i]!) - (i % V === target ? 1 : 0))
    }
    return [{ ...type!, data }]
  },
  gradient: nonDifferentiable(
    "second derivatives of the loss are not derived; logSoftmax and gatherElements have them"
  ),
  onnx: {
    default: (emit, [logp, targets, g], attributes) => {
      const rows = emit.node("Unsqueeze", [whereScored(emit, targets!, attributes, g!, emit.float(0)), emit.int64([1])])
      const scaled = emit.node("Mul", [emit.node("Exp", [logp!]), rows])
      const column = lookUpColumn(emit, targets!, attributes)
      // One target per row, so no two updates are of the same element.
      const updates = [scaled, column, emit.node("Neg", [rows])]
      return [emit.node("ScatterElements", updates, { axis: 1, reduction: "add" })]
    }
  },
  sample: (pick) => {
    const [T, V] = [pick.int(1, 4), pick.int(1, 5)]
    return {
      inputs: [
        { dtype: "float32", shape: [T, V], range: [-6, 0] },
        { dtype: "int32", shape: [T], range: [sampleIgnored, V - 1] },
        { dtype: "float32", shape: [T], range: [-2, 2] }
      ],
      attributes: { ignoreIndex: sampleIgnored }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [2, 2], data: Float32Array.of(Math.log(0.25), Math.log(0.75), -1, -2) },
        { dtype: "int32", shape: [2], data: Int32Array.of(1, -100) },
        { dtype: "float32", shape: [2], data: Float32Array.of(2, 3) }
      ],
      attributes: { ignoreIndex: -100 },
      outputs: [[0.5, -0.5, 0, 0]]
    }
  ]
})

/** −ln p(target) in nats: logits [T, V], targets int32 [T] → [T]; 0 where the target is `ignoreIndex` (−100, as in PyTorch). */
export const crossEntropy = (
  logits: Tensor,
  targets: Tensor,
  options: { readonly ignoreIndex?: number } = {}
): Tensor => applyAll(crossEntropyOperator, [logits, targets], { ignoreIndex: options.ignoreIndex ?? -100 })[0]!

export const lossOperators: ReadonlyArray<AnyOperator> = [crossEntropyOperator, crossEntropyGradientOperator]
