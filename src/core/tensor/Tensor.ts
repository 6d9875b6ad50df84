/**
 * A tensor is a value in a graph that has not been computed yet: its type, and the node that will produce it.
 *
 * Graphs are immutable and have no builder: applying an operator makes a new node that points at its inputs, so a
 * graph is whatever is reachable from the tensors that a Program returns. Nothing here computes; `Reference` and the
 * backends do. Letters used for shapes everywhere: B batch, T tokens, C channels, V vocabulary, H heads, D head width.
 */
import * as Schema from "effect/Schema"
import type { Attributes, Operator } from "./Operator.ts"

export type DType = "float32" | "int32" | "bool"

/** Sizes of the axes, outermost first. `[]` is a scalar. */
export type Shape = ReadonlyArray<number>

export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

/** Numbers in row-major order. `float32` may be held as float64 by the reference backend; `bool` is one byte, 0 or 1. */
export interface TensorData {
  readonly dtype: DType
  readonly shape: Shape
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array
}

/** Where a tensor comes from: a named input of a Program, fixed numbers, or an operator applied to other tensors. */
export type Node =
  | { readonly _tag: "Input"; readonly name: string; readonly types: readonly [TensorType] }
  | { readonly _tag: "Constant"; readonly value: TensorData; readonly types: readonly [TensorType] }
  | {
      readonly _tag: "Apply"
      readonly operator: Operator
      readonly attributes: Attributes
      readonly inputs: ReadonlyArray<Tensor>
      readonly types: ReadonlyArray<TensorType>
    }

export interface Tensor extends TensorType {
  readonly node: Node
  /** Which output of the node this is. */
  readonly output: number
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

/** `float32[8, 128]` */
export const show = (type: TensorType): string => `${type.dtype}[${type.shape.join(", ")}]`

export const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1)

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((size, i) => size === b[i])

export const input = (name: string, dtype: DType, shape: Shape): Tensor =>
  fromNode({ _tag: "Input", name, types: [{ dtype, shape }] }, 0)

export const constant = (value: TensorData): Tensor =>
  fromNode({ _tag: "Constant", value, types: [{ dtype: value.dtype, shape: value.shape }] }, 0)

/** A float32 scalar. */
export const scalar = (value: number): Tensor => constant({ dtype: "float32", shape: [], data: Float32Array.of(value) })

/** An int32 tensor of fixed numbers; a flat list unless a shape is given. */
export const integers = (values: ArrayLike<number>, shape: Shape = [values.length]): Tensor =>
  constant({ dtype: "int32", shape, data: Int32Array.from(values) })

export const zeros = (shape: Shape): Tensor =>
  constant({ dtype: "float32", shape, data: new Float32Array(sizeOf(shape)) })

/** Output `output` of `node`. */
export const fromNode = (node: Node, output: number): Tensor => {
  const type = node.types[output]
  if (type === undefined) throw new RangeError(`the node has no output ${output}`)
  return { node, output, dtype: type.dtype, shape: type.shape }
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
