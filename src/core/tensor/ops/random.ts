/**
 * Random numbers and dropout, from a counter: number i of stream s under seed k depends on (k, s, i) and on nothing else.
 *
 * A composition of int32 additions, wrapping multiplications and divisions, because these exist on every provider (there
 * are neither shifts nor exclusive ors on WebGPU), so all of them give the same bits. Multiplying mixes low bits into high
 * ones; m(x) = x + x / 65536, truncated, mixes high bits into low ones; q(x) = x · (2x + 1), a permutation, makes it
 * nonlinear: without a square, neighbours stay correlated (measured: r = 0.04).
 *
 *   mix(x)  = m(q(m(m(q(x)) · A)) · B)                                on scalars: seed and stream
 *   k₀ = mix(mix(k + G) + s · G)     k₁ = mix(k₀ + G)     k₂ = mix(k₁ + G)
 *   c(i)    = m((i·G + k₀) · (i·2G + 2k₁ + 1))                          one-to-one before m, as q is
 *   bits(i) = c · (c + k₂)
 *
 * G, A and B are the odd constants of SplitMix32 and of murmur3's finalizer. The lower bits are weak (the last is often
 * constant); the upper 16 pass the tests. Not for cryptography.
 *
 * A tensor that is computed in parts (micro-batches) has the numbers of the whole: `seedOfPart` makes a seed that also says
 * which part it is for, and the counter starts where the parts before it end. Two uses of one stream with one seed would give
 * the same numbers, so `Program.make` refuses them. Sources: Rivest et al. 1998 (q is RC6's), Steele, Lea &
 * Flood 2014 (a hashed counter as generator), https://github.com/aappleby/smhasher (A, B).
 */
import { type AnyOperator, apply, make, nonDifferentiable } from "../Operator.ts"
import { integers, type Node, type Shape, ShapeError, scalar, show, sizeOf, type Tensor } from "../Tensor.ts"
import { reshape } from "./broadcast.ts"
import { cast, lessOrEqual, where } from "./compare.ts"
import { add, div, mul } from "./elementwise.ts"
import { emitRange } from "./gather.ts"
import { slice } from "./shape.ts"

const iotaOperator = make<{ readonly size: number }>({
  name: "iota",
  shape: (_, { size }) => [{ dtype: "int32", shape: [size] }],
  reference: (_, { size }) => [{ dtype: "int32", shape: [size], data: Int32Array.from({ length: size }, (_, i) => i) }],
  gradient: nonDifferentiable("it has no inputs"),
  onnx: { default: (emit, _, { size }) => [emitRange(emit, size)] },
  sample: (pick) => ({ inputs: [], attributes: { size: pick.int(1, 9) } }),
  points: [{ inputs: [], attributes: { size: 3 }, outputs: [[0, 1, 2]] }]
})

/** int32 0, 1, … size − 1. */
export const iota = (size: number): Tensor => apply(iotaOperator, [], { size })

/** Which sequence of a seed to use. */
export interface RandomOptions {
  /** A whole number, different for each use of a seed in a graph. */
  readonly stream: number
}

/** The seed itself, marked with the stream that it is used for, so that a second use can be found. */
const streamOperator = make<{ readonly stream: number }>({
  name: "randomStream",
  shape: ([seed], _, broken) => {
    const { dtype, shape } = seed!
    if (dtype !== "int32" || !(shape.length === 0 || (shape.length === 1 && shape[0] === 2))) {
      broken("the seed must be an int32 scalar, or one of seedOfPart")
    }
    return [{ dtype, shape }]
  },
  reference: ([seed]) => [seed!],
  gradient: nonDifferentiable("it is a seed"),
  onnx: { default: (emit, [seed]) => [emit.node("Identity", [seed!])] },
  sample: (pick) => ({
    inputs: [{ dtype: "int32", shape: pick.of([[], [2]]), range: [-99, 99] }],
    attributes: { stream: pick.int(0, 9) }
  }),
  points: [
    {
      inputs: [{ dtype: "int32", shape: [2], data: Int32Array.of(7, 1) }],
      attributes: { stream: 3 },
      outputs: [[7, 1]]
    }
  ]
})

