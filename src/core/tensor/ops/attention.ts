/**
 * Causal attention with grouped heads: softmax(q kᵀ / sqrt(D) + mask) v.
 *
 * An operator rather than a composition of others for one reason: the softmax gradient's row sum over all keys,
 * Σ_j p·(dy vᵀ), equals Σ_d dy·y, which is S/D times less work (Dao et al. 2022, appendix B.2,
 * https://arxiv.org/abs/2205.14135). Probabilities are kept for backward; nothing is recomputed. Groups (H = G·K heads over
 * K keys) fold into the row axis, so no key is repeated (Ainslie et al. 2023, https://arxiv.org/abs/2305.13245).
 * Measured against fused forms (B 8, H 6, T 256, D 64, one thread): products, addition of the mask and softmax 7.5 ms;
 * Where instead of the addition 9.1; ONNX Attention (opset 23) 7.1, and 10.3 when it also returns the probabilities.
 */

import type { OnnxEmitter } from "../OnnxGraph.ts"
import { type AnyOperator, applyAll, type Definition, expectInputs, make, type NoAttributes } from "../Operator.ts"
import type { NdArray, Shape, Tensor } from "../Tensor.ts"
import { reshape, sum } from "./broadcast.ts"
import { add, mul, sub } from "./elementwise.ts"
import { emitRange } from "./gather.ts"
import { matMul, matMulOperator } from "./matmul.ts"
import { logSoftmaxRows } from "./softmax.ts"

/** Added to the score of a key in the future: its exp is 0 in float32, and unlike −∞ it cannot lead to NaN. */
const hidden = -1e30

/** Sizes by letter. */
const sizes = ([q, k]: ReadonlyArray<{ readonly shape: Shape }>) => {
  const [B, H, T, D] = [q!.shape[0]!, q!.shape[1]!, q!.shape[2]!, q!.shape[3]!]
  const [K, S] = [k!.shape[1]!, k!.shape[2]!]
  return { B, H, T, D, K, S, folded: (width: number) => [B, K, (H / K) * T, width] }
}

/** 0 where key j ≤ position + i, `hidden` elsewhere: [T, S]. */
const maskOf = (emit: OnnxEmitter, position: string | undefined, T: number, S: number): string => {
  const queries = position === undefined ? emitRange(emit, T) : emit.node("Add", [emitRange(emit, T), position])
  const seen = emit.node("LessOrEqual", [emitRange(emit, S), emit.node("Unsqueeze", [queries, emit.int64([1])])])
  return emit.node("Where", [seen, emit.float(0), emit.float(hidden)])
}

/**
 * p = softmax over keys of q kᵀ / sqrt(D), keys j > position + i hidden;  y = p v
 * q [B, H, T, D], k and v [B, K, S, D], position int32 [] or absent → y [B, H, T, D], p [B, H, T, S]
 * H is a multiple of K; query head h uses key head floor(h / (H/K)). Without a position it is 0 and S = T.
 * dv = pᵀ dy;  ds = p · (dy vᵀ − Σ_d dy·y);  dq = ds k / sqrt(D);  dk = dsᵀ q / sqrt(D), each summed over the group.
 */
