/**
 * Layer norm and RMS norm over the channels of [T, C].
 *
 * Forward is one fused node, whose further outputs are the row statistics that backward needs. Backward is written from
 * element-wise operators: recomputing the normalised input from the statistics (two passes) was measured faster than a
 * second fused node (1024 × 192: 0.10 against 0.14 ms), and row sums weighted by the gain are a matrix-vector product.
 * Epsilon is inside the root, as in PyTorch. Sources: Ba et al. 2016, https://arxiv.org/abs/1607.06450; Zhang & Sennrich
 * 2019, https://arxiv.org/abs/1910.07467; ONNX LayerNormalization; ONNX Runtime's SimplifiedLayerNormalization.
 */
import { type AnyOperator, type Attributes, applyAll, expectInputs, make } from "../Operator.ts"
import { type NdArray, scalar, type Tensor } from "../Tensor.ts"
import { broadcastTo, reshape, sum } from "./broadcast.ts"
import { add, mul, sub } from "./elementwise.ts"
import { gemm } from "./matmul.ts"
import { mean as meanOf } from "./reduce.ts"

interface NormAttributes extends Attributes {
  readonly epsilon: number
}

/** Mean over each row of f(x[t, c]). */
const rowMeans = (x: NdArray, f: (value: number, row: number) => number): Float64Array => {
  const [T, C] = [x.shape[0]!, x.shape[1]!]
  const means = new Float64Array(T)
  for (let i = 0; i < x.data.length; i++) {
    const row = Math.floor(i / C)
    means[row] = means[row]! + f(x.data[i]!, row) / C
  }
  return means
}

/** Σ over the channels of x · gain / C: [T, 1]. */
const weightedRowMeans = (x: Tensor, gain: Tensor): Tensor => {
  const width = x.shape[1]!
  return gemm(x, reshape(gain, [width, 1]), undefined, { alpha: 1 / width })
}

const overRows = { axes: [0] }

/**
 * y = (x − mean) · r · gain + bias,  r = 1 / sqrt(mean((x − mean)²) + eps)
 * x [T, C], gain [C], bias [C] or absent → y [T, C], mean [T, 1], r [T, 1]
 * With n = (x − mean) · r and h = g · gain: dx = r · (h − mean(h) − n · mean(h·n)), dgain = Σ_T g·n, dbias = Σ_T g.
 */
export const layerNormOperator = make<NormAttributes>({
  name: "layerNorm",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[T, C]", "float32[C]", "float32[C]"], broken, 2)
    const [T, C] = [inputs[0]!.shape[0]!, inputs[0]!.shape[1]!]
    return [
      [T, C],
      [T, 1],
      [T, 1]
    ].map((shape) => ({ dtype: "float32", shape }))
  },
  reference: ([x, gain, bias], { epsilon }, types) => {
    const C = x!.shape[1]!
    const mean = rowMeans(x!, (value) => value)
    const r = rowMeans(x!, (value, row) => (value - mean[row]!) ** 2).map((v) => 1 / Math.sqrt(v + epsilon))
    const y = Float64Array.from(x!.data, (value: number, i) => {
      const row = Math.floor(i / C)
      return (value - mean[row]!) * r[row]! * gain!.data[i % C]! + (bias === undefined ? 0 : bias.data[i % C]!)
    })
    return [y, mean, r].map((data, i) => ({ ...types[i]!, data }))
  },
  gradient: ({ gradients: [g, dMean, dR], inputs, outputs }) => {
    const [x, gain, bias, mean, r] = [inputs[0]!, inputs[1]!, inputs[2], outputs[1]!, outputs[2]!]
    const n = mul(sub(x, mean), r)
    const parts: Array<Tensor> = []
    let towards: ReadonlyArray<Tensor | undefined> = [undefined, undefined]
    if (g !== undefined) {
      const gn = mul(g, n)
      const h = mul(g, gain)
      const centred = sub(sub(h, mul(n, weightedRowMeans(gn, gain))), meanOf(h, { axes: [1], keepDims: true }))
      parts.push(mul(centred, r))
      towards = [sum(gn, overRows), bias === undefined ? undefined : sum(g, overRows)]
    }
    // Models do not use the statistics, but a complete operator has their gradients too.
    const width = x.shape[1]!
    if (dMean !== undefined) parts.push(broadcastTo(mul(dMean, scalar(1 / width)), x.shape))
    if (dR !== undefined) parts.push(mul(n, mul(mul(dR, mul(r, r)), scalar(-1 / width))))
    return [total(parts), ...towards]
  },
  onnx: {
    default: (emit, inputs, { epsilon }) =>
      emit.nodes(3, "LayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } })
  },
  sample: (pick) => {
    const [T, C] = [pick.int(1, 4), pick.int(2, 6)]
    return {
      inputs: [
        { dtype: "float32", shape: [T, C], range: [-2, 2] },
        ...Array.from({ length: pick.int(1, 2) }, () => ({ dtype: "float32", shape: [C], range: [-2, 2] }) as const)
      ],
      // Large enough that rows of nearly equal numbers keep moderate derivatives.
      attributes: { epsilon: pick.of([0.1, 0.5]) }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 5) },
        { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) },
        { dtype: "float32", shape: [2], data: Float32Array.of(0, 10) }
      ],
      attributes: { epsilon: 0 },
      // mean 3, variance 4: normalised −1 and 1
      outputs: [[-1, 12], [3], [0.5]]
    }
  ]
})

