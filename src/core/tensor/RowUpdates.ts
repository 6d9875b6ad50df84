/**
 * State of which a run replaces some rows and nothing else, such as a key/value cache.
 *
 * The graph still computes the whole new tensor for its own use, but a backend that owns the state need not fetch it: the
 * rows and their position say the same in a fraction of the bytes (for a cache of 256 tokens, one row of 256). Written
 * after the run has ended, so nothing in the graph sees a buffer change.
 */
import type { Program } from "./Program.ts"
import type { Node, Tensor } from "./Tensor.ts"

export interface RowUpdate {
  readonly state: string
  /** Outputs of the Program that hold the rows [..., n, D], and the int32 scalar position of the first one. */
  readonly rows: string
  readonly position: string
}

export interface Split {
  /** The Program without the new values of such state, and with their rows and positions as outputs. */
  readonly program: Program
  readonly updates: ReadonlyArray<RowUpdate>
}

export const split = (program: Program): Split => {
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
