/**
 * Reshaping, repeating along axes, and summing along them: every other family's gradient needs these.
 *
 * A reshape costs nothing: the numbers and their order stay, only the sizes change, and no provider copies. Repeating and
 * summing are each other's gradient. The other reductions are in reduce.ts.
 */
import { type AnyOperator, apply, type Definition, make, type Operator } from "../Operator.ts"
import { type DType, type Shape, ShapeError, sameShape, show, sizeOf, type Tensor } from "../Tensor.ts"
import { axisOf, broadcastShapes, broadcastStrides, empty, offsets, reducedStrides } from "../TensorData.ts"

/** The shape of the result. */
type ShapeAttributes = { readonly shape: Shape }

const reshapeOperator = make<ShapeAttributes>({
  name: "reshape",
  shape: ([x], { shape }, broken) => {
    if (shape.some((size) => !Number.isInteger(size) || size < 0)) {
      broken(`${sizeOf(x!.shape)} elements do not fill [${shape.join(", ")}]: no size fits in the place of -1`)
    }
    if (sizeOf(x!.shape) !== sizeOf(shape)) {
      broken(`${sizeOf(x!.shape)} elements do not fill [${shape.join(", ")}], which has ${sizeOf(shape)}`)
    }
    return [{ dtype: x!.dtype, shape }]
  },
  reference: ([x], { shape }) => [{ dtype: x!.dtype, shape, data: x!.data }],
  gradient: ({ gradients, inputs }) => [
    gradients[0] === undefined ? undefined : reshape(gradients[0], inputs[0]!.shape)
  ],
  onnx: {
    // ONNX reads a size of 0 as "copy from the input" unless `allowzero` is set.
    default: (emit, [x], { shape }) => [
      emit.node("Reshape", [x!, emit.int64(shape)], shape.includes(0) ? { allowzero: 1 } : {})
    ]
  },
  sample: (pick) => {
    const sizes = [pick.int(1, 3), pick.int(1, 3), pick.int(1, 3)] as const
    return {
      inputs: [{ dtype: pick.of<DType>(["float32", "int32"]), shape: sizes }],
      attributes: { shape: pick.of([[sizes[0] * sizes[1], sizes[2]], [sizes[2], sizes[0], sizes[1]], [sizeOf(sizes)]]) }
    }
  },
  points: [
    {
      inputs: [{ dtype: "int32", shape: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) }],
      attributes: { shape: [3, 2] },
      outputs: [[1, 2, 3, 4, 5, 6]]
    },
    {
      inputs: [{ dtype: "float32", shape: [], data: Float32Array.of(7) }],
      attributes: { shape: [1, 1] },
      outputs: [[7]]
    }
  ]
})

/**
 * x with another shape of as many elements. One size may be −1: it is computed from the others. Raises `ShapeError`.
 *
 * @example reshape(x, [-1, channels]) // [B, T, C] → [B·T, C]
 */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  const rest = sizeOf(x.shape) / sizeOf(shape.filter((size) => size !== -1))
  const one = shape.filter((size) => size === -1).length === 1 && Number.isInteger(rest)
  const filled = one ? shape.map((size) => (size === -1 ? rest : size)) : shape
  return sameShape(filled, x.shape) ? x : apply(reshapeOperator, [x], { shape: filled })
}

/** Options of a reduction. */
export interface ReduceOptions {
  /** Axes to reduce, from the end where negative; all of them by default. */
  readonly axes?: ReadonlyArray<number>
  /** Whether reduced axes stay with size 1; false by default. */
  readonly keepDims?: boolean
}

/** Attributes of a reduction: axes counted from the front, in order. The operators keep reduced axes with size 1. */
export type ReduceAttributes = { readonly axes: ReadonlyArray<number> }

/** The shape of the result, with size 1 along the reduced axes. */
export const reducedShape = (shape: Shape, axes: ReadonlyArray<number>): Shape =>
  shape.map((size, axis) => (axes.includes(axis) ? 1 : size))

/** Applies a reduction that keeps its axes, then drops them unless `keepDims` is set: a reshape costs nothing. */
export const reduceWith = (operator: Operator<ReduceAttributes>, x: Tensor, options: ReduceOptions = {}): Tensor => {
  const rank = x.shape.length
  const axes = (options.axes ?? x.shape.map((_, axis) => axis)).map((axis) => {
    const found = axisOf(axis, rank)
    if (found === undefined) {
      throw new ShapeError({ operator: operator.name, inputs: [show(x)], rule: `there is no axis ${axis}` })
    }
    return found
  })
  const sorted = [...new Set(axes)].sort((a, b) => a - b)
  const kept = apply(operator, [x], { axes: sorted })
  return options.keepDims === true
    ? kept
    : reshape(
        kept,
        x.shape.filter((_, axis) => !sorted.includes(axis))
      )
}

