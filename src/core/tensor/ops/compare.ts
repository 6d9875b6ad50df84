/**
 * Bools: comparisons, logic, choosing between two tensors, and casting between types.
 *
 * Comparisons have no gradient; `where` passes the gradient to the side that was chosen, which is how every operator
 * with a kink (maximum, abs, max) gets its own.
 */

import { elementTypes } from "../OnnxGraph.ts"
import {
  type AnyOperator,
  apply,
  make,
  type NoAttributes,
  nonDifferentiable,
  type Operator,
  type Pick,
  type Point,
  type SampleInput
} from "../Operator.ts"
import { type DType, type NdArray, type Shape, scalar, type Tensor, type TensorType } from "../Tensor.ts"
import { broadcastShapes, broadcastStrides, empty, offsets } from "../TensorData.ts"
import { broadcastTo, sumTo } from "./broadcast.ts"

/** Sizes that broadcast together, with repeated axes and axes of size 1 on either side. */
export const sampleShapes = (pick: Pick): readonly [Shape, Shape] => {
  const full = [pick.int(1, 3), pick.int(1, 4), pick.int(1, 5)] as const
  const other = pick.of<Shape>([full, [], [full[2]], [full[1], 1], [full[0], 1, full[2]], [1, 1, 1]])
  return pick.of<readonly [Shape, Shape]>([
    [full, other],
    [other, full],
    [[full[1], 1], [full[2]]]
  ])
}

/** For each array, where the elements of `shape` are in it: broadcasting as offsets. */
export const broadcastReads = (arrays: ReadonlyArray<NdArray>, shape: Shape): ReadonlyArray<Int32Array> =>
  arrays.map((array) => offsets(shape, broadcastStrides(array.shape, shape)))

/** The type rule of a binary operator: equal number types, sizes that broadcast. */
export const binaryShape = (
  inputs: ReadonlyArray<TensorType>,
  dtypes: ReadonlyArray<DType>,
  broken: (rule: string) => never
): Shape => {
  const [a, b] = inputs
  if (a!.dtype !== b!.dtype) broken("both must have the same type: cast one of them")
  if (!dtypes.includes(a!.dtype)) broken(`takes ${dtypes.join(" or ")}`)
  const shape = broadcastShapes(a!.shape, b!.shape)
  return typeof shape === "string" ? broken(shape) : shape
}

interface Comparison {
  readonly name: string
  readonly onnx: string
  readonly dtypes: ReadonlyArray<DType>
  readonly holds: (a: number, b: number) => boolean
  readonly points: ReadonlyArray<Point<NoAttributes>>
}

const comparison = ({ dtypes, holds, name, onnx, points }: Comparison): Operator =>
  make<NoAttributes>({
    name,
    shape: (inputs, _, broken) => [{ dtype: "bool", shape: binaryShape(inputs, dtypes, broken) }],
    reference: ([a, b], _, [type]) => {
      const y = empty("bool", type!.shape)
      const [left, right] = broadcastReads([a!, b!], type!.shape)
      for (let i = 0; i < y.data.length; i++) y.data[i] = holds(a!.data[left![i]!]!, b!.data[right![i]!]!) ? 1 : 0
      return [y]
    },
    gradient: nonDifferentiable("its result is a bool"),
    onnx: { default: (emit, inputs) => [emit.node(onnx, inputs)] },
    sample: (pick) => {
      const [a, b] = sampleShapes(pick)
      // Few distinct whole numbers, so that equal ones are frequent.
      const dtype = pick.of(["int32", ...dtypes.filter((each) => each !== "int32")] as const)
      const of = (shape: Shape): SampleInput => ({
        dtype: dtypes.includes(dtype) ? dtype : "bool",
        shape,
        range: [0, 1]
      })
      return { inputs: [of(a), of(b)], attributes: {} }
    },
    points
  })

