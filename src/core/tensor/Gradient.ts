/**
 * Reverse-mode differentiation: extends a graph with the gradient of a scalar with respect to any of its tensors.
 *
 * Walks the graph once, backwards, and applies each operator's gradient rule. The result is an ordinary graph of the same
 * operators, so gradients of gradients work wherever rules are themselves differentiable.
 */
import { add } from "./ops/elementwise.ts"
import { fromNode, type Node, ShapeError, scalar, show, type Tensor, topologicalOrder, zeros } from "./Tensor.ts"

/**
 * d loss / d wrt[i] for each i, of the shape of `wrt[i]`. Zero where the loss does not depend on it.
 * Raises `ShapeError` when `loss` is not a float32 scalar, or when it depends on `wrt` through an operator without a gradient.
 */
export const grad = (loss: Tensor, wrt: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  if (loss.shape.length !== 0 || loss.dtype !== "float32") {
    throw new ShapeError({
      operator: "grad",
      inputs: [show(loss)],
      rule: "only a float32 scalar can be differentiated"
    })
  }
  const order = topologicalOrder([loss])
  const wanted = new Set(wrt.map((tensor) => tensor.node))
  const active = new Set<Node>()
  for (const node of order) {
    if (wanted.has(node) || (node._tag === "Apply" && node.inputs.some((input) => active.has(input.node))))
      active.add(node)
  }
  const gradients = new Map<Node, Array<Tensor | undefined>>([[loss.node, [scalar(1)]]])
  for (const node of [...order].reverse()) {
    const cotangents = gradients.get(node)
    if (cotangents === undefined || node._tag !== "Apply" || !active.has(node)) continue
    // Gradients of constants and of integer inputs are not needed, so they are not computed.
    if (!node.inputs.some((input) => active.has(input.node))) continue
    if (typeof node.operator.gradient !== "function") {
      throw new ShapeError({
        operator: `grad of ${node.operator.name}`,
        inputs: node.inputs.map(show),
        rule: `has no gradient: ${node.operator.gradient.reason}`
      })
    }
    const towards = node.operator.gradient({
      inputs: node.inputs,
      outputs: node.types.map((_, i) => fromNode(node, i)),
      gradients: node.types.map((_, i) => cotangents[i])
    })
    node.inputs.forEach((input, i) => {
      const gradient = towards[i]
      if (gradient === undefined || !active.has(input.node)) return
      const sums = gradients.get(input.node) ?? []
      const sum = sums[input.output]
      sums[input.output] = sum === undefined ? gradient : add(sum, gradient)
      gradients.set(input.node, sums)
    })
  }
  return wrt.map((tensor) => gradients.get(tensor.node)?.[tensor.output] ?? zeros(tensor.shape))
}
