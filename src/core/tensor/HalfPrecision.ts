/**
 * Mixed precision: from a float32 graph, one whose matrix products read and give half precision (IEEE 754 binary16).
 *
 * The rules are those of torch.autocast (https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference):
 *  - products read half precision and give half precision, because matrix units are faster with it and read half the bytes.
 *    A product with one column is a weighted sum of each row (ops/norm.ts), so it is a reduction;
 *  - data movement stays where its numbers are, because it does not change them. So a tensor is cast before it is moved;
 *  - element-wise arithmetic between two products (an activation and its slope) is done in half precision: the tensors that
 *    the backward pass keeps are then half as large. Arithmetic with a float32 tensor, and all that no product reads, is float32:
 *    the residual stream, sums of gradients, the optimizer;
 *  - everything else is float32: norms, softmax, losses, reductions (small differences of many numbers), exponentials,
 *    logarithms, quotients (a range beyond 65,504), rotary embedding (positions). The probabilities of a softmax that
 *    a product reads are kept in half precision: they are the largest tensor of attention, and at most 1;
 *  - inputs, outputs and state are float32, and so is what an operator that is not listed here reads. A cast is done once.
 *
 * Gradients of a mean over many tokens are too small for half precision, so the loss is multiplied first: `lossScaleOf`.
 */
import * as Schema from "effect/Schema"
import { elementTypes, type OnnxGraph, type OnnxNode, type OnnxValue, shapesOf } from "./OnnxGraph.ts"
import type { Shape } from "./TensorData.ts"

/** What matrix products compute in. */
export const Precision = Schema.Literal("float32", "float16")
export type Precision = typeof Precision.Type

/**
 * What a provider computes half precision in. `float32`: it has no such kernels, so operands and results are rounded to half
 * precision by casts around float32 nodes. Left to itself, ONNX Runtime (1.30) adds the casts and then removes them
 * together with those of the graph, and nothing is rounded.
 */
export type Arithmetic = "float16" | "float32"

/**
 * The factor of the loss in a training step of so many tokens, which the gradients are divided by in float32: 1 in float32, else the
 * largest power of two up to the number of tokens, at most 2¹³.
 *
 * With it, the gradient of the logits is that of a single token, p − 1 and p, instead of a mean, which would be lost: the smallest
 * number of half precision is 6·10⁻⁸. The limit leaves room for the sums over tokens in gradients of parameters: a
 * gradient overflows at 65,504 / 2¹³ = 8 for one parameter. Then its norm is not finite, and training stops. A power of two
 * changes no digit.
 */
export const lossScaleOf = (precision: Precision | undefined, tokens: number): number =>
  precision === "float16" ? 2 ** Math.min(13, 31 - Math.clz32(Math.max(1, tokens))) : 1

const products: ReadonlySet<string> = new Set(["FusedMatMul", "Gemm", "MatMul"])