const total = (parts: ReadonlyArray<Tensor>): Tensor | undefined =>
  parts.reduce<Tensor | undefined>((sumSoFar, part) => (sumSoFar === undefined ? part : add(sumSoFar, part)), undefined)

/** Layer norm: x [T, C], gain [C], bias [C] or absent → [T, C]. Raises `ShapeError`. */
export const layerNorm = (x: Tensor, gain: Tensor, bias: Tensor | undefined, epsilon: number): Tensor =>
  applyAll(layerNormOperator, bias === undefined ? [x, gain] : [x, gain, bias], { epsilon })[0]!

/**
 * y = x · r · gain,  r = 1 / sqrt(mean(x²) + eps)         x [T, C], gain [C] → y [T, C], r [T, 1]
 * With n = x · r: dx = r · (g·gain − n · mean(g·gain·n)), dgain = Σ_T g·n.
 * rmsNorm([[3, 4]], gain 1, eps 0) = [[0.8485, 1.1314]]
 */
export const rmsNormOperator = make<NormAttributes>({
  name: "rmsNorm",
  shape: (inputs, _, broken) => {
    expectInputs(inputs, ["float32[T, C]", "float32[C]"], broken)
    const [T, C] = [inputs[0]!.shape[0]!, inputs[0]!.shape[1]!]
    return [
      [T, C],
      [T, 1]
    ].map((shape) => ({ dtype: "float32", shape }))
  },
  reference: ([x, gain], { epsilon }, types) => {
    const C = x!.shape[1]!
    const r = rowMeans(x!, (value) => value * value).map((square) => 1 / Math.sqrt(square + epsilon))
    const y = Float64Array.from(x!.data, (value: number, i) => value * r[Math.floor(i / C)]! * gain!.data[i % C]!)
    return [y, r].map((data, i) => ({ ...types[i]!, data }))
  },
  gradient: ({ gradients: [g, dR], inputs, outputs }) => {
    const [x, gain, r] = [inputs[0]!, inputs[1]!, outputs[1]!]
    const n = mul(x, r)
    const parts: Array<Tensor> = []
    let dGain: Tensor | undefined
    if (g !== undefined) {
      const gn = mul(g, n)
      parts.push(mul(sub(mul(g, gain), mul(n, weightedRowMeans(gn, gain))), r))
      dGain = sum(gn, overRows)
    }
    if (dR !== undefined) parts.push(mul(n, mul(mul(dR, mul(r, r)), scalar(-1 / x.shape[1]!))))
    return [total(parts), dGain]
  },
  onnx: {
    default: (emit, inputs, { epsilon }) =>
      emit.nodes(2, "SimplifiedLayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } }),
    // The fused node's second output is the mean on WebGPU (1.30), not 1/sqrt(…): wrong gradients without an error.
    webgpu: (emit, [x, gain], { epsilon }) => {
      const square = emit.node("ReduceMean", [emit.node("Mul", [x!, x!]), emit.int64([-1])], { keepdims: 1 })
      const root = emit.node("Sqrt", [emit.node("Add", [square, emit.float(epsilon)])])
      const r = emit.node("Div", [emit.float(1), root])
      return [emit.node("Mul", [emit.node("Mul", [x!, r]), gain!]), r]
    }
  },
  sample: (pick) => {
    const [T, C] = [pick.int(1, 4), pick.int(1, 6)]
    return {
      inputs: [
        { dtype: "float32", shape: [T, C], range: [-2, 2] },
        { dtype: "float32", shape: [C], range: [-2, 2] }
      ],
      attributes: { epsilon: pick.of([0.1, 0.5]) }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 7) },
        { dtype: "float32", shape: [2], data: Float32Array.of(1, 10) }
      ],
      attributes: { epsilon: 0 },
      // mean of squares 25
      outputs: [[0.2, 14], [0.2]]
    }
  ]
})

/** RMS norm: x [T, C], gain [C] → [T, C]. Raises `ShapeError`. */
export const rmsNorm = (x: Tensor, gain: Tensor, epsilon: number): Tensor =>
  applyAll(rmsNormOperator, [x, gain], { epsilon })[0]!

export const normOperators: ReadonlyArray<AnyOperator> = [layerNormOperator, rmsNormOperator]