export const causalAttentionOperator = make<NoAttributes>({
  name: "causalAttention",
  shape: (inputs, _, broken) => {
    const keys = "float32[B, K, S, D]"
    expectInputs(inputs, ["float32[B, H, T, D]", keys, keys, "int32[]"], broken, 3)
    const { B, D, H, K, S, T } = sizes(inputs)
    if (H % K !== 0) return broken(`${K} key heads do not divide ${H} query heads`)
    if (inputs[3] === undefined && S !== T) return broken(`without a position there must be ${T} keys, not ${S}`)
    if (S < T) return broken(`${T} queries need at least as many keys, there are ${S}`)
    return [
      [B, H, T, D],
      [B, H, T, S]
    ].map((shape) => ({ dtype: "float32", shape }))
  },
  reference: ([q, k, v, position], _, [yType, pType]) => {
    const { D, H, K, S, T } = sizes([q!, k!])
    const first = position === undefined ? 0 : position.data[0]!
    const rows = q!.data.length / D
    const scores = new Float64Array(rows * S)
    const keyHead = (row: number) => {
      const [batch, head] = [Math.floor(row / (H * T)), Math.floor(row / T) % H]
      return batch * K + Math.floor((head * K) / H)
    }
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < S; j++) {
        let score = 0
        for (let d = 0; d < D; d++) score += q!.data[row * D + d]! * k!.data[(keyHead(row) * S + j) * D + d]!
        scores[row * S + j] = j <= first + (row % T) ? score / Math.sqrt(D) : -Infinity
      }
    }
    const p: NdArray = { ...pType!, data: logSoftmaxRows({ ...pType!, data: scores }).map(Math.exp) }
    const y = new Float64Array(rows * D)
    for (let i = 0; i < y.length; i++) {
      const row = Math.floor(i / D)
      for (let j = 0; j < S; j++) {
        y[i] = y[i]! + p.data[row * S + j]! * v!.data[(keyHead(row) * S + j) * D + (i % D)]!
      }
    }
    return [{ ...yType!, data: y }, p]
  },
  gradient: ({ gradients: [dY, dP], inputs, outputs }) => {
    const [q, k, v, y, p] = [inputs[0]!, inputs[1]!, inputs[2]!, outputs[0]!, outputs[1]!]
    const { D, folded, S } = sizes(inputs)
    const foldedP = reshape(p, folded(S))
    const along = { axes: [3], keepDims: true }
    const towards = [
      ...(dY === undefined
        ? []
        : [
            {
              p: reshape(matMul(reshape(dY, folded(D)), v, { transposeB: true }), p.shape),
              row: sum(mul(dY, y), along)
            }
          ]),
      // Models do not use the probabilities, but a complete operator has their gradient too.
      ...(dP === undefined ? [] : [{ p: dP, row: sum(mul(dP, p), along) }])
    ]
    const [dp, row] = [towards.map((part) => part.p).reduce(add), towards.map((part) => part.row).reduce(add)]
    const ds = reshape(mul(p, sub(dp, row)), folded(S))
    const alpha = 1 / Math.sqrt(D)
    return [
      reshape(matMul(ds, k, { alpha }), q.shape),
      matMul(ds, reshape(q, folded(D)), { alpha, transposeA: true }),
      dY === undefined ? undefined : matMul(foldedP, reshape(dY, folded(D)), { transposeA: true }),
      undefined
    ]
  },
  onnx: { default: form("default"), webgpu: form("webgpu"), portable: form("portable") },
  sample: (pick) => {
    const [B, K, G, T, D] = [pick.int(1, 2), pick.int(1, 2), pick.int(1, 3), pick.int(1, 4), pick.int(1, 4)]
    const position = pick.of([undefined, 0, 1, 3])
    const keys = [B, K, position === undefined ? T : position + T + pick.int(0, 2), D]
    const float = (shape: Shape) => ({ dtype: "float32", shape, range: [-2, 2] }) as const
    return {
      inputs: [
        float([B, K * G, T, D]),
        float(keys),
        float(keys),
        ...(position === undefined ? [] : [{ dtype: "int32", shape: [], range: [position, position] } as const])
      ],
      attributes: {}
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [1, 1, 2, 1], data: Float32Array.of(5, 1) },
        { dtype: "float32", shape: [1, 1, 2, 1], data: Float32Array.of(0, Math.log(3)) },
        { dtype: "float32", shape: [1, 1, 2, 1], data: Float32Array.of(8, 4) }
      ],
      attributes: {},
      // The first query sees the first key only; the second sees both with odds 1 : 3.
      outputs: [
        [8, 5],
        [1, 0, 0.25, 0.75]
      ]
    }
  ]
})

/** The same nodes in each dialect, with its form of the products. */
function form(dialect: "default" | "webgpu" | "portable"): Definition<NoAttributes>["onnx"]["default"] {
  const multiply = matMulOperator.onnx[dialect] ?? matMulOperator.onnx.default
  return (emit, [q, k, v, position], _, types) => {
    const { D, folded, H, K, S, T } = sizes(types.inputs)
    const [yType, pType] = [types.outputs[0]!, types.outputs[1]!]
    // With as many key heads as query heads, folded and unfolded shapes are the same.
    const view = (name: string, shape: Shape) => (H === K ? name : emit.node("Reshape", [name, emit.int64(shape)]))
    const float = (shape: Shape) => ({ dtype: "float32", shape }) as const
    const [scores] = multiply(
      emit,
      [view(q!, folded(D)), k!],
      { transposeA: false, transposeB: true, alpha: 1 / Math.sqrt(D) },
      { inputs: [float(folded(D)), types.inputs[1]!], outputs: [float(folded(S))] }
    )
    const masked = emit.node("Add", [view(scores!, pType.shape), maskOf(emit, position, T, S)])
    const p = emit.node("Softmax", [masked], { axis: -1 })
    const [y] = multiply(
      emit,
      [view(p, folded(S)), v!],
      { transposeA: false, transposeB: false, alpha: 1 },
      { inputs: [float(folded(S)), types.inputs[2]!], outputs: [float(folded(D))] }
    )
    return [view(y!, yType.shape), p]
  }
}

/**
 * q [B, H, T, D], k and v [B, K, S, D] → [B, H, T, D]; query i, at position p + i, sees keys j ≤ p + i.
 * `position` is an int32 scalar tensor; without it p = 0 and S = T.
 */
export const causalAttention = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { readonly position?: Tensor } = {}
): Tensor =>
  applyAll(causalAttentionOperator, options.position === undefined ? [q, k, v] : [q, k, v, options.position], {})[0]!

export const attentionOperators: ReadonlyArray<AnyOperator> = [causalAttentionOperator]
