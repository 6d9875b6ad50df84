/**
 * Activations of a transformer's MLP: GELU (exact, and by tanh), SiLU, squared ReLU.
 *
 * Operators rather than compositions of others: forward is one fused node where the provider has one, and backward
 * is written with as few passes over memory as the formula allows, because ONNX Runtime does not fuse chains of nodes.
 * Sources: Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415; So et al. 2021, https://arxiv.org/abs/2109.08668.
 */
import { type AnyOperator, apply, type Definition, make, type NoAttributes, type Operator } from "../Operator.ts"
import { scalar, type Tensor } from "../Tensor.ts"
import { add, erf, erfOf, exp, mul, relu, sigmoid, sub } from "./elementwise.ts"

interface Activation {
  readonly name: string
  readonly f: (x: number) => number
  /** dy/dx, given x and y. */
  readonly slope: (x: Tensor, y: Tensor) => Tensor
  readonly onnx: Definition<NoAttributes>["onnx"]
  readonly points: readonly [x: ReadonlyArray<number>, y: ReadonlyArray<number>]
}

const activation = ({ f, name, onnx, points, slope }: Activation): Operator =>
  make<NoAttributes>({
    name,
    shape: ([x], _, broken) => {
      if (x!.dtype !== "float32") broken("takes float32: cast it first")
      return [{ dtype: "float32", shape: x!.shape }]
    },
    reference: ([x]) => [{ dtype: "float32", shape: x!.shape, data: Float64Array.from(x!.data, f) }],
    gradient: ({ gradients: [dy], inputs: [x], outputs: [y] }) => [
      dy === undefined ? undefined : mul(dy, slope(x!, y!))
    ],
    onnx,
    sample: (pick) => ({
      inputs: [{ dtype: "float32", shape: [pick.int(1, 4), pick.int(1, 9)], range: [-4, 4] }],
      attributes: {}
    }),
    points: [
      {
        inputs: [{ dtype: "float32", shape: [points[0].length], data: Float64Array.from(points[0]) }],
        attributes: {},
        outputs: [points[1]]
      }
    ]
  })

/** 2·√(2/π): (1 + tanh(z)) / 2 is the sigmoid of 2z. */
const twice = 2 * Math.sqrt(2 / Math.PI)
const cubic = 0.044715

/**
 * y = x · ½(1 + tanh(√(2/π)·(x + 0.044715·x³))) = x · s,  s = σ(c·x + c·a·x³),  c = 2√(2/π)
 * dy/dx = s + y·(1 − s)·(c + 3·c·a·x²)                                                 gelu(1) = 0.841192
 */
const geluOperator = activation({
  name: "gelu",
  f: (x) => x / (1 + Math.exp(-twice * (x + cubic * x ** 3))),
  slope: (x, y) => {
    const square = mul(x, x)
    const s = sigmoid(mul(x, add(mul(square, scalar(twice * cubic)), scalar(twice))))
    const inner = add(mul(square, scalar(3 * twice * cubic)), scalar(twice))
    return add(s, mul(sub(y, mul(y, s)), inner))
  },
  onnx: { default: (emit, inputs) => [emit.node("Gelu", inputs, { approximate: "tanh" })] },
  points: [
    [0, 1, -1, 20],
    [0, 0.8411919906, -0.1588080094, 20]
  ]
})

/**
 * y = x · Φ(x) = ½x(1 + erf(x/√2))
 * dy/dx = ½ + ½·erf(v) + x·exp(−v² − ln √(2π)),  v = x/√2                              geluErf(1) = 0.841345
 */
const geluErfOperator = activation({
  name: "geluErf",
  f: (x) => 0.5 * x * (1 + erfOf(x * Math.SQRT1_2)),
  slope: (x) => {
    const v = mul(x, scalar(Math.SQRT1_2))
    const density = exp(sub(scalar(-0.5 * Math.log(2 * Math.PI)), mul(v, v)))
    return add(add(mul(erf(v), scalar(0.5)), scalar(0.5)), mul(x, density))
  },
  onnx: { default: (emit, inputs) => [emit.node("Gelu", inputs)] },
  points: [
    [0, 1, -1, 20],
    [0, 0.8413447461, -0.1586552539, 20]
  ]
})

/**
 * y = x · σ(x)         dy/dx = y + σ(x)·(1 − y)                                        silu(ln 3) = ¾·ln 3
 */
const siluOperator = activation({
  name: "silu",
  f: (x) => x / (1 + Math.exp(-x)),
  slope: (x, y) => add(y, mul(sigmoid(x), sub(scalar(1), y))),
  onnx: {
    default: (emit, inputs) => [emit.node("QuickGelu", inputs, { alpha: { float: 1 } }, { domain: "com.microsoft" })]
  },
  points: [
    [0, Math.log(3), -Math.log(3), -100],
    [0, 0.75 * Math.log(3), -0.25 * Math.log(3), 0]
  ]
})

/** y = max(x, 0)²         dy/dx = 2·max(x, 0), which needs no mask. */
const reluSquaredOperator = activation({
  name: "reluSquared",
  f: (x) => Math.max(x, 0) ** 2,
  slope: (x) => mul(relu(x), scalar(2)),
  onnx: {
    default: (emit, [x]) => {
      const positive = emit.node("Relu", [x!])
      return [emit.node("Mul", [positive, positive])]
    }
  },
  points: [
    [-1, 0, 3],
    [0, 0, 9]
  ]
})

/** GELU by its tanh approximation (GPT-2's `gelu_new`). float32. Raises `ShapeError`, as all activations do. */
export const gelu = (x: Tensor): Tensor => apply(geluOperator, [x], {})
/** GELU, exact: x · Φ(x). */
export const geluErf = (x: Tensor): Tensor => apply(geluErfOperator, [x], {})
/** x · σ(x), also called swish. */
export const silu = (x: Tensor): Tensor => apply(siluOperator, [x], {})
/** max(x, 0)²; `relu2` in configs. */
export const reluSquared = (x: Tensor): Tensor => apply(reluSquaredOperator, [x], {})

export const activationOperators: ReadonlyArray<AnyOperator> = [
  geluOperator,
  geluErfOperator,
  siluOperator,
  reluSquaredOperator
]