const movements: ReadonlySet<string> = new Set([
  ...["Concat", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"]
])

const arithmetics: ReadonlySet<string> = new Set([
  ...["Add", "Gelu", "Max", "Min", "Mul", "Neg", "QuickGelu", "Relu", "Sigmoid", "Sub", "Tanh", "Where"]
])

/** Computed in float32 and kept in half precision where a product reads the result. */
const kept: ReadonlySet<string> = new Set(["Softmax"])

/** What becomes of a node. */
type Rule =
  /** Operands and results are float32. */
  | "float32"
  /** Operands and results are half precision. */
  | "half"
  /** The same, and no number changes. */
  | "moved"
  /** Operands are float32, results half precision. */
  | "kept"
  /** A cast from integers or bools, to half precision instead of float32. */
  | "cast"

/** The graph in mixed precision. Types of its inputs and outputs stay as they are, and so do all names. */
export const halfPrecision = (given: OnnxGraph, arithmetic: Arithmetic): OnnxGraph => {
  const graph = withSeparateAddends(given)
  const isFloat = floatsOf(graph)
  const rules = rulesOf(graph, isFloat)
  const nodes: Array<OnnxNode> = []
  const defined = new Set([...graph.inputs, ...graph.initializers].map(({ name }) => name))
  const isHalf = new Set<string>()

  const define = (node: OnnxNode) => {
    nodes.push(node)
    for (const output of node.outputs) defined.add(output)
  }
  const cast = (from: string, to: string, type: "float16" | "float32"): string => {
    if (!defined.has(to)) define(castNode(from, to, type))
    return to
  }
  const halved = (name: string) => cast(name, half(name), "float16")
  const widened = (name: string) => cast(half(name), name, "float32")
  const roundedTo32 = (name: string) =>
    isHalf.has(name) ? widened(name) : cast(halved(name), rounded(name), "float32")
  const each = (names: ReadonlyArray<string>, f: (name: string) => string) =>
    names.map((name) => (isFloat(name) ? f(name) : name))
  /** A node with float32 results that are rounded to half precision. */
  const round = (node: OnnxNode) => {
    define({ ...node, outputs: each(node.outputs, exact) })
    for (const output of node.outputs) cast(exact(output), half(output), "float16")
  }

  graph.nodes.forEach((node, index) => {
    const rule = rules[index]!
    if (rule !== "float32") for (const output of node.outputs) isHalf.add(output)
    if (rule === "float32") define({ ...node, inputs: each(node.inputs, widened) })
    else if (rule === "kept") round({ ...node, inputs: each(node.inputs, widened) })
    else if (rule === "cast") define(castNode(node.inputs[0]!, half(node.outputs[0]!), "float16"))
    else if (rule === "half" && arithmetic === "float32") round({ ...node, inputs: each(node.inputs, roundedTo32) })
    else define({ ...node, inputs: each(node.inputs, halved), outputs: each(node.outputs, half) })
  })
  for (const { name } of graph.outputs) if (isHalf.has(name)) widened(name)

  return { ...graph, nodes, values: valuesOf(graph, isFloat, defined) }
}

/** The forms that a float tensor can have besides its own name, which is always float32. */
const half = (name: string) => `${name}:float16`
/** In float32, after rounding to half precision. */
const rounded = (name: string) => `${name}:rounded`
/** In float32, before rounding to half precision. */
const exact = (name: string) => `${name}:exact`

const castNode = (from: string, to: string, type: "float16" | "float32"): OnnxNode => ({
  opType: "Cast",
  domain: "",
  inputs: [from],
  outputs: [to],
  attributes: { to: elementTypes[type] }
})

/** Types and shapes of all forms, as far as the shapes are known. */
const valuesOf = (
  graph: OnnxGraph,
  isFloat: (name: string) => boolean,
  defined: ReadonlySet<string>
): ReadonlyArray<OnnxValue> => [
  ...(graph.values ?? []),
  ...[...shapesOf(graph)].flatMap(([name, shape]) =>
    isFloat(name)
      ? [
          { name: half(name), type: { dtype: "float16", shape } } as const,
          ...[rounded(name), exact(name)].map((form) => ({ name: form, type: { dtype: "float32", shape } }) as const)
        ].filter((value) => defined.has(value.name))
      : []
  )
]

/**
 * A residual is added to the product in float32 by a node of its own, instead of inside of the product, which would round it in
 * every block of a model. Addends with fewer axes (a bias), or with a factor, stay.
 */
const withSeparateAddends = (graph: OnnxGraph): OnnxGraph => {
  const shapes = shapesOf(graph)
  const values: Array<OnnxValue> = []
  const nodes = graph.nodes.flatMap((node): ReadonlyArray<OnnxNode> => {
    const [a, b, c] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]]
    const shape = shapes.get(c ?? "")
    if (node.opType !== "Gemm" || c === undefined || shape?.length !== 2) return [node]
    if (isReduction(node, shapes) || factor(node, "beta") !== 1) return [node]
    const product = `${node.outputs[0]!}:product`
    values.push({ name: product, type: { dtype: "float32", shape } })
    return [
      { ...node, inputs: [a, b], outputs: [product] },
      { opType: "Add", domain: "", inputs: [product, c], outputs: node.outputs, attributes: {} }
    ]
  })
  return { ...graph, nodes, values: [...(graph.values ?? []), ...values] }
}

