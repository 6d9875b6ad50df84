/**
 * Matrix products: `matMul` (batched, for attention) and `gemm` (2-D with an addend, for projections).
 *
 * Transposes and the factor alpha are attributes, so each gradient is again one product. The CPU forms compute products whose
 * bits would depend on the number of threads with a transposed left operand, which makes them independent.
 * Sources: ONNX Gemm and MatMul, and ONNX Runtime's com.microsoft.FusedMatMul (CPU only; elsewhere it falls back to the
 * CPU and copies, so the webgpu form is made of Transpose, MatMul and Mul).
 */

import type { OnnxEmitter } from "../OnnxGraph.ts"
import { type AnyOperator, type Attributes, apply, make } from "../Operator.ts"
import { type NdArray, type Shape, sameShape, scalar, sizeOf, type Tensor, type TensorType } from "../Tensor.ts"
import { dependsOnThreads } from "../ThreadDependence.ts"
import { sumTo } from "./broadcast.ts"
import { mul } from "./elementwise.ts"

/** Options of a matrix product. */
export interface MatMulOptions {
  /** Swap the last two axes of `a` (of `b`) first. */
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** Factor of the product; 1 unless given. */
  readonly alpha?: number
}

interface MatMulAttributes extends Attributes {
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly alpha: number
}

/** The last two axes, after the transpose. */
const rowsAndColumns = (shape: Shape, transposed: boolean): readonly [number, number] => {
  const [rows, columns] = [shape[shape.length - 2]!, shape[shape.length - 1]!]
  return transposed ? [columns, rows] : [rows, columns]
}

/** out += alpha · a' · b', one matrix; offsets in numbers. */
const product = (
  out: NdArray["data"],
  a: NdArray,
  b: NdArray,
  { alpha, transposeA, transposeB }: MatMulAttributes,
  at: { readonly out: number; readonly a: number; readonly b: number }
): void => {
  const [M, K] = rowsAndColumns(a.shape, transposeA)
  const [, N] = rowsAndColumns(b.shape, transposeB)
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let total = 0
      for (let k = 0; k < K; k++) {
        const left = a.data[at.a + (transposeA ? k * M + m : m * K + k)]!
        const right = b.data[at.b + (transposeB ? n * K + k : k * N + n)]!
        total += left * right
      }
      const index = at.out + m * N + n
      out[index] = out[index]! + alpha * total
    }
  }
}

const transposeLastTwo = (emit: OnnxEmitter, name: string, rank: number): string => {
  const perm = Array.from({ length: rank }, (_, i) => i)
  return emit.node("Transpose", [name], { perm: [...perm.slice(0, -2), rank - 1, rank - 2] })
}

/**
 * y = alpha · a' b'         a [..., M, K], b [..., K, N] → y [..., M, N];  a' is a, or a with its last two axes swapped
 * Leading axes are equal, or one operand has none and is used for every matrix of the other.
 * da = alpha · g b'ᵀ, db = alpha · a'ᵀ g (transposed back), summed where an operand was shared.
 */
