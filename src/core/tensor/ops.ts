/**
 * The operators as functions of tensors, under one name: `import { ops } from "codex-ml"`, then `ops.matMul(x, w)`.
 *
 * What an operator is (shape rule, gradient, ONNX form, reference) stands in its file under src/core/tensor/ops/.
 */
export { gelu, geluErf, reluSquared, silu } from "./ops/activation.ts"
export { causalAttention } from "./ops/attention.ts"
export { broadcastTo, sum, sumTo } from "./ops/broadcast.ts"
export { and, cast, equal, less, lessOrEqual, not, where } from "./ops/compare.ts"
export { dropout } from "./ops/dropout.ts"
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
export { gather, scatterAddRows, takeLast, writeRows } from "./ops/gather.ts"
export { operators } from "./ops/index.ts"
export { crossEntropy } from "./ops/loss.ts"
export { gemm, matMul } from "./ops/matmul.ts"
export { layerNorm, rmsNorm } from "./ops/norm.ts"
export { randomBits, uniform } from "./ops/random.ts"
export { max, mean, sumSquares } from "./ops/reduce.ts"
export { reshape } from "./ops/reshape.ts"
export { rotary } from "./ops/rotary.ts"
export { concat, pad, slice, split, transpose } from "./ops/shape.ts"
export { logSoftmax, softmax } from "./ops/softmax.ts"
