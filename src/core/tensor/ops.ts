/**
 * Every operator: the functions under one name (`import { ops } from "codex-ml"`, then `ops.matMul(x, w)`), and the list that
 * the contract suite enumerates.
 *
 * What an operator is (shape rule, gradient, ONNX form, reference) is in the file of its family under ops/. An operator
 * in the list of its family is tested automatically.
 */
import type { AnyOperator } from "./Operator.ts"
import { activationOperators } from "./ops/activation.ts"
import { attentionOperators } from "./ops/attention.ts"
import { broadcastOperators } from "./ops/broadcast.ts"
import { compareOperators } from "./ops/compare.ts"
import { elementwiseOperators } from "./ops/elementwise.ts"
import { gatherOperators } from "./ops/gather.ts"
import { lossOperators } from "./ops/loss.ts"
import { matmulOperators } from "./ops/matmul.ts"
import { normOperators } from "./ops/norm.ts"
import { randomOperators } from "./ops/random.ts"
import { reduceOperators } from "./ops/reduce.ts"
import { rotaryOperators } from "./ops/rotary.ts"
import { shapeOperators } from "./ops/shape.ts"
import { softmaxOperators } from "./ops/softmax.ts"

export { gelu, geluErf, reluSquared, silu } from "./ops/activation.ts"
export { causalAttention } from "./ops/attention.ts"
export { broadcastTo, type ReduceOptions, reshape, sum, sumTo } from "./ops/broadcast.ts"
export { and, cast, equal, less, lessOrEqual, not, where } from "./ops/compare.ts"
export {
  abs,
  add,
  div,
  erf,
  exp,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  sqrt,
  sub,
  tanh
} from "./ops/elementwise.ts"
export { gather, gatherElements, scatterAddRows, writeRows } from "./ops/gather.ts"
export { crossEntropy } from "./ops/loss.ts"
export { gemm, type MatMulOptions, matMul } from "./ops/matmul.ts"
export { layerNorm, rmsNorm } from "./ops/norm.ts"
export { type DropoutOptions, dropout, type RandomOptions, randomBits, uniform } from "./ops/random.ts"
export { max, mean, sumSquares } from "./ops/reduce.ts"
export { type RotaryOptions, rotary } from "./ops/rotary.ts"
export { concat, pad, slice, split, transpose } from "./ops/shape.ts"
export { logSoftmax, softmax } from "./ops/softmax.ts"

/** All operators. */
export const operators: ReadonlyArray<AnyOperator> = [
  ...elementwiseOperators,
  ...activationOperators,
  ...compareOperators,
  ...broadcastOperators,
  ...reduceOperators,
  ...shapeOperators,
  ...randomOperators,
  ...matmulOperators,
  ...gatherOperators,
  ...normOperators,
  ...softmaxOperators,
  ...lossOperators,
  ...rotaryOperators,
  ...attentionOperators
]