export const matMulOperator = make<MatMulAttributes>({
  name: "matMul",
  shape: ([a, b, ...more], { transposeA, transposeB }, broken) => {
    if (a === undefined || b === undefined || more.length > 0) return broken("expects two inputs")
    if (a.dtype !== "float32" || b.dtype !== "float32") return broken("both operands must be float32")
    if (a.shape.length < 2 || b.shape.length < 2) return broken("both operands need two axes or more")
    const [M, K] = rowsAndColumns(a.shape, transposeA)
    const [inner, N] = rowsAndColumns(b.shape, transposeB)
    if (K !== inner) return broken(`the inner sizes differ: ${K} and ${inner} (transposes applied)`)
    const [left, right] = [a.shape.slice(0, -2), b.shape.slice(0, -2)]
    if (left.length > 0 && right.length > 0 && !sameShape(left, right)) {
      return broken("the leading axes must be equal, or one operand must have two axes only")
    }
    return [{ dtype: "float32", shape: [...(left.length > 0 ? left : right), M, N] }]
  },
  reference: ([a, b], attributes, [type]) => {
    const data = new Float64Array(sizeOf(type!.shape))
    const count = sizeOf(type!.shape.slice(0, -2))
    const sizes = {
      out: sizeOf(type!.shape.slice(-2)),
      a: a!.shape.length > 2 ? sizeOf(a!.shape.slice(-2)) : 0,
      b: b!.shape.length > 2 ? sizeOf(b!.shape.slice(-2)) : 0
    }
    for (let i = 0; i < count; i++) {
      product(data, a!, b!, attributes, { out: i * sizes.out, a: i * sizes.a, b: i * sizes.b })
    }
    return [{ ...type!, data }]
  },
  gradient: ({ attributes: { alpha, transposeA, transposeB }, gradients, inputs }) => {
    const [a, b, g] = [inputs[0]!, inputs[1]!, gradients[0]!]
    const da = transposeA
      ? matMul(b, g, { alpha, transposeA: transposeB, transposeB: true })
      : matMul(g, b, { alpha, transposeB: !transposeB })
    const db = transposeB
      ? matMul(g, a, { alpha, transposeA: true, transposeB: transposeA })
      : matMul(a, g, { alpha, transposeA: !transposeA })
    return [sumTo(da, a.shape), sumTo(db, b.shape)]
  },
  onnx: {
    default: (emit, operands, written, types) => {
      const { attributes, inputs } = independentOfThreads(emit, operands, written, types.inputs)
      const { alpha, transposeA, transposeB } = attributes
      if (alpha === 1 && !transposeA && !transposeB) return [emit.node("MatMul", inputs)]
      const fused = { alpha: { float: alpha }, transA: Number(transposeA), transB: Number(transposeB) }
      return [emit.node("FusedMatMul", inputs, fused, { domain: "com.microsoft" })]
    },
    // FusedMatMul has no WebGPU kernel: transposes and the factor are passes of their own, so they go where they are smallest.
    webgpu: (emit, [a, b], { alpha, transposeA, transposeB }, { inputs, outputs }) => {
      const [left, right, result] = [inputs[0]!, inputs[1]!, outputs[0]!].map(({ shape }) => sizeOf(shape))
      const scaled = (name: string) => (alpha === 1 ? name : emit.node("Mul", [name, emit.float(alpha)]))
      const first = left! < result! ? scaled(a!) : a!
      const scale = left! < result! ? (name: string) => name : scaled
      const transposed = (name: string, { shape }: TensorType, is: boolean) =>
        is ? transposeLastTwo(emit, name, shape.length) : name
      // a' b' = (b'ᵀ a'ᵀ)ᵀ: with `a` stored transposed, as the scores of attention in backward, only the narrow ones are moved.
      if (transposeA && result! + (transposeB ? 0 : right!) < left! + (transposeB ? right! : 0)) {
        const product = emit.node("MatMul", [transposed(b!, inputs[1]!, !transposeB), first])
        return [scale(transposeLastTwo(emit, product, outputs[0]!.shape.length))]
      }
      return [
        scale(emit.node("MatMul", [transposed(first, inputs[0]!, transposeA), transposed(b!, inputs[1]!, transposeB)]))
      ]
    },
    // Which tensor is smaller depends on the length of a text.
    portable: (emit, [a, b], { alpha, transposeA, transposeB }, { inputs }) => {
      const left = transposeA ? transposeLastTwo(emit, a!, inputs[0]!.shape.length) : a!
      const right = transposeB ? transposeLastTwo(emit, b!, inputs[1]!.shape.length) : b!
      const y = emit.node("MatMul", [left, right])
      return [alpha === 1 ? y : emit.node("Mul", [y, emit.float(alpha)])]
    }
  },
  sample: (pick) => {
    const [M, K, N] = [pick.int(1, 4), pick.int(1, 4), pick.int(1, 4)]
    const batch = pick.of([[], [3], [2, 2]])
    const shared = pick.of(["none", "a", "b"])
    const [transposeA, transposeB] = [pick.of([true, false]), pick.of([true, false])]
    const shapeOf = (operand: string, rows: number, columns: number, transposed: boolean) => [
      ...(shared === operand ? [] : batch),
      ...(transposed ? [columns, rows] : [rows, columns])
    ]
    return {
      inputs: [
        { dtype: "float32", shape: shapeOf("a", M, K, transposeA), range: [-2, 2] },
        { dtype: "float32", shape: shapeOf("b", K, N, transposeB), range: [-2, 2] }
      ],
      attributes: { transposeA, transposeB, alpha: pick.of([1, 0.5, -2]) }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
        { dtype: "float32", shape: [2, 2], data: Float32Array.of(5, 6, 7, 8) }
      ],
      attributes: { transposeA: false, transposeB: true, alpha: 0.5 },
      // [1·5+2·6, 1·7+2·8, 3·5+4·6, 3·7+4·8] / 2
      outputs: [[8.5, 11.5, 19.5, 26.5]]
    }
  ]
})