const factor = ({ attributes }: OnnxNode, name: string): number => {
  const value = attributes[name]
  return typeof value === "object" && "float" in value ? value.float : 1
}

/** Whether a product has a single column. */
const isReduction = ({ attributes, inputs }: OnnxNode, shapes: ReadonlyMap<string, Shape>): boolean =>
  shapes.get(inputs[1]!)?.at(attributes.transB === 1 ? -2 : -1) === 1

const comparisons: ReadonlySet<string> = new Set([
  ...["And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"]
])

/** Whether a name is that of a float32 tensor. */
const floatsOf = (graph: OnnxGraph): ((name: string) => boolean) => {
  const floats = new Map<string, boolean>([
    ...[...graph.inputs, ...(graph.values ?? [])].map(({ name, type }) => [name, type.dtype === "float32"] as const),
    ...graph.initializers.map(({ dtype, name }) => [name, dtype === "float32"] as const)
  ])
  const isFloat = (name: string) => floats.get(name) ?? false
  for (const { attributes, inputs, opType, outputs } of graph.nodes) {
    const result =
      opType === "Cast"
        ? attributes.to === elementTypes.float32
        : !comparisons.has(opType) && opType !== "Shape" && isFloat(inputs[opType === "Where" ? 1 : 0]!)
    for (const output of outputs) if (!floats.has(output)) floats.set(output, result)
  }
  return isFloat
}

/** The rule of each node. */
const rulesOf = (graph: OnnxGraph, isFloat: (name: string) => boolean): ReadonlyArray<Rule> => {
  const shapes = shapesOf(graph)
  const isProduct = (node: OnnxNode) => products.has(node.opType) && !isReduction(node, shapes)
  const floatInputs = (node: OnnxNode) => node.inputs.filter(isFloat)
  const results = new Set(graph.outputs.map(({ name }) => name))

  // Backwards: what a product reads, through movement and arithmetic, and what nothing but products reads.
  const leads = new Set<string>()
  const onlyHalf = new Map<string, boolean>()
  const isOnlyHalf = (name: string) => onlyHalf.get(name) === true && !results.has(name)
  for (const node of [...graph.nodes].reverse()) {
    const product = isProduct(node)
    const follows = movements.has(node.opType) || arithmetics.has(node.opType)
    const leading = product || (follows && node.outputs.some((name) => leads.has(name)))
    const reads = product || (movements.has(node.opType) && node.outputs.every(isOnlyHalf))
    for (const name of floatInputs(node)) {
      if (leading) leads.add(name)
      onlyHalf.set(name, reads && onlyHalf.get(name) !== false)
    }
  }

  // Forwards: where half precision is.
  const exactScalars = new Set(graph.initializers.filter(fitsHalf).map(({ name }) => name))
  const isHalf = new Set<string>()
  return graph.nodes.map((node) => {
    const rule = ruleOf(node)
    if (rule !== "float32") for (const output of node.outputs) isHalf.add(output)
    return rule
  })

  function ruleOf(node: OnnxNode): Rule {
    const floats = floatInputs(node)
    const isRead = node.outputs.every(isOnlyHalf)
    const isLeading = node.outputs.some((name) => leads.has(name))
    if (isProduct(node)) return "half"
    if (node.opType === "Cast") return floats.length === 0 && isFloat(node.outputs[0]!) && isRead ? "cast" : "float32"
    if (movements.has(node.opType)) {
      return floats.length > 0 && (isRead || floats.every((name) => isHalf.has(name))) ? "moved" : "float32"
    }
    if (kept.has(node.opType)) return isLeading ? "kept" : "float32"
    const between = isLeading && floats.some((name) => isHalf.has(name))
    return arithmetics.has(node.opType) && between && floats.every((name) => isHalf.has(name) || exactScalars.has(name))
      ? "half"
      : "float32"
  }
}

/** Whether a constant is a number that half precision has with all its digits but the last ones: 0, or 2⁻¹⁴ to 65,504. */
const fitsHalf = ({ data, dtype }: OnnxGraph["initializers"][number]): boolean => {
  const size = Math.abs(Number(data[0]))
  return dtype === "float32" && data.length === 1 && (size === 0 || (size >= 2 ** -14 && size <= 65504))
}
