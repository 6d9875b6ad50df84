/**
 * An ONNX graph as plain data, and the emitter that operators append to.
 *
 * Data only: turning a graph into protobuf bytes is the job of `services/backend/onnx/OnnxModel.ts`, so core needs no codec.
 * Names and meanings are those of the ONNX IR (https://github.com/onnx/onnx/blob/main/docs/IR.md).
 */
import type { Shape, TensorData, TensorType } from "./TensorData.ts"

/**
 * Providers whose operators differ enough to need other nodes. `portable` is for model files: the nodes of an operator are the same
 * for tensors of every size, and few operators are ONNX Runtime's own.
 */
export type Dialect = "cpu" | "webgpu" | "portable"

/** Integers are written as whole numbers, floats as `{ float }`: ONNX distinguishes the two, JavaScript does not. */
export type OnnxAttribute = number | string | ReadonlyArray<number> | { readonly float: number }

/** One operator of the graph. */
export interface OnnxNode {
  readonly opType: string
  /** "" is the standard's own set, "com.microsoft" ONNX Runtime's contributed operators. */
  readonly domain: string
  readonly inputs: ReadonlyArray<string>
  readonly outputs: ReadonlyArray<string>
  readonly attributes: { readonly [name: string]: OnnxAttribute }
}

/**
 * Tensors of codex are float32, int32 or bool. int64 exists for ONNX's own shape and axis operands, float16 between nodes
 * (HalfPrecision.ts): no input, output or initializer has it.
 */
export type OnnxDType = TensorType["dtype"] | "int64" | "float16"

/** ONNX's number of each element type (`TensorProto.DataType`), as Cast takes it. Only the inside of an operator is float64. */
export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 } as const

/** A constant of the graph. */
export interface OnnxInitializer {
  readonly name: string
  readonly dtype: OnnxDType
  readonly shape: ReadonlyArray<number>
  readonly data: TensorData["data"] | BigInt64Array
}

/** An input or output of the graph. A size that is only known at run time has a name: `batch`. */
export interface OnnxValue {
  readonly name: string
  readonly type: { readonly dtype: OnnxDType; readonly shape: ReadonlyArray<number | string> }
}

/** A graph; nodes stand after the nodes that they read. */
export interface OnnxGraph {
  readonly name: string
  readonly inputs: ReadonlyArray<OnnxValue>
  readonly outputs: ReadonlyArray<OnnxValue>
  readonly initializers: ReadonlyArray<OnnxInitializer>
  readonly nodes: ReadonlyArray<OnnxNode>
  /** Types of tensors between nodes, as far as they are known (ONNX's value_info); for analysis, not for the model's file. */
  readonly values?: ReadonlyArray<OnnxValue>
}

/** The shapes that a graph declares, and those that follow from them for views, casts and transposes. */
export const shapesOf = (graph: OnnxGraph): ReadonlyMap<string, Shape> => {
  const shapes = new Map<string, Shape>([
    ...[...graph.inputs, ...graph.outputs, ...(graph.values ?? [])].flatMap(({ name, type }) => {
      const sizes = type.shape.filter((size) => typeof size === "number")
      return sizes.length === type.shape.length ? [[name, sizes] as const] : []
    }),
    ...graph.initializers.map(({ name, shape }) => [name, shape] as const)
  ])
  const integers = new Map(graph.initializers.map(({ data, name }) => [name, data] as const))
  for (const { attributes, inputs, opType, outputs } of graph.nodes) {
    const [from, to] = [shapes.get(inputs[0] ?? ""), outputs[0]!]
    if (shapes.has(to)) continue
    if ((opType === "Identity" || opType === "Cast") && from !== undefined) shapes.set(to, from)
    if (opType === "Transpose" && from !== undefined && Array.isArray(attributes.perm)) {
      shapes.set(
        to,
        attributes.perm.map((axis: number) => from[axis]!)
      )
    }
    const target = opType === "Reshape" ? integers.get(inputs[1] ?? "") : undefined
    if (target !== undefined) shapes.set(to, Array.from(target, Number))
  }
  return shapes
}

/** Appends to a graph; an operator's ONNX form is called with one. */
export interface OnnxEmitter {
  /** Appends a node with one output and returns its name. "" is an optional input that is left out. */
  readonly node: (
    opType: string,
    inputs: ReadonlyArray<string>,
    attributes?: OnnxNode["attributes"],
    options?: { readonly domain?: string }
  ) => string
  /** The same for a node with several outputs. */
  readonly nodes: (
    count: number,
    opType: string,
    inputs: ReadonlyArray<string>,
    attributes?: OnnxNode["attributes"],
    options?: { readonly domain?: string }
  ) => ReadonlyArray<string>
  /** An int64 operand: axes, shapes, starts. Equal operands are stored once. */
  readonly int64: (values: ReadonlyArray<number>, shape?: ReadonlyArray<number>) => string
  /** A constant of codex's own types. Equal scalars are stored once. */
  readonly constant: (value: TensorData) => string
  /** A float32 scalar. */
  readonly float: (value: number) => string
  /** Whether a name is that of a constant. ONNX Runtime prepares constant operands of products when the session is made. */
  readonly isConstant: (name: string) => boolean
}