/** The first stream that these nodes use more than once with the same seed, or `undefined`. */
export const streamUsedTwice = (nodes: Iterable<Node>): number | undefined => {
  const used = new Map<Node, Set<unknown>>()
  for (const node of nodes) {
    if (node._tag !== "Apply" || node.operator.definition !== streamOperator) continue
    const seed = node.inputs[0]!.node
    const streams = used.get(seed) ?? new Set()
    const { stream } = node.operator.attributes
    if (streams.has(stream)) return Number(stream)
    used.set(seed, streams.add(stream))
  }
  return undefined
}

/**
 * The seed of part `index` (from 0) of a tensor that is cut into equal parts along its first axis. Random numbers of the parts
 * are together those of the whole tensor with the plain seed. The result is an int32 tensor [2]: seed and index.
 */
export const seedOfPart = (seed: Tensor, index: number): Tensor =>
  add(mul(seed, integers([1, 0])), integers([0, index]))

const int = (value: number): Tensor => integers([value | 0], [])

const weyl = int(0x9e3779b9)
const first = int(0x85ebca6b)
const second = int(0xc2b2ae35)

const fold = (x: Tensor): Tensor => add(x, div(x, int(65_536)))
const square = (x: Tensor): Tensor => mul(x, add(mul(int(2), x), int(1)))
const mix = (x: Tensor): Tensor => fold(mul(fold(square(fold(mul(fold(square(x)), first)))), second))

/**
 * int32 numbers over all of int32, random in their upper 16 bits, less so below. `seed` is an int32 scalar tensor, or one of
 * `seedOfPart`. Comparing them with a whole threshold is exact on every device, and saves two passes over `uniform`.
 * Raises `ShapeError` when the seed is neither.
 */
export const randomBits = (seed: Tensor, shape: Shape, { stream }: RandomOptions): Tensor => {
  const own = apply(streamOperator, [seed], { stream })
  const element = (i: number) => reshape(slice(own, 0, i, i + 1), [])
  const isPart = own.shape.length > 0
  const size = sizeOf(shape)
  const key = mix(add(mix(add(isPart ? element(0) : own, weyl)), mul(int(stream), weyl)))
  const other = mix(add(key, weyl))
  const last = mix(add(other, weyl))
  const odd = add(mul(int(2), other), int(1))
  // Both multiples of the counter are constants, and where it starts is added to scalars: seven passes over the numbers are left.
  const counter = mul(iota(size), weyl)
  const before = isPart ? mul(element(1), int(Math.imul(size, 0x9e3779b9))) : undefined
  const [start, oddStart] = before === undefined ? [key, odd] : [add(key, before), add(odd, mul(int(2), before))]
  const mixed = fold(mul(add(counter, start), add(mul(int(2), counter), oddStart)))
  const bits = mul(mixed, add(mixed, last))
  return reshape(bits, shape)
}

/**
 * float32 numbers in (0, 1), symmetric around ½. The seed is that of `randomBits`.
 *
 * bits · (1 − 2⁻²³) · 2⁻³² + ½: a little less than 2⁻³², because the largest bits would round up to 1 in float32.
 */
export const uniform = (seed: Tensor, shape: Shape, options: RandomOptions): Tensor =>
  add(mul(cast(randomBits(seed, shape, options), "float32"), scalar((1 - 2 ** -23) * 2 ** -32)), scalar(0.5))

/** How much to drop, and with which random numbers. */
export interface DropoutOptions {
  /** Share of the numbers that become 0: 0 ≤ rate < 1. */
  readonly rate: number
  /** Which sequence of the seed to use, different for each use in a model. */
  readonly stream: number
}

/** x where a uniform number is at least `rate`, divided by 1 − rate; 0 elsewhere. The seed is that of `randomBits`. */
export const dropout = (x: Tensor, seed: Tensor, { rate, stream }: DropoutOptions): Tensor => {
  if (!(rate >= 0 && rate < 1)) {
    throw new ShapeError({
      operator: "dropout",
      inputs: [show(x), show(seed)],
      rule: `the rate must be at least 0 and below 1, but it is ${rate}`
    })
  }
  if (rate === 0) return x
  const kept = lessOrEqual(scalar(rate), uniform(seed, x.shape, { stream }))
  return mul(x, where(kept, scalar(1 / (1 - rate)), scalar(0)))
}

export const randomOperators: ReadonlyArray<AnyOperator> = [iotaOperator, streamOperator]
