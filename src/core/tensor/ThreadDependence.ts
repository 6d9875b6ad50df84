/**
 * Whether the bits of a graph depend on the number of threads that compute it. This is a property of the shapes.
 *
 * ONNX Runtime cuts the work of a node into parts, one per thread. Most nodes compute each number of their result in the same
 * way whatever the part it is in. A matrix product [M, K] · [K, N] does not: its kernel adds up K in blocks, and the length
 * of a block depends on the columns of the part; a part of a single row has a kernel of its own. `dependsOnThreads` is that rule,
 * the operators of ops/matmul.ts choose a form by it for which it is false, and `threadDependences` checks a whole graph.
 *
 * The rule was found by experiment and is a fact about ONNX Runtime 1.30, not a promise: docs/lab-notes.md has the probes,
 * and test/core/tensor/ThreadDependence.test.ts repeats them. It holds for the native CPU provider and the WebAssembly one.
 */
import { halfPrecision, type Precision } from "./HalfPrecision.ts"
import { lower } from "./Lower.ts"
import { type OnnxGraph, type OnnxNode, shapesOf } from "./OnnxGraph.ts"
import type { Program } from "./Program.ts"
import { type Shape, sizeOf } from "./TensorData.ts"

/** The largest number of threads for which "does not depend" is meant. */
export const maximumThreads = 32

/** A product of `batch` pairs of matrices [M, K] · [K, N]. */
export interface Product {
  readonly batch: number
  readonly M: number
  readonly N: number
  readonly K: number
  /** The left operand is stored as [K, M]. */
  readonly transposeA: boolean
  /** The right operand is stored as [N, K]. */
  readonly transposeB: boolean
  /** Factor of the product. */
  readonly alpha: number
  /** The right operand is a constant of the graph: ONNX Runtime packs it when the session is made. */
  readonly constantB: boolean
}

/** Multiplications per part, below which ONNX Runtime does not start another one. */
const partSize = 2 ** 16
/** Parts of columns are whole blocks of this many. */
const blockColumns = 16
/** Numbers of K that are added up in one go, usually. */
const usualBlock = 128

/** How many numbers of K are added up in one go, for a part of so many columns. */
const blockOf = (K: number, columns: number): number => {
  const block = K <= usualBlock || columns > 64 ? usualBlock : columns > 32 ? 256 : columns > 16 ? 512 : 1024
  return Math.min(K, block)
}

/** Whether the bits of a product are not the same at all thread counts from 1 to `maximumThreads`. */
export const dependsOnThreads = (product: Product): boolean => {
  const { K, M, N, batch, constantB, transposeA } = product
  if (constantB || transposeA) return false
  const most = Math.floor((M * N * K) / partSize) + 1
  const parts = new Set(
    Array.from({ length: maximumThreads }, (_, i) => Math.ceil(Math.min(i + 1, most) / batch)).filter((n) => n > 1)
  )
  // Vectors have kernels of their own, which are used only without a factor.
  const vectors = product.alpha === 1
  if (N === 1) return vectors && parts.size > 0
  if (N <= M) return vectors && [...parts].some((count) => Math.floor(M / count) <= 1)
  if (M === 1 && vectors && !product.transposeB) return false
  return [...parts].some((count) => columnsOf(N, count).some((columns) => blockOf(K, columns) !== blockOf(K, N)))
}

/** The columns of each part, when N columns are cut into `count` parts. */
const columnsOf = (N: number, count: number): ReadonlyArray<number> => {
  const blocks = Math.ceil(N / blockColumns)
  const parts = Math.min(count, blocks)
  const [each, more] = [Math.floor(blocks / parts), blocks % parts]
  const full = Array.from({ length: parts }, (_, i) => blockColumns * (each + (i < more ? 1 : 0)))
  return full.with(-1, full.at(-1)! - (blocks * blockColumns - N))
}

/** A node whose bits depend on the number of threads, or may. */
export interface ThreadDependence {
  /** Name of the Program. */
  readonly program: string
  /** The ONNX operator. */
  readonly operator: string
  /** The parameter or other state, input or output that the node is nearest to. */
  readonly subject: string
  /** What depends, and what to do. */
  readonly details: string
}

/** `train: Gemm of model.layers.0.mlp.up_proj.weight: …` */
export const describe = ({ details, operator, program, subject }: ThreadDependence): string =>
  `${program}: ${operator} of ${subject}: ${details}`

/**
 * The nodes of a graph in the cpu dialect whose bits can change with the number of threads; none if the graph gives the same bits
 * at 1 to `maximumThreads` threads.
 */
export const threadDependences = (graph: OnnxGraph): ReadonlyArray<ThreadDependence> => {
  const shapes = shapesOf(graph)
  const constants = new Set(graph.initializers.map(({ name }) => name))
  // ONNX Runtime casts constants when the session is made.
  for (const { inputs, opType, outputs } of graph.nodes) {
    if (opType === "Cast" && constants.has(inputs[0]!)) constants.add(outputs[0]!)
  }
  return graph.nodes.flatMap((node) => {
    const details = detailsOf(node, shapes, constants)
    return details === undefined
      ? []
      : [{ program: graph.name, operator: node.opType, subject: subjectOf(node, graph), details }]
  })
}

/** The devices that compute a graph of the cpu dialect, for which the rule is known. */
const measured: ReadonlySet<string> = new Set(["cpu", "wasm", "reference"])