/**
 * a · b over the last two axes: a [..., M, K], b [..., K, N] → [..., M, N]. Leading axes are equal, or one operand has none.
 * float32. Raises `ShapeError`.
 */
export const matMul = (a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor =>
  apply(matMulOperator, [a, b], {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
    alpha: options.alpha ?? 1
  })

interface GemmAttributes extends MatMulAttributes {
  readonly beta: number
}

/**
 * y = alpha · a' b' + beta · c         a [M, K], b [K, N], c [M, N], [N], [] or absent → y [M, N]
 * da and db are products as in matMul; dc = beta · g, summed over the axes that c does not have. On the CPU the addend costs no
 * extra pass: the product is accumulated onto it. So a residual or a bias belongs here.
 */
export const gemmOperator = make<GemmAttributes>({
  name: "gemm",
  shape: ([a, b, c, ...more], { transposeA, transposeB }, broken) => {
    if (a === undefined || b === undefined || more.length > 0) return broken("expects two or three inputs")
    if ([a, b, c].some((operand) => operand !== undefined && operand.dtype !== "float32")) {
      return broken("every operand must be float32")
    }
    if (a.shape.length !== 2 || b.shape.length !== 2) return broken("both factors need exactly two axes")
    const [M, K] = rowsAndColumns(a.shape, transposeA)
    const [inner, N] = rowsAndColumns(b.shape, transposeB)
    if (K !== inner) return broken(`the inner sizes differ: ${K} and ${inner} (transposes applied)`)
    if (c !== undefined && ![[M, N], [N], []].some((shape) => sameShape(shape, c.shape))) {
      return broken(`the addend must be [${M}, ${N}], [${N}] or []`)
    }
    return [{ dtype: "float32", shape: [M, N] }]
  },
  reference: ([a, b, c], attributes, [type]) => {
    const size = sizeOf(type!.shape)
    // A short addend repeats: [N] in each row, [] everywhere.
    const data = Float64Array.from({ length: size }, (_, i) =>
      c === undefined ? 0 : attributes.beta * c.data[i % c.data.length]!
    )
    product(data, a!, b!, attributes, { out: 0, a: 0, b: 0 })
    return [{ ...type!, data }]
  },
  gradient: ({ attributes: { alpha, beta, transposeA, transposeB }, gradients, inputs }) => {
    const [a, b, c, g] = [inputs[0]!, inputs[1]!, inputs[2], gradients[0]!]
    const da = transposeA
      ? gemm(b, g, undefined, { alpha, transposeA: transposeB, transposeB: true })
      : gemm(g, b, undefined, { alpha, transposeB: !transposeB })
    const db = transposeB
      ? gemm(g, a, undefined, { alpha, transposeA: true, transposeB: transposeA })
      : gemm(a, g, undefined, { alpha, transposeA: !transposeA })
    if (c === undefined) return [da, db]
    const summed = sumTo(g, c.shape)
    return [da, db, beta === 1 ? summed : mul(summed, scalar(beta))]
  },
  onnx: {
    default: (emit, operands, written, types) => {
      const { attributes, inputs } = independentOfThreads(emit, operands, written, types.inputs)
      return [gemmNode(emit, inputs, attributes)]
    },
    webgpu: (emit, inputs, attributes) => [gemmNode(emit, inputs, attributes)]
  },
  sample: (pick) => {
    const [M, K, N] = [pick.int(1, 4), pick.int(1, 4), pick.int(1, 4)]
    const [transposeA, transposeB] = [pick.of([true, false]), pick.of([true, false])]
    const addend = pick.of([undefined, [M, N], [N], []])
    const float = (shape: Shape) => ({ dtype: "float32", shape, range: [-2, 2] }) as const
    return {
      inputs: [
        float(transposeA ? [K, M] : [M, K]),
        float(transposeB ? [N, K] : [K, N]),
        ...(addend === undefined ? [] : [float(addend)])
      ],
      attributes: { transposeA, transposeB, alpha: pick.of([1, 0.5, -2]), beta: pick.of([1, -0.5]) }
    }
  },
  points: [
    {
      inputs: [
        { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 2) },
        { dtype: "float32", shape: [2, 2], data: Float32Array.of(3, 4, 5, 6) },
        { dtype: "float32", shape: [2], data: Float32Array.of(10, 20) }
      ],
      attributes: { transposeA: false, transposeB: false, alpha: 1, beta: 0.5 },
      // [1·3 + 2·5 + 5, 1·4 + 2·6 + 10]
      outputs: [[18, 26]]
    }
  ]
})

