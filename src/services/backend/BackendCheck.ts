/**
 * What every backend checks before it computes: state that Programs share, inputs, state values and names asked for.
 *
 * Pure decisions that end in a `BackendError` which names the tensor, what was expected and what was there. Numbers are
 * not looked at: NaN is a value.
 */
import * as Effect from "effect/Effect"
import { BackendError, type TensorDatas } from "../../core/Backend.ts"
import { type Program, roots, type TensorTypes } from "../../core/tensor/Program.ts"
import {
  sameShape,
  show,
  sizeOf,
  type TensorData,
  type TensorType,
  topologicalOrder
} from "../../core/tensor/Tensor.ts"

type Check<A = void> = Effect.Effect<A, BackendError>

/** The union of the Programs' state. Fails when one name has two types. */
export const sharedState = (programs: { readonly [name: string]: Program }): Check<TensorTypes> => {
  const shared = new Map<string, { readonly program: string; readonly type: TensorType }>()
  for (const [program, { state }] of Object.entries(programs)) {
    for (const [name, type] of Object.entries(state)) {
      const known = shared.get(name)
      if (known === undefined) shared.set(name, { program, type })
      else if (!sameType(known.type, type)) {
        return new BackendError({
          reason: "State",
          subject: name,
          details: `Program "${known.program}" declares ${show(known.type)}, and "${program}" declares ${show(type)}.`,
          remedy: "Programs that are compiled together share state by name: give one of them another name."
        })
      }
    }
  }
  return Effect.succeed(Object.fromEntries([...shared].map(([name, { type }]) => [name, type])))
}

/** Names of the state and of the inputs that the Program's results depend on. */
export const usedBy = (
  program: Program
): { readonly state: ReadonlyArray<string>; readonly inputs: ReadonlyArray<string> } => {
  const used = new Set(topologicalOrder(roots(program)).flatMap((node) => (node._tag === "Input" ? [node.name] : [])))
  return {
    state: Object.keys(program.state).filter((name) => used.has(`state/${name}`)),
    inputs: Object.keys(program.inputs).filter((name) => used.has(`input/${name}`))
  }
}

/** Every declared input is there and fits; nothing else is there. */
export const inputs = (program: Program, values: TensorDatas): Check => {
  for (const [name, type] of Object.entries(program.inputs)) {
    const value = values[name]
    if (value === undefined) return wrong("Input", name, `expected ${show(type)}, got nothing.`)
    const fault = faultOf(type, value)
    if (fault !== undefined) return wrong("Input", name, fault)
  }
  return known("Input", `Program "${program.name}" has no such input`, program.inputs, Object.keys(values))
}

/** Every value belongs to a state tensor and fits. */
export const stateValues = (types: TensorTypes, values: TensorDatas): Check =>
  Effect.zipRight(
    stateNames(types, Object.keys(values)),
    Effect.suspend(() => {
      for (const [name, value] of Object.entries(values)) {
        const fault = faultOf(types[name]!, value)
        if (fault !== undefined) return wrong("State", name, fault)
      }
      return Effect.void
    })
  )

export const stateNames = (types: TensorTypes, names: ReadonlyArray<string>): Check =>
  known("State", "no such state tensor", types, names)

export const outputs = (program: Program, names: ReadonlyArray<string>): Check =>
  known("Input", `Program "${program.name}" has no such output`, program.outputs, names)

export const neverWritten = (name: string): BackendError =>
  new BackendError({
    reason: "State",
    subject: name,
    details: "it is read before it was written.",
    remedy: "Call writeState with its first value."
  })

const sameType = (a: TensorType, b: TensorType) => a.dtype === b.dtype && sameShape(a.shape, b.shape)

const faultOf = (type: TensorType, value: TensorData): string | undefined => {
  if (!sameType(type, value)) return `expected ${show(type)}, got ${show(value)}.`
  const fits =
    type.dtype === "float32"
      ? value.data instanceof Float32Array || value.data instanceof Float64Array
      : type.dtype === "int32"
        ? value.data instanceof Int32Array
        : value.data instanceof Uint8Array
  if (!fits) return `expected numbers of ${type.dtype}, got a ${value.data.constructor.name}.`
  const size = sizeOf(type.shape)
  return value.data.length === size
    ? undefined
    : `expected ${size} numbers for ${show(type)}, got ${value.data.length}.`
}

const wrong = (reason: "Input" | "State", subject: string, details: string) =>
  new BackendError({ reason, subject, details })

const known = (reason: "Input" | "State", what: string, expected: object, names: ReadonlyArray<string>): Check => {
  const unknown = names.find((name) => !Object.hasOwn(expected, name))
  if (unknown === undefined) return Effect.void
  const available = Object.keys(expected).join(", ")
  return wrong(reason, unknown, `${what}. Known: ${available === "" ? "none" : available}.`)
}
