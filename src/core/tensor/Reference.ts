/**
 * Evaluates Programs in plain TypeScript, in float64: the executable definition of what every Program means.
 *
 * It is the oracle that every backend is compared with, and it is slow on purpose: one loop per operator, no fusion.
 */
import { type Program, roots } from "./Program.ts"
import { type NdArray, type Node, type Tensor, type TensorData, topologicalOrder } from "./Tensor.ts"

/** Arrays by name. */
export type NdArrays = { readonly [name: string]: NdArray }

/** A copy of the numbers in the types that the reference computes with: float64 instead of float32. */
export const fromData = (value: TensorData): NdArray => ({
  dtype: value.dtype,
  shape: value.shape,
  data:
    value.dtype === "float32"
      ? Float64Array.from(value.data)
      : value.dtype === "int32"
        ? Int32Array.from(value.data)
        : Uint8Array.from(value.data)
})

/** Values of `tensors`, given the values of the graph's named inputs (`state/…`, `input/…`). */
export const evaluate = (
  tensors: ReadonlyArray<Tensor>,
  inputs: ReadonlyMap<string, NdArray>
): ReadonlyArray<NdArray> => {
  const values = new Map<Node, ReadonlyArray<NdArray>>()
  const valueOf = (tensor: Tensor): NdArray => values.get(tensor.node)![tensor.output]!
  for (const node of topologicalOrder(tensors)) {
    if (node._tag === "Constant") values.set(node, [fromData(node.value)])
    else if (node._tag === "Input") {
      const value = inputs.get(node.name)
      if (value === undefined) throw new RangeError(`no value for "${node.name}"`)
      values.set(node, [value])
    } else values.set(node, node.operator.reference(node.inputs.map(valueOf), node.types))
  }
  return tensors.map(valueOf)
}

/** One run of a Program. State that the Program does not write is returned as it was. */
export const run = (
  program: Program,
  state: NdArrays,
  inputs: NdArrays
): { readonly state: NdArrays; readonly outputs: NdArrays } => {
  const named = new Map<string, NdArray>()
  for (const name of Object.keys(program.state)) named.set(`state/${name}`, state[name]!)
  for (const name of Object.keys(program.inputs)) named.set(`input/${name}`, inputs[name]!)
  const values = evaluate(roots(program), named)
  const written = Object.keys(program.nextState)
  const entries = (names: ReadonlyArray<string>, from: number) =>
    names.map((name, i) => [name, values[from + i]!] as const)
  return {
    state: { ...state, ...Object.fromEntries(entries(written, 0)) },
    outputs: Object.fromEntries(entries(Object.keys(program.outputs), written.length))
  }
}