/** a · b + c: a [M, K], b [K, N], c [M, N], [N] or [] → [M, N]. float32. Raises `ShapeError`. */
export const gemm = (
  a: Tensor,
  b: Tensor,
  c?: Tensor,
  options: MatMulOptions & { /** Factor of the addend; 1 unless given. */ readonly beta?: number } = {}
): Tensor =>
  apply(gemmOperator, c === undefined ? [a, b] : [a, b, c], {
    transposeA: options.transposeA ?? false,
    transposeB: options.transposeB ?? false,
    alpha: options.alpha ?? 1,
    beta: options.beta ?? 1
  })

const gemmNode = (
  emit: OnnxEmitter,
  inputs: ReadonlyArray<string>,
  { alpha, beta, transposeA, transposeB }: GemmAttributes
): string =>
  emit.node("Gemm", inputs, {
    alpha: { float: alpha },
    beta: { float: beta },
    transA: Number(transposeA),
    transB: Number(transposeB)
  })

/**
 * The operands and attributes of a product whose bits are the same at every number of threads (ThreadDependence.ts). A product for
 * which they are not gets its left operand transposed by a node of its own: then ONNX Runtime adds up K in the same blocks
 * whatever the part of a thread is. This costs about a tenth more than the plain product (docs/performance.md).
 */
const independentOfThreads = <A extends MatMulAttributes>(
  emit: OnnxEmitter,
  inputs: ReadonlyArray<string>,
  attributes: A,
  [a, b]: ReadonlyArray<TensorType>
): { readonly inputs: ReadonlyArray<string>; readonly attributes: A } => {
  const { alpha, transposeA, transposeB } = attributes
  const [rows, K] = rowsAndColumns(a!.shape, transposeA)
  const [, N] = rowsAndColumns(b!.shape, transposeB)
  const leading = sizeOf((a!.shape.length > 2 ? a! : b!).shape.slice(0, -2))
  const [batch, M] = b!.shape.length === 2 ? [1, leading * rows] : [leading, rows]
  const constantB = emit.isConstant(inputs[1]!)
  if (!dependsOnThreads({ batch, M, N, K, transposeA, transposeB, alpha, constantB })) return { inputs, attributes }
  const transposed = transposeLastTwo(emit, inputs[0]!, a!.shape.length)
  return { inputs: [transposed, ...inputs.slice(1)], attributes: { ...attributes, transposeA: true } }
}

export const matmulOperators: ReadonlyArray<AnyOperator> = [matMulOperator, gemmOperator]
