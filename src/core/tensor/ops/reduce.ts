/**
 * Reductions over axes: sum, mean, max, sum of squares.
 *
 * Operators keep reduced axes with size 1, so that results and gradients broadcast back; dropping them afterwards is
 * a reshape and costs nothing. `sum` is in broadcast.ts, next to its gradient.
 */
import { type AnyOperator, apply, make, type NoAttributes } from "../Operator.ts"
import { scalar, sizeOf, type Tensor } from "../Tensor.ts"
import { empty, offsets, reducedStrides } from "../TensorData.ts"
import {
  broadcastTo,
  type ReduceAttributes,
  type ReduceOptions,
  reducedShape,
  reduceWith,
  sampleReduction,
  sum
} from "./broadcast.ts"
import { cast, equal } from "./compare.ts"
import { div, mul } from "./elementwise.ts"

const countOf = (x: { readonly shape: ReadonlyArray<number> }, axes: ReadonlyArray<number>) =>
  sizeOf(axes.map((axis) => x.shape[axis]!))

const meanOperator = make<ReduceAttributes>({
  name: "mean",
  shape: ([x], { axes }, broken) => {
    if (x!.dtype !== "float32") broken("takes float32: cast it first")
    if (countOf(x!, axes) === 0) broken("has no elements to take the mean of")
    return [{ dtype: "float32", shape: reducedShape(x!.shape, axes) }]
  },
  reference: ([x], { axes }, [type]) => {
    const y = empty("float32", type!.shape)
    const to = offsets(x!.shape, reducedStrides(x!.shape, axes))
    for (let i = 0; i < x!.data.length; i++) y.data[to[i]!] = y.data[to[i]!]! + x!.data[i]! / countOf(x!, axes)
    return [y]
  },
  // Scaled before it is repeated: the smaller tensor.
  gradient: ({ attributes: { axes }, gradients: [dy], inputs: [x] }) => [
    dy === undefined ? undefined : broadcastTo(mul(dy, scalar(1 / countOf(x!, axes))), x!.shape)
  ],
  onnx: {
    default: (emit, [x], { axes }, { inputs }) => [
      inputs[0]!.shape.length === 0 ? x! : emit.node("ReduceMean", [x!, emit.int64(axes)], { keepdims: 1 })
    ]
  },
  sample: sampleReduction,
  points: [
    {
      inputs: [{ dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 6) }],
      attributes: { axes: [0] },
      outputs: [[2, 4]]
    }
  ]
})

const maxOperator = make<ReduceAttributes>({
  name: "max",
  shape: ([x], { axes }, broken) => {
    if (x!.dtype === "bool") broken("takes float32 or int32: cast it first")
    if (countOf(x!, axes) === 0) broken("has no elements to take the largest of")
    return [{ dtype: x!.dtype, shape: reducedShape(x!.shape, axes) }]
  },
  reference: ([x], { axes }, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    y.data.fill(type!.dtype === "int32" ? -2_147_483_648 : Number.NEGATIVE_INFINITY)
    const to = offsets(x!.shape, reducedStrides(x!.shape, axes))
    for (let i = 0; i < x!.data.length; i++) y.data[to[i]!] = Math.max(y.data[to[i]!]!, x!.data[i]!)
    return [y]
  },
  gradient: ({ attributes: { axes }, gradients: [dy], inputs: [x], outputs: [y] }) => {
    if (dy === undefined || x!.dtype !== "float32") return []
    const largest = cast(equal(x!, y!), "float32")
    return [mul(largest, div(dy, sum(largest, { axes, keepDims: true })))]
  },
  onnx: {
    default: (emit, [x], { axes }, { inputs }) => [
      inputs[0]!.shape.length === 0 ? x! : emit.node("ReduceMax", [x!, emit.int64(axes)], { keepdims: 1 })
    ]
  },
  sample: sampleReduction,
  points: [
    {
      inputs: [{ dtype: "float32", shape: [2, 2], data: Float32Array.of(-1, -2, 3, 6) }],
      attributes: { axes: [1] },
      outputs: [[-1, 6]]
    },
    {
      inputs: [{ dtype: "int32", shape: [2, 2], data: Int32Array.of(-1, -2, 3, 6) }],
      attributes: { axes: [0] },
      outputs: [[3, 6]]
    }
  ]
})

/** Into how many equal rows a sum of this many numbers is cut; 1 if it is short, or has no divisor that fits. */
const rowsOf = (size: number): number => {
  if (size <= 2 ** 14) return 1
  let rows = 2048
  while (size % rows !== 0) rows--
  return rows
}

const sumSquaresOperator = make<NoAttributes>({
  name: "sumSquares",
  shape: ([x], _, broken) => {
    if (x!.dtype !== "float32") broken("takes float32: cast it first")
    return [{ dtype: "float32", shape: [] }]
  },
  reference: ([x]) => {
    let total = 0
    for (const value of x!.data) total += value * value
    return [{ dtype: "float32", shape: [], data: Float64Array.of(total) }]
  },
  gradient: ({ gradients: [dy], inputs: [x] }) => [dy === undefined ? undefined : mul(x!, mul(dy, scalar(2)))],
  onnx: {
    default: (emit, [x], _, { inputs }) => [
      inputs[0]!.shape.length === 0 ? emit.node("Mul", [x!, x!]) : emit.node("ReduceSumSquare", [x!], { keepdims: 0 })
    ],
    // One workgroup computes one number, so a single sum of many numbers would keep the rest of the device waiting.
    webgpu: (emit, [x], _, { inputs }) => {
      const { shape } = inputs[0]!
      if (shape.length === 0) return [emit.node("Mul", [x!, x!])]
      const rows = rowsOf(sizeOf(shape))
      if (rows === 1) return [emit.node("ReduceSumSquare", [x!], { keepdims: 0 })]
      const matrix = emit.node("Reshape", [x!, emit.int64([rows, sizeOf(shape) / rows])])
      const partial = emit.node("ReduceSumSquare", [matrix, emit.int64([1])], { keepdims: 0 })
      return [emit.node("ReduceSum", [partial], { keepdims: 0 })]
    }
  },
  sample: (pick) => ({
    inputs: [{ dtype: "float32", shape: pick.of([[], [pick.int(1, 9)], [pick.int(1, 4), pick.int(1, 4)]]) }],
    attributes: {}
  }),
  points: [
    {
      inputs: [{ dtype: "float32", shape: [2], data: Float32Array.of(3, -4) }],
      attributes: {},
      outputs: [[25]]
    },
    {
      inputs: [{ dtype: "float32", shape: [129, 257], data: new Float32Array(129 * 257).fill(2) }],
      attributes: {},
      outputs: [[4 * 129 * 257]]
    }
  ]
})

/** Mean of x over `axes` (all by default). float32. Raises `ShapeError`. */
export const mean = (x: Tensor, options?: ReduceOptions): Tensor =>
  options?.axes?.length === 0 ? x : reduceWith(meanOperator, x, options)

/** Largest of x over `axes` (all by default). float32 or int32. Elements that are equally large share the gradient. Raises `ShapeError`. */
export const max = (x: Tensor, options?: ReduceOptions): Tensor =>
  options?.axes?.length === 0 ? x : reduceWith(maxOperator, x, options)

/** Σ x² over all elements, in one pass: a float32 scalar. Raises `ShapeError`. */
export const sumSquares = (x: Tensor): Tensor => apply(sumSquaresOperator, [x], {})

export const reduceOperators: ReadonlyArray<AnyOperator> = [meanOperator, maxOperator, sumSquaresOperator]