/** A tensor to reduce, with axes that exist. */
export const sampleReduction: Definition<ReduceAttributes>["sample"] = (pick) => ({
  inputs: [{ dtype: "float32", shape: [pick.int(1, 4), pick.int(1, 5), pick.int(1, 4)] }],
  attributes: { axes: pick.of([[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]) }
})

const sumOperator = make<ReduceAttributes>({
  name: "sum",
  shape: ([x], { axes }, broken) => {
    if (x!.dtype === "bool") broken("takes float32 or int32: cast it first")
    return [{ dtype: x!.dtype, shape: reducedShape(x!.shape, axes) }]
  },
  reference: ([x], { axes }, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    const to = offsets(x!.shape, reducedStrides(x!.shape, axes))
    for (let i = 0; i < x!.data.length; i++) y.data[to[i]!] = y.data[to[i]!]! + x!.data[i]!
    return [y]
  },
  gradient: ({ gradients: [dy], inputs: [x] }) => [
    dy === undefined || x!.dtype !== "float32" ? undefined : broadcastTo(dy, x!.shape)
  ],
  onnx: {
    default: (emit, [x], { axes }, { inputs }) => [
      inputs[0]!.shape.length === 0 ? x! : emit.node("ReduceSum", [x!, emit.int64(axes)], { keepdims: 1 })
    ]
  },
  sample: sampleReduction,
  points: [
    {
      inputs: [{ dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      attributes: { axes: [1] },
      outputs: [[6, 15]]
    },
    {
      inputs: [{ dtype: "int32", shape: [2, 2], data: Int32Array.of(1, 2, 3, -7) }],
      attributes: { axes: [0] },
      outputs: [[4, -5]]
    }
  ]
})

/** Σ x over `axes` (all by default). float32 or int32. Raises `ShapeError`. */
export const sum = (x: Tensor, options?: ReduceOptions): Tensor =>
  options?.axes?.length === 0 ? x : reduceWith(sumOperator, x, options)

const broadcastOperator = make<ShapeAttributes>({
  name: "broadcastTo",
  shape: ([x], { shape }, broken) => {
    const common = broadcastShapes(x!.shape, shape)
    if (typeof common === "string") return broken(`cannot broadcast to [${shape.join(", ")}]: ${common}`)
    if (!sameShape(common, shape)) broken(`cannot broadcast to [${shape.join(", ")}], which is smaller`)
    return [{ dtype: x!.dtype, shape }]
  },
  reference: ([x], { shape }, [type]) => {
    const y = empty(type!.dtype, shape)
    const from = offsets(shape, broadcastStrides(x!.shape, shape))
    for (let i = 0; i < y.data.length; i++) y.data[i] = x!.data[from[i]!]!
    return [y]
  },
  gradient: ({ gradients: [dy], inputs: [x] }) => [
    dy === undefined || x!.dtype !== "float32" ? undefined : sumTo(dy, x!.shape)
  ],
  onnx: { default: (emit, [x], { shape }) => [emit.node("Expand", [x!, emit.int64(shape)])] },
  sample: (pick) => {
    const shape = [pick.int(1, 3), pick.int(1, 4), pick.int(1, 3)] as const
    return {
      inputs: [{ dtype: "float32", shape: pick.of([[], [shape[2]], [1, shape[2]], [shape[1], 1], [shape[0], 1, 1]]) }],
      attributes: { shape }
    }
  },
  points: [
    {
      inputs: [{ dtype: "int32", shape: [2, 1], data: Int32Array.of(1, 2) }],
      attributes: { shape: [2, 2, 2] },
      outputs: [[1, 1, 2, 2, 1, 1, 2, 2]]
    }
  ]
})

/** x broadcast to `shape`. Raises `ShapeError`. */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(broadcastOperator, [x], { shape })

/** The gradient of broadcasting: x summed over what broadcasting from `shape` repeats. Raises `ShapeError`. */
export const sumTo = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x
  const extra = x.shape.length - shape.length
  const axes = x.shape.flatMap((size, axis) =>
    axis < extra || (shape[axis - extra] === 1 && size !== 1) ? [axis] : []
  )
  return reshape(sum(x, { axes }), shape)
}

export const broadcastOperators: ReadonlyArray<AnyOperator> = [reshapeOperator, sumOperator, broadcastOperator]
