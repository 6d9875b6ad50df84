/**
 * Turns a Program into what a backend runs: an ONNX graph in a dialect, and rows of state to replace in place.
 *
 * Equal sub-expressions become one node: gradient rules are free to write `tanh(x)` again without paying for it.
 * Names are `<operator>_<n>` in topological order, so the same Program always gives the same graph.
 */
import type { Dialect, OnnxDType, OnnxEmitter, OnnxGraph, OnnxInitializer, OnnxNode, OnnxValue } from "./OnnxGraph.ts"
import { type Program, roots } from "./Program.ts"
import { type Node, sizeOf, type Tensor, type TensorData, topologicalOrder } from "./Tensor.ts"

/** State the graph writes is named `next/<name>`, outputs `output/<name>`; inputs keep `state/<name>`, `input/<name>`. */
export const lower = (program: Program, dialect: Dialect): OnnxGraph => {
  const nodes: Array<OnnxNode> = []
  const initializers: Array<OnnxInitializer> = []
  const constants = new Set<string>()
  const interned = new Map<string, string>()
  let counter = 0
  const fresh = (hint: string) => `${hint}_${counter++}`

  const initializer = (dtype: OnnxDType, shape: ReadonlyArray<number>, data: OnnxInitializer["data"]): string => {
    const add = () => {
      const name = fresh("constant")
      initializers.push({ name, dtype, shape, data })
      constants.add(name)
      return name
    }
    // Large constants (weights of a decoding graph) are already distinct nodes; keys of them would cost memory.
    if (data.length > 64) return add()
    const key = `${dtype}[${shape.join()}]${data.join()}`
    const known = interned.get(key)
    if (known !== undefined) return known
    const name = add()
    interned.set(key, name)
    return name
  }

  const emitNodes: OnnxEmitter["nodes"] = (count, opType, inputs, attributes = {}, options = {}) => {
    const domain = options.domain ?? ""
    const key = `${domain}:${opType}(${inputs.join()})${JSON.stringify(attributes)}#${count}`
    const known = interned.get(key)
    if (known !== undefined) return known.split(",")
    const outputs = Array.from({ length: count }, () => fresh(opType))
    nodes.push({ opType, domain, inputs, outputs, attributes })
    interned.set(key, outputs.join())
    return outputs
  }
  const emit: OnnxEmitter = {
    node: (opType, inputs, attributes, options) => emitNodes(1, opType, inputs, attributes, options)[0]!,
    nodes: emitNodes,
    int64: (values, shape = [values.length]) => initializer("int64", shape, BigInt64Array.from(values, BigInt)),
    constant: (value: TensorData) => initializer(value.dtype, value.shape, narrow(value)),
    float: (value) => initializer("float32", [], Float32Array.of(value)),
    isConstant: (name) => constants.has(name)
  }

  const names = new Map<Node, ReadonlyArray<string>>()
  const nameOf = (tensor: Tensor): string => names.get(tensor.node)![tensor.output]!
  const used = topologicalOrder(roots(program))
  for (const node of used) {
    if (node._tag === "Input") names.set(node, [node.name])
    else if (node._tag === "Constant") names.set(node, [emit.constant(node.value)])
    else {
      const types = { inputs: node.inputs, outputs: node.types }
      names.set(node, node.operator.onnx(dialect, emit, node.inputs.map(nameOf), types))
    }
  }

  const isUsed = new Set(used.flatMap((node) => (node._tag === "Input" ? [node.name] : [])))
  const inputs: Array<OnnxValue> = [
    ...Object.entries(program.state).map(([name, type]) => ({ name: `state/${name}`, type })),
    ...Object.entries(program.inputs).map(([name, type]) => ({ name: `input/${name}`, type }))
  ].filter((value) => isUsed.has(value.name))
  const outputs = [
    ...Object.entries(program.nextState).map(([name, tensor]) => ({ name: `next/${name}`, tensor })),
    ...Object.entries(program.outputs).map(([name, tensor]) => ({ name: `output/${name}`, tensor }))
  ]
  // Each output of an ONNX graph needs its own name. The node that makes the tensor takes the first such name; a second
  // output of the same tensor, an input and a constant are copied.
  const made = new Set(nodes.flatMap((node) => node.outputs))
  const renamed = new Map<string, string>()
  const copies: Array<OnnxNode> = []
  for (const { name, tensor } of outputs) {
    const source = nameOf(tensor)
    if (made.has(source) && !renamed.has(source)) renamed.set(source, name)
    else copies.push({ opType: "Identity", domain: "", inputs: [source], outputs: [name], attributes: {} })
  }
  const finalName = (name: string) => renamed.get(name) ?? name
  return {
    name: program.name,
    inputs,
    outputs: outputs.map(
      ({ name, tensor }): OnnxValue => ({ name, type: { dtype: tensor.dtype, shape: tensor.shape } })
    ),
    initializers,
    nodes: [...nodes, ...copies].map((node) => ({
      ...node,
      inputs: node.inputs.map(finalName),
      outputs: node.outputs.map(finalName)
    })),
    values: used.flatMap((node) =>
      node._tag === "Apply" ? names.get(node)!.map((name, i) => ({ name: finalName(name), type: node.types[i]! })) : []
    )
  }
}