/** −1, 0 and 1 compared with 0, and the ends of int32 with each other. */
const comparedPoints = (
  withZero: readonly [number, number, number],
  ends: readonly [number, number]
): ReadonlyArray<Point<NoAttributes>> => [
  {
    inputs: [
      { dtype: "float32", shape: [3], data: Float32Array.of(-1, 0, 1) },
      { dtype: "float32", shape: [1], data: Float32Array.of(0) }
    ],
    attributes: {},
    outputs: [withZero]
  },
  {
    inputs: [
      { dtype: "int32", shape: [2], data: Int32Array.of(-2_147_483_648, 2_147_483_647) },
      { dtype: "int32", shape: [2], data: Int32Array.of(2_147_483_647, -2_147_483_648) }
    ],
    attributes: {},
    outputs: [ends]
  }
]

/** The types with arithmetic. */
export const numbers: ReadonlyArray<DType> = ["float32", "int32"]

const equalOperator = comparison({
  name: "equal",
  onnx: "Equal",
  dtypes: numbers,
  holds: (a, b) => a === b,
  points: comparedPoints([0, 1, 0], [0, 0])
})
const lessOperator = comparison({
  name: "less",
  onnx: "Less",
  dtypes: numbers,
  holds: (a, b) => a < b,
  points: comparedPoints([1, 0, 0], [1, 0])
})
const lessOrEqualOperator = comparison({
  name: "lessOrEqual",
  onnx: "LessOrEqual",
  dtypes: numbers,
  holds: (a, b) => a <= b,
  points: comparedPoints([1, 1, 0], [1, 0])
})
const andOperator = comparison({
  name: "and",
  onnx: "And",
  dtypes: ["bool"],
  holds: (a, b) => a !== 0 && b !== 0,
  points: [
    {
      inputs: [
        { dtype: "bool", shape: [4], data: Uint8Array.of(0, 0, 1, 1) },
        { dtype: "bool", shape: [4], data: Uint8Array.of(0, 1, 0, 1) }
      ],
      attributes: {},
      outputs: [[0, 0, 0, 1]]
    }
  ]
})

const notOperator = make<NoAttributes>({
  name: "not",
  shape: ([x], _, broken) => {
    if (x!.dtype !== "bool") broken("takes bool")
    return [{ dtype: "bool", shape: x!.shape }]
  },
  reference: ([x]) => [{ dtype: "bool", shape: x!.shape, data: Uint8Array.from(x!.data, (value) => 1 - value) }],
  gradient: nonDifferentiable("its result is a bool"),
  onnx: { default: (emit, inputs) => [emit.node("Not", inputs)] },
  sample: (pick) => ({ inputs: [{ dtype: "bool", shape: [pick.int(1, 9)], range: [0, 1] }], attributes: {} }),
  points: [
    {
      inputs: [{ dtype: "bool", shape: [2], data: Uint8Array.of(0, 1) }],
      attributes: {},
      outputs: [[1, 0]]
    }
  ]
})

/** Whether a = b, element by element; float32 or int32 in, bool out, broadcasting. Raises `ShapeError`. */
export const equal = (a: Tensor, b: Tensor): Tensor => apply(equalOperator, [a, b], {})
/** Whether a < b, element by element; as `equal`. */
export const less = (a: Tensor, b: Tensor): Tensor => apply(lessOperator, [a, b], {})
/** Whether a ≤ b, element by element; as `equal`. */
export const lessOrEqual = (a: Tensor, b: Tensor): Tensor => apply(lessOrEqualOperator, [a, b], {})
/** Whether both are true; bool in, bool out, broadcasting. Raises `ShapeError`. */
export const and = (a: Tensor, b: Tensor): Tensor => apply(andOperator, [a, b], {})
/** Whether x is false; bool in, bool out. Raises `ShapeError`. */
export const not = (x: Tensor): Tensor => apply(notOperator, [x], {})

