/**
 * Repeating along axes, and adding up along them: each is the other's gradient, so they stand together.
 *
 * `shape.ts` and `reduce.ts` export them together with their kin.
 */
import { axisOf, broadcastShapes, broadcastStrides, offsets, reducedStrides } from "../Layout.ts"
import { apply, type Operator } from "../Operator.ts"
import { empty } from "../Reference.ts"
import { type Shape, ShapeError, sameShape, show, type Tensor } from "../Tensor.ts"
import { reshape } from "./reshape.ts"

/** How a reduction is asked for. */
export interface ReduceOptions {
  /** Axes to reduce, from the end where negative; all of them by default. */
  readonly axes?: ReadonlyArray<number>
  /** Whether reduced axes stay with size 1; false by default. */
  readonly keepDims?: boolean
}

/** What a reduction's operator keeps: axes counted from the front, in order. The operators always keep the axes. */
export type ReduceAttributes = { readonly axes: ReadonlyArray<number> }

/** The sizes that are left, 1 along the reduced axes. */
export const reducedShape = (shape: Shape, axes: ReadonlyArray<number>): Shape =>
  shape.map((size, axis) => (axes.includes(axis) ? 1 : size))

/** Applies a reduction that keeps its axes, and drops them afterwards unless asked not to: a reshape costs nothing. */
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
export const sampleReduction: Operator<ReduceAttributes>["sample"] = (pick) => ({
  inputs: [{ dtype: "float32", shape: [pick.int(1, 4), pick.int(1, 5), pick.int(1, 4)] }],
  attributes: { axes: pick.of([[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]) }
})

const sumOperator: Operator<ReduceAttributes> = {
  name: "sum",
  shape: ([x], { axes }, broken) => {
    if (x!.dtype === "bool") broken("truth values have no sum: cast them first")
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
}

/** Σ x over `axes` (all by default). float32 or int32. Raises `ShapeError`. */
export const sum = (x: Tensor, options?: ReduceOptions): Tensor =>
  options?.axes?.length === 0 ? x : reduceWith(sumOperator, x, options)

const broadcastOperator: Operator<{ readonly shape: Shape }> = {
  name: "broadcastTo",
  shape: ([x], { shape }, broken) => {
    const common = broadcastShapes(x!.shape, shape)
    if (typeof common === "string") return broken(`cannot repeat to [${shape.join(", ")}]: ${common}`)
    if (!sameShape(common, shape)) broken(`[${shape.join(", ")}] is smaller than the input`)
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
}

/** x repeated until it has `shape`. Raises `ShapeError`. */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(broadcastOperator, [x], { shape })

/** The reverse: adds up whatever broadcasting from `shape` would have repeated. */
export const sumTo = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x
  const extra = x.shape.length - shape.length
  const axes = x.shape.flatMap((size, axis) =>
    axis < extra || (shape[axis - extra] === 1 && size !== 1) ? [axis] : []
  )
  return reshape(sum(x, { axes }), shape)
}

export const broadcastOperators: ReadonlyArray<Operator> = [sumOperator, broadcastOperator]