/** The same for Programs on a device. These devices compute half precision in float32 (HalfPrecision.ts). */
export const ofPrograms = (
  programs: ReadonlyArray<Program>,
  device: string,
  precision: Precision = "float32"
): ReadonlyArray<ThreadDependence> =>
  measured.has(device)
    ? programs.flatMap((program) => {
        const graph = lower(program, "cpu")
        return threadDependences(precision === "float32" ? graph : halfPrecision(graph, "float32"))
      })
    : programs.map(({ name }) => ({
        program: name,
        operator: "the graph",
        subject: `device ${device}`,
        details: "nobody has measured whether its bits depend on the number of threads"
      }))

/** Operators that give the same bits however their work is cut: measured, or copies of their input. */
const independent: ReadonlySet<string> = new Set([
  ...[
    "Abs",
    "Add",
    "Cos",
    "Div",
    "Erf",
    "Exp",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Relu",
    "Sigmoid",
    "Sin",
    "Sqrt",
    "Sub",
    "Tanh"
  ],
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Not", "Or", "Where"],
  ...["Gelu", "QuickGelu"],
  ...["ReduceMax", "ReduceMean", "ReduceSum", "ReduceSumSquare"],
  ...["LayerNormalization", "SimplifiedLayerNormalization", "LogSoftmax", "Softmax", "RotaryEmbedding"],
  ...["Cast", "Concat", "Expand", "Gather", "GatherElements", "Identity", "Pad", "Range", "Reshape", "ScatterElements"],
  ...["Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"]
])

/** What depends on the number of threads in a node, and what to do; `undefined` if nothing does. */
const detailsOf = (
  node: OnnxNode,
  shapes: ReadonlyMap<string, Shape>,
  constants: ReadonlySet<string>
): string | undefined => {
  if (independent.has(node.opType)) return undefined
  if (node.opType === "Gemm" || node.opType === "MatMul" || node.opType === "FusedMatMul") {
    const product = productOf(node, shapes, constants)
    if (product === undefined) return "its shapes are not known, so its bits may depend on the number of threads"
    const { K, M, N } = product
    return dependsOnThreads(product)
      ? `the sums of a product of [${M}, ${K}] and [${K}, ${N}] depend on how threads divide it. ` +
          "Compute it with `gemm` or `matMul` of codex, which choose a form that does not depend on it"
      : undefined
  }
  const shape = shapes.get(node.inputs[0] ?? "")
  // The last numbers of a part that do not fill a vector register are computed by another formula.
  if (node.opType === "Log" && shape !== undefined) {
    return sizeOf(shape) === 1 ? undefined : `the logarithm of [${shape.join(", ")}] depends on how threads divide it`
  }
  return "nobody has measured whether its bits depend on the number of threads"
}

/** The sizes of a product; `undefined` if the graph does not tell them. */
const productOf = (
  node: OnnxNode,
  shapes: ReadonlyMap<string, Shape>,
  constants: ReadonlySet<string>
): Product | undefined => {
  const [a, b, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!].map((name) => shapes.get(name))
  const [transposeA, transposeB] = [node.attributes.transA === 1, node.attributes.transB === 1]
  const [M, K] = axesOf(a, transposeA)
  const [inner, N] = axesOf(b, transposeB)
  const [rows, columns] = axesOf(y, false)
  const sizes = { M: M ?? rows, N: N ?? columns, K: K ?? inner }
  const leading = (y ?? (a !== undefined && b !== undefined && a.length < b.length ? b : a))?.slice(0, -2)
  if (sizes.M === undefined || sizes.N === undefined || sizes.K === undefined || leading === undefined) return undefined
  const { alpha } = node.attributes
  const common = {
    N: sizes.N,
    K: sizes.K,
    transposeA,
    transposeB,
    alpha: typeof alpha === "object" && "float" in alpha ? alpha.float : 1,
    constantB: constants.has(node.inputs[1]!)
  }
  // With one matrix on the right, the rows of all matrices on the left make one product.
  return b?.length === 2 && !transposeA
    ? { ...common, batch: 1, M: sizes.M * sizeOf(leading) }
    : { ...common, batch: sizeOf(leading), M: sizes.M }
}

const axesOf = (shape: Shape | undefined, transposed: boolean): readonly [number | undefined, number | undefined] => {
  if (shape === undefined) return [undefined, undefined]
  const [rows, columns] = [shape.at(-2), shape.at(-1)]
  return transposed ? [columns, rows] : [rows, columns]
}

const views: ReadonlySet<string> = new Set(["Cast", "Reshape", "Transpose"])

/** The state that the node reads, or else the nearest result that is computed from it, without its prefixes. */
const subjectOf = (node: OnnxNode, graph: OnnxGraph): string => {
  const makers = new Map(graph.nodes.flatMap((each) => each.outputs.map((name) => [name, each] as const)))
  const sourceOf = (name: string): string => {
    const maker = makers.get(name)
    return maker !== undefined && views.has(maker.opType) ? sourceOf(maker.inputs[0]!) : name
  }
  const read = node.inputs.map(sourceOf).find((name) => name.startsWith("state/"))
  return (read ?? nearestResult(node, graph)).replace(/^.*\//, "")
}

const nearestResult = (node: OnnxNode, graph: OnnxGraph): string => {
  const results = new Set(graph.outputs.map(({ name }) => name))
  const reached = new Set(node.outputs)
  // A Set visits what is added to it while it is walked: nearest first.
  for (const name of reached) {
    if (results.has(name)) return name
    for (const next of graph.nodes)
      if (next.inputs.includes(name)) for (const output of next.outputs) reached.add(output)
  }
  return node.outputs[0]!
}