const whereOperator = make<NoAttributes>({
  name: "where",
  shape: ([condition, a, b], _, broken) => {
    if (condition!.dtype !== "bool") broken("the condition must be bool")
    const sides = binaryShape([a!, b!], ["float32", "int32"], broken)
    const shape = broadcastShapes(condition!.shape, sides)
    return [{ dtype: a!.dtype, shape: typeof shape === "string" ? broken(shape) : shape }]
  },
  reference: ([condition, a, b], _, [type]) => {
    const y = empty(type!.dtype, type!.shape)
    const [at, left, right] = broadcastReads([condition!, a!, b!], type!.shape)
    for (let i = 0; i < y.data.length; i++) {
      y.data[i] = condition!.data[at![i]!] === 0 ? b!.data[right![i]!]! : a!.data[left![i]!]!
    }
    return [y]
  },
  gradient: ({ gradients: [dy], inputs: [condition, a, b] }) =>
    dy === undefined || a!.dtype !== "float32"
      ? []
      : [
          undefined,
          sumTo(where(condition!, dy, scalar(0)), a!.shape),
          sumTo(where(condition!, scalar(0), dy), b!.shape)
        ],
  onnx: { default: (emit, inputs) => [emit.node("Where", inputs)] },
  sample: (pick) => {
    const [a, b] = sampleShapes(pick)
    const dtype = pick.of<DType>(["float32", "int32"])
    return {
      inputs: [
        { dtype: "bool", shape: pick.of<Shape>([a, b, []]), range: [0, 1] },
        { dtype, shape: a },
        { dtype, shape: b }
      ],
      attributes: {}
    }
  },
  points: [
    {
      inputs: [
        { dtype: "bool", shape: [2, 1], data: Uint8Array.of(1, 0) },
        { dtype: "int32", shape: [2], data: Int32Array.of(1, 2) },
        { dtype: "int32", shape: [], data: Int32Array.of(9) }
      ],
      attributes: {},
      outputs: [[1, 2, 9, 9]]
    }
  ]
})

/** a where the condition holds, b elsewhere; all three broadcast. Raises `ShapeError`. */
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => apply(whereOperator, [condition, a, b], {})

const castOperator = make<{ readonly to: DType }>({
  name: "cast",
  shape: ([x], { to }) => [{ dtype: to, shape: x!.shape }],
  reference: ([x], { to }) => {
    const y = empty(to, x!.shape)
    for (let i = 0; i < y.data.length; i++) {
      const value = x!.data[i]!
      y.data[i] = to === "bool" ? (value === 0 ? 0 : 1) : to === "int32" ? Math.trunc(value) : value
    }
    return [y]
  },
  // The result is piecewise constant, or the input is whole: no gradient flows.
  gradient: ({ attributes: { to }, gradients, inputs: [x] }) =>
    x!.dtype === "float32" && to === "float32" ? gradients : [],
  onnx: { default: (emit, inputs, { to }) => [emit.node("Cast", inputs, { to: elementTypes[to] })] },
  sample: (pick) => {
    const dtype = pick.of<DType>(["float32", "int32", "bool"])
    return {
      inputs: [{ dtype, shape: [pick.int(1, 4), pick.int(1, 5)], range: dtype === "bool" ? [0, 1] : [-3, 3] }],
      attributes: { to: pick.of<DType>(["float32", "int32"]) }
    }
  },
  points: [
    {
      inputs: [{ dtype: "float32", shape: [4], data: Float32Array.of(-1.5, -0.5, 0.5, 1.5) }],
      attributes: { to: "int32" },
      outputs: [[-1, 0, 0, 1]]
    },
    {
      inputs: [{ dtype: "int32", shape: [3], data: Int32Array.of(-2, 0, 1) }],
      attributes: { to: "bool" },
      outputs: [[1, 0, 1]]
    }
  ]
})

/** x as another type. float32 → int32 drops the fraction; anything but 0 is true. No gradient flows through it. */
export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : apply(castOperator, [x], { to: dtype })

/** Zeros that cost a scalar, not memory in the model file. */
export const zerosOf = (shape: Shape): Tensor => broadcastTo(scalar(0), shape)

export const compareOperators: ReadonlyArray<AnyOperator> = [
  equalOperator,
  lessOperator,
  lessOrEqualOperator,
  andOperator,
  notOperator,
  whereOperator,
  castOperator
]