const narrow = (value: TensorData): TensorData["data"] => {
  if (value.data.length !== sizeOf(value.shape)) {
    throw new RangeError(`a constant of shape [${value.shape.join(", ")}] has ${value.data.length} numbers`)
  }
  return value.data instanceof Float64Array ? Float32Array.from(value.data) : value.data
}

/** Rows of a state tensor to replace after a run. */
export interface RowUpdate {
  readonly state: string
  /** Outputs of the Program that hold the rows [..., n, D], and the int32 scalar position of the first one. */
  readonly rows: string
  readonly position: string
}

/** A Program, and the row updates that were separated from it. */
export interface SplitProgram {
  /** The Program without the new values of such state, and with their rows and positions as outputs. */
  readonly program: Program
  readonly updates: ReadonlyArray<RowUpdate>
}

/**
 * Separates the state of which a run only replaces some rows, such as a key/value cache, from the rest of a Program.
 *
 * The graph still computes the whole new tensor for its own use, but a backend that owns the state need not fetch it: the
 * rows and their position are a fraction of the bytes (for a cache of 256 tokens, one row of 256). They are written after
 * the run has ended, so no node of the graph sees a buffer change.
 */
export const splitRowUpdates = (program: Program): SplitProgram => {
  const nextState: Record<string, Tensor> = {}
  const outputs: Record<string, Tensor> = {}
  const updates: Array<RowUpdate> = []
  const positions = new Map<Node, string>()
  for (const [state, tensor] of Object.entries(program.nextState)) {
    const update = updateOf(state, tensor)
    if (update === undefined) {
      nextState[state] = tensor
      continue
    }
    const position = positions.get(update.position.node) ?? `position of ${state}`
    positions.set(update.position.node, position)
    outputs[position] = update.position
    const rows = `rows of ${state}`
    outputs[rows] = update.rows
    updates.push({ state, rows, position })
  }
  return { program: { ...program, nextState, outputs: { ...program.outputs, ...outputs } }, updates }
}

const updateOf = (
  state: string,
  { node }: Tensor
): { readonly rows: Tensor; readonly position: Tensor } | undefined => {
  if (node._tag !== "Apply" || node.operator.rowUpdate === undefined) return undefined
  const [base] = node.inputs
  if (base?.node._tag !== "Input" || base.node.name !== `state/${state}`) return undefined
  const rows = node.inputs[node.operator.rowUpdate.rows]
  const position = node.inputs[node.operator.rowUpdate.position]
  return rows === undefined || position === undefined ? undefined : { rows, position }
}
