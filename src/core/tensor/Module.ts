/**
 * Modules: pieces of a model that own named parameters.
 *
 * A module is a value with the specs of its parameters and a function that applies them, so a model is the union of its
 * modules' specs and ordinary composition of their `apply`. Parameters are looked up by full name.
 */
import type { Tensors } from "./Program.ts"
import type { Shape, Tensor } from "./Tensor.ts"

/** How a parameter starts. `std` is the standard deviation of a normal distribution around 0. */
export type Initial =
  | { readonly _tag: "Normal"; readonly std: number }
  | { readonly _tag: "Constant"; readonly value: number }

export interface ParameterSpec {
  readonly shape: Shape
  readonly initial: Initial
}

export type ParameterSpecs = { readonly [name: string]: ParameterSpec }

export interface Module<Input extends ReadonlyArray<unknown>> {
  readonly parameters: ParameterSpecs
  readonly apply: (parameters: Tensors, ...input: Input) => Tensor
}

/** The parameter of that name. Asking for one that no spec declares is a bug of the model, so it raises. */
export const parameter = (parameters: Tensors, name: string): Tensor => {
  const tensor = parameters[name]
  if (tensor === undefined) throw new RangeError(`no parameter "${name}"`)
  return tensor
}
