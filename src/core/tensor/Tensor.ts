/**
 * A tensor is a value in a graph that has not been computed yet: its type, and the node that will produce it.
 *
 * Graphs are immutable and have no builder: applying an operator makes a new node that points at its inputs, so a
 * graph is whatever is reachable from the tensors that a Program returns. Nothing here computes; `Reference` and the
 * backends do. Letters used for shapes everywhere: B batch, T tokens, C channels, V vocabulary, H heads, D head width.
 */
import * as Schema from "effect/Schema"
import type { Dialect, OnnxEmitter } from "./OnnxGraph.ts"
import { type DType, type NdArray, type Shape, sizeOf, type TensorData, type TensorType } from "./TensorData.ts"

export {
  type DType,
  type NdArray,
  type Shape,
  sameShape,
  show,
  sizeOf,
  type TensorData,
  type TensorType
} from "./TensorData.ts"

/** A value of a graph. */
export interface Tensor extends TensorType {
  readonly node: Node
  /** Which output of the node this is. */
  readonly output: number
}

/** Where a tensor comes from: a named input of a Program, fixed numbers, or an operator applied to other tensors. */
export type Node =
  | { readonly _tag: "Input"; readonly name: string; readonly types: readonly [TensorType] }
  | { readonly _tag: "Constant"; readonly value: TensorData; readonly types: readonly [TensorType] }
  | {
      readonly _tag: "Apply"
      readonly operator: AppliedOperator
      readonly inputs: ReadonlyArray<Tensor>
      readonly types: ReadonlyArray<TensorType>
    }

/** An operator with its attributes filled in, as a node holds it. `Operator.bind` makes one. */
export interface AppliedOperator {
  readonly name: string
  /** The definition that it was made from, to compare with; its own fields need the attributes. */
  readonly definition: object
  /** Values that were fixed when the graph was built. */
  readonly attributes: { readonly [key: string]: number | boolean | string | ReadonlyArray<number> }
  readonly reference: (inputs: ReadonlyArray<NdArray>, outputs: ReadonlyArray<TensorType>) => ReadonlyArray<NdArray>
  readonly gradient: ((backward: Backward) => ReadonlyArray<Tensor | undefined>) | NonDifferentiable
  readonly onnx: (
    dialect: Dialect,
    emit: OnnxEmitter,
    inputs: ReadonlyArray<string>,
    types: { readonly inputs: ReadonlyArray<TensorType>; readonly outputs: ReadonlyArray<TensorType> }
  ) => ReadonlyArray<string>
  /** See `Operator.Definition`. */
  readonly rowUpdate?: { readonly rows: number; readonly position: number }
}

/** What a gradient rule is called with. `gradients[i]` is missing where nothing depends on output i. */
export interface Backward {
  readonly inputs: ReadonlyArray<Tensor>
  readonly outputs: ReadonlyArray<Tensor>
  readonly gradients: ReadonlyArray<Tensor | undefined>
}

/** An operator through which no gradient flows, and why. */
export interface NonDifferentiable {
  readonly _tag: "NonDifferentiable"
  readonly reason: string
}

/**
 * Tensors that an operator cannot combine, found while a graph is built.
 * The message names the operator, every input's type and the rule that was broken.
 */
export class ShapeError extends Schema.TaggedError<ShapeError>()("ShapeError", {
  operator: Schema.String,
  inputs: Schema.Array(Schema.String),
  rule: Schema.String
}) {
  override get message() {
    return `${this.operator}(${this.inputs.join(", ")}): ${this.rule}`
  }
}

/** A named input of a graph. Programs make their own; see `Program.make`. */
export const input = (name: string, dtype: DType, shape: Shape): Tensor =>
  fromNode({ _tag: "Input", name, types: [{ dtype, shape }] }, 0)

/** Fixed numbers, stored with the graph. */
export const constant = (value: TensorData): Tensor =>
  fromNode({ _tag: "Constant", value, types: [{ dtype: value.dtype, shape: value.shape }] }, 0)

/** A fixed float32 scalar. */
export const scalar = (value: number): Tensor => constant({ dtype: "float32", shape: [], data: Float32Array.of(value) })

/** Fixed int32 numbers: a flat list, unless a shape is given. */
export const integers = (values: ArrayLike<number>, shape: Shape = [values.length]): Tensor =>
  constant({ dtype: "int32", shape, data: Int32Array.from(values) })

/** Zeros, float32. */
export const zeros = (shape: Shape): Tensor =>
  constant({ dtype: "float32", shape, data: new Float32Array(sizeOf(shape)) })

/** Output `output` of `node`. */
export const fromNode = (node: Node, output: number): Tensor => {
  const { dtype, shape } = node.types[output]!
  return { node, output, dtype, shape }
}

/** Every node that `roots` need, each after all of its inputs. Iterative: a deep graph must not exhaust the stack. */
export const topologicalOrder = (roots: Iterable<Tensor>): ReadonlyArray<Node> => {
  const order: Array<Node> = []
  const visited = new Set<Node>()
  const stack: Array<{ readonly node: Node; next: number }> = []
  for (const root of roots) {
    if (visited.has(root.node)) continue
    visited.add(root.node)
    stack.push({ node: root.node, next: 0 })
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!
      const child = top.node._tag === "Apply" ? top.node.inputs[top.next++] : undefined
      if (child === undefined) {
        order.push(top.node)
        stack.pop()
      } else if (!visited.has(child.node)) {
        visited.add(child.node)
        stack.push({ node: child.node, next: 0 })
      }
    }
  }
  return order
}
