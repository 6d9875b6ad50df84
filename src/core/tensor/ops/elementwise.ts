/**
 * Arithmetic and elementary functions, element by element.
 *
 * Binary operators broadcast as NumPy does; their gradients sum over what was repeated. int32 wraps as 32-bit
 * integers do and division truncates; no gradient flows through it. ONNX Runtime runs one pass over memory per node, so gradient
 * rules reuse the forward result wherever that saves one.
 */
import {
  type AnyOperator,
  apply,
  type GradientRule,
  make,
  type NoAttributes,
  type Operator,
  type Point
} from "../Operator.ts"
import { type DType, scalar, type Tensor } from "../Tensor.ts"
import { empty } from "../TensorData.ts"
import { sumTo } from "./broadcast.ts"
import { binaryShape, broadcastReads, less, numbers, sampleShapes, where } from "./compare.ts"

interface Binary {
  readonly name: string
  readonly onnx: string
  readonly float: (a: number, b: number) => number
  readonly int: (a: number, b: number) => number
  /** Gradients of the broadcast inputs. */
  readonly gradient: (dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => readonly [Tensor, Tensor]
  /** The range that tests draw b from. */
  readonly range?: readonly [number, number]
  readonly points: ReadonlyArray<Point<NoAttributes>>
}

const binary = (definition: Binary): Operator =>
  make<NoAttributes>({
    name: definition.name,
    shape: (inputs, _, broken) => [{ dtype: inputs[0]!.dtype, shape: binaryShape(inputs, numbers, broken) }],
    reference: ([a, b], _, [type]) => {
      const y = empty(type!.dtype, type!.shape)
      const f = type!.dtype === "int32" ? definition.int : definition.float
      const [left, right] = broadcastReads([a!, b!], type!.shape)
      for (let i = 0; i < y.data.length; i++) y.data[i] = f(a!.data[left![i]!]!, b!.data[right![i]!]!)
      return [y]
    },
    gradient: ({ gradients: [dy], inputs: [a, b], outputs: [y] }) => {
      if (dy === undefined || dy.dtype !== "float32") return []
      const [da, db] = definition.gradient(dy, a!, b!, y!)
      return [sumTo(da, a!.shape), sumTo(db, b!.shape)]
    },
    onnx: { default: (emit, inputs) => [emit.node(definition.onnx, inputs)] },
    sample: (pick) => {
      const [a, b] = sampleShapes(pick)
      const dtype = pick.of<DType>(["float32", "float32", "int32"])
      const range = definition.range ?? [-2, 2]
      return {
        inputs: [
          { dtype, shape: a, range: dtype === "int32" ? [-2_000_000_000, 2_000_000_000] : [-2, 2] },
          { dtype, shape: b, range: dtype === "int32" && definition.range !== undefined ? [1, 9] : range }
        ],
        attributes: {}
      }
    },
    points: definition.points
  })

const whole = (a: ReadonlyArray<number>, b: ReadonlyArray<number>, y: ReadonlyArray<number>): Point<NoAttributes> => ({
  inputs: [a, b].map((values) => ({ dtype: "int32", shape: [values.length], data: Int32Array.from(values) })),
  attributes: {},
  outputs: [y]
})

export const addOperator = binary({
  name: "add",
  onnx: "Add",
  float: (a, b) => a + b,
  int: (a, b) => (a + b) | 0,
  gradient: (dy) => [dy, dy],
  points: [whole([2_147_483_647], [1], [-2_147_483_648])]
})

export const subOperator = binary({
  name: "sub",
  onnx: "Sub",
  float: (a, b) => a - b,
  int: (a, b) => (a - b) | 0,
  gradient: (dy) => [dy, neg(dy)],
  points: [whole([-2_147_483_648], [1], [2_147_483_647])]
})

export const mulOperator = binary({
  name: "mul",
  onnx: "Mul",
  float: (a, b) => a * b,
  int: Math.imul,
  gradient: (dy, a, b) => [mul(dy, b), mul(dy, a)],
  points: [whole([65_537, -3], [65_537, 7], [131_073, -21])]
})

export const divOperator = binary({
  name: "div",
  onnx: "Div",
  float: (a, b) => a / b,
  int: (a, b) => Math.trunc(a / b) | 0,
  gradient: (dy, _, b, y) => {
    const da = div(dy, b)
    return [da, neg(mul(da, y))]
  },
  range: [0.5, 2],
  points: [whole([7, -7, 7, -7], [2, 2, -2, -2], [3, -3, -3, 3])]
})

const maximumOperator = binary({
  name: "maximum",
  onnx: "Max",
  float: Math.max,
  int: Math.max,
  gradient: (dy, a, b) => {
    const other = less(a, b)
    return [where(other, scalar(0), dy), where(other, dy, scalar(0))]
  },
  points: [whole([1, -5], [2, -7], [2, -5])]
})

const minimumOperator = binary({
  name: "minimum",
  onnx: "Min",
  float: Math.min,
  int: Math.min,
  gradient: (dy, a, b) => {
    const other = less(b, a)
    return [where(other, scalar(0), dy), where(other, dy, scalar(0))]
  },
  points: [whole([1, -5], [2, -7], [1, -7])]
})

/** a + b. float32 or int32, broadcasting; int32 wraps. Raises `ShapeError`, as all functions here do. */
export const add = (a: Tensor, b: Tensor): Tensor => apply(addOperator, [a, b], {})
/** a − b. */
export const sub = (a: Tensor, b: Tensor): Tensor => apply(subOperator, [a, b], {})
/** a · b, element by element. int32 wraps, as Math.imul does. */
export const mul = (a: Tensor, b: Tensor): Tensor => apply(mulOperator, [a, b], {})
/** a / b. int32 division truncates towards zero, and must not be by zero: providers differ in what happens then. */
export const div = (a: Tensor, b: Tensor): Tensor => apply(divOperator, [a, b], {})
/** The larger of both. Where they are equal the gradient goes to a. */
export const maximum = (a: Tensor, b: Tensor): Tensor => apply(maximumOperator, [a, b], {})
/** The smaller of both. Where they are equal the gradient goes to a. */
export const minimum = (a: Tensor, b: Tensor): Tensor => apply(minimumOperator, [a, b], {})

interface Unary {
  readonly name: string
  readonly onnx: string
  readonly f: (x: number) => number
  readonly gradient: (dy: Tensor, x: Tensor, y: Tensor) => Tensor
  readonly range?: readonly [number, number]
  /** x and y, by hand. */
  readonly points: readonly [x: ReadonlyArray<number>, y: ReadonlyArray<number>]
}

const unary = (definition: Unary): Operator => {
  const gradient: GradientRule<NoAttributes> = ({ gradients: [dy], inputs: [x], outputs: [y] }) => [
    dy === undefined ? undefined : definition.gradient(dy, x!, y!)
  ]
  return make<NoAttributes>({
    name: definition.name,
    shape: ([x], _, broken) => {
      if (x!.dtype !== "float32") broken("takes float32: cast it first")
      return [{ dtype: "float32", shape: x!.shape }]
    },
    reference: ([x]) => [{ dtype: "float32", shape: x!.shape, data: Float64Array.from(x!.data, definition.f) }],
    gradient,
    onnx: { default: (emit, inputs) => [emit.node(definition.onnx, inputs)] },
    sample: (pick) => ({
      inputs: [
        {
          dtype: "float32",
          shape: pick.of([[], [pick.int(1, 9)], [1, pick.int(1, 5)]]),
          range: definition.range ?? [-3, 3]
        }
      ],
      attributes: {}
    }),
    points: [
      {
        inputs: [
          { dtype: "float32", shape: [definition.points[0].length], data: Float32Array.from(definition.points[0]) }
        ],
        attributes: {},
        outputs: [definition.points[1]]
      }
    ]
  })
}

/**
 * erf(x) = 2/√π · ∫₀ˣ exp(−t²) dt, to float64: the Maclaurin series Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n+1)) up to |x| = 3, then the continued
 * fraction of erfc, evaluated from its tail. Source: Abramowitz & Stegun 7.1.5 and 7.1.14.
 */
export const erfOf = (x: number): number => {
  const z = Math.abs(x)
  if (z > 6) return Math.sign(x)
  if (z <= 3) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  let tail = z
  for (let n = 80; n >= 1; n--) tail = z + n / 2 / tail
  return Math.sign(x) * (1 - Math.exp(-z * z) / (tail * Math.sqrt(Math.PI)))
}

export const negOperator = unary({
  name: "neg",
  onnx: "Neg",
  f: (x) => -x,
  gradient: (dy) => neg(dy),
  points: [
    [-1, 0, 2],
    [1, 0, -2]
  ]
})
const expOperator = unary({
  name: "exp",
  onnx: "Exp",
  f: Math.exp,
  gradient: (dy, _, y) => mul(dy, y),
  points: [
    [0, 1, -200],
    [1, Math.E, 0]
  ]
})
const logOperator = unary({
  name: "log",
  onnx: "Log",
  f: Math.log,
  gradient: (dy, x) => div(dy, x),
  range: [0.2, 4],
  points: [
    [1, 2, 0.5],
    [0, Math.LN2, -Math.LN2]
  ]
})
const sqrtOperator = unary({
  name: "sqrt",
  onnx: "Sqrt",
  f: Math.sqrt,
  gradient: (dy, _, y) => div(mul(dy, scalar(0.5)), y),
  range: [0.2, 4],
  points: [
    [0, 4, 2],
    [0, 2, Math.SQRT2]
  ]
})
const tanhOperator = unary({
  name: "tanh",
  onnx: "Tanh",
  f: Math.tanh,
  gradient: (dy, _, y) => sub(dy, mul(mul(dy, y), y)),
  points: [
    [0, 1000, -1000, Math.LN2],
    [0, 1, -1, 0.6]
  ]
})
const sigmoidOperator = unary({
  name: "sigmoid",
  onnx: "Sigmoid",
  f: (x) => 1 / (1 + Math.exp(-x)),
  gradient: (dy, _, y) => {
    const first = mul(dy, y)
    return sub(first, mul(first, y))
  },
  points: [
    [0, 100, -100, Math.log(3)],
    [0.5, 1, 0, 0.75]
  ]
})
const erfOperator = unary({
  name: "erf",
  onnx: "Erf",
  f: erfOf,
  // 2/√π · exp(−x²) = exp(ln(2/√π) − x²)
  gradient: (dy, x) => mul(dy, exp(sub(scalar(Math.log(2 / Math.sqrt(Math.PI))), mul(x, x)))),
  points: [
    // Abramowitz & Stegun, table 7.1.
    [0, 0.5, 1, 2, -1, 10],
    [0, 0.5204998778, 0.8427007929, 0.995322265, -0.8427007929, 1]
  ]
})
const reluOperator = unary({
  name: "relu",
  onnx: "Relu",
  f: (x) => Math.max(x, 0),
  gradient: (dy, _, y) => where(less(scalar(0), y), dy, scalar(0)),
  points: [
    [-1, 0, 2],
    [0, 0, 2]
  ]
})
const absOperator = unary({
  name: "abs",
  onnx: "Abs",
  f: Math.abs,
  gradient: (dy, x) => where(less(x, scalar(0)), neg(dy), dy),
  points: [
    [-1, 0, 2],
    [1, 0, 2]
  ]
})

/** −x. float32, as all functions of one tensor here. */
export const neg = (x: Tensor): Tensor => apply(negOperator, [x], {})
/** eˣ */
export const exp = (x: Tensor): Tensor => apply(expOperator, [x], {})
/** Natural logarithm. */
export const log = (x: Tensor): Tensor => apply(logOperator, [x], {})
/** √x. The gradient at 0 is infinite. */
export const sqrt = (x: Tensor): Tensor => apply(sqrtOperator, [x], {})
/** The hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => apply(tanhOperator, [x], {})
/** 1 / (1 + e⁻ˣ) */
export const sigmoid = (x: Tensor): Tensor => apply(sigmoidOperator, [x], {})
/** The error function, 2/√π · ∫₀ˣ exp(−t²) dt. */
export const erf = (x: Tensor): Tensor => apply(erfOperator, [x], {})
/** max(x, 0). The gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => apply(reluOperator, [x], {})
/** |x|. The gradient at 0 is 1. */
export const abs = (x: Tensor): Tensor => apply(absOperator, [x], {})

export const elementwiseOperators: ReadonlyArray<AnyOperator> = [
  addOperator,
  subOperator,
  mulOperator,
  divOperator,
  maximumOperator,
  minimumOperator,
  negOperator,
  expOperator,
  logOperator,
  sqrtOperator,
  tanhOperator,
  sigmoidOperator,
  erfOperator,
  reluOperator,
  absOperator
]
