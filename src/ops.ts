/**
 * The operators as functions of tensors, under one name: `import { ops } from "codex-ml"`, then `ops.matMul(x, w)`.
 *
 * What an operator is (shape rule, gradient, ONNX form, reference) stands in its file under src/core/tensor/ops/.
 */
export { gelu, geluErf, reluSquared, silu } from "./core/tensor/ops/activation.ts"
export { causalAttention } from "./core/tensor/ops/attention.ts"
export { broadcastTo, sum, sumTo } from "./core/tensor/ops/broadcast.ts"
export { and, cast, equal, less, lessOrEqual, not, where } from "./core/tensor/ops/compare.ts"
export { dropout } from "./core/tensor/ops/dropout.ts"
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
} from "./core/tensor/ops/elementwise.ts"
export { gather, scatterAddRows, takeLast, writeRows } from "./core/tensor/ops/gather.ts"
export { operators } from "./core/tensor/ops/index.ts"
export { crossEntropy } from "./core/tensor/ops/loss.ts"
export { gemm, matMul } from "./core/tensor/ops/matmul.ts"
export { layerNorm, rmsNorm } from "./core/tensor/ops/norm.ts"
export { randomBits, uniform } from "./core/tensor/ops/random.ts"
export { max, mean, sumSquares } from "./core/tensor/ops/reduce.ts"
export { reshape } from "./core/tensor/ops/reshape.ts"
export { rotary } from "./core/tensor/ops/rotary.ts"
export { concat, pad, slice, split, transpose } from "./core/tensor/ops/shape.ts"
export { logSoftmax, softmax } from "./core/tensor/ops/softmax.ts"
