/**
 * Modules: pieces of a model that own named parameters.
 *
 * A module is a value: the specs of its parameters, and a function that applies them to tensors. A model is the union of
 * its modules' specs (`declare`) and ordinary composition of their `apply`. Nothing is registered and nothing is mutated.
 * Weights have the layout of Hugging Face checkpoints: `linear` as PyTorch's Linear ([out, in]), `conv1d` as GPT-2's ([in, out]).
 */
import { add } from "./ops/elementwise.ts"
import { gather } from "./ops/gather.ts"
import { gemm } from "./ops/matmul.ts"
import { layerNorm as layerNormOf, rmsNorm as rmsNormOf } from "./ops/norm.ts"
import type { Tensors } from "./Program.ts"
import type { Shape, Tensor } from "./Tensor.ts"

/** The initial values of a parameter. `std` is the standard deviation of a normal distribution around 0. */
export type Initial =
  | { readonly _tag: "Normal"; readonly std: number }
  | { readonly _tag: "Constant"; readonly value: number }

/** Shape and initial values of a parameter. */
export interface ParameterSpec {
  readonly shape: Shape
  readonly initial: Initial
}

/** Specs by the name of the parameter. */
export type ParameterSpecs = { readonly [name: string]: ParameterSpec }

/** The parameters of a piece of a model, and its function of them and of its input. */
export interface Module<Input extends ReadonlyArray<unknown>> {
  readonly parameters: ParameterSpecs
  readonly apply: (parameters: Tensors, ...input: Input) => Tensor
}

/** The parameter of that name. One that no spec declares is a bug of the model, so it raises `RangeError`. */
export const parameter = (parameters: Tensors, name: string): Tensor => {
  const tensor = parameters[name]
  if (tensor === undefined) throw new RangeError(`no parameter "${name}"`)
  return tensor
}

/** The parameters of several modules, in order. */
export const declare = (...modules: ReadonlyArray<{ readonly parameters: ParameterSpecs }>): ParameterSpecs =>
  Object.assign({}, ...modules.map((module) => module.parameters))

const constant = (shape: Shape, value: number): ParameterSpec => ({ shape, initial: { _tag: "Constant", value } })
const normal = (shape: Shape, std: number): ParameterSpec => ({ shape, initial: { _tag: "Normal", std } })

/** The sizes of a projection. */
export interface Projection {
  readonly inputs: number
  readonly outputs: number
  readonly bias: boolean
  /** Standard deviation of the initial weights. */
  readonly std: number
}

/**
 * y = x · W (+ b) (+ residual)          x [T, in] → y [T, out]
 * Without a bias the residual is Gemm's C operand, which saves a pass over memory.
 */
const projection =
  (layout: "in_out" | "out_in") =>
  (name: string, { bias, inputs, outputs, std }: Projection): Module<[x: Tensor, residual?: Tensor]> => ({
    parameters: {
      [`${name}.weight`]: normal(layout === "in_out" ? [inputs, outputs] : [outputs, inputs], std),
      ...(bias ? { [`${name}.bias`]: constant([outputs], 0) } : {})
    },
    apply: (parameters, x, residual) => {
      const weight = parameter(parameters, `${name}.weight`)
      const transposeB = layout === "out_in"
      if (!bias) return gemm(x, weight, residual, { transposeB })
      const y = gemm(x, weight, parameter(parameters, `${name}.bias`), { transposeB })
      return residual === undefined ? y : add(y, residual)
    }
  })

/** PyTorch's `Linear`: weight [out, in]. */
export const linear = projection("out_in")

/** GPT-2's `Conv1D`: weight [in, out]. */
export const conv1d = projection("in_out")

/** Rows of a table [rows, C] by int32 index: [...] → [..., C]. */
export const embedding = (
  name: string,
  { rows, width, std }: { readonly rows: number; readonly width: number; readonly std: number }
): Module<[indices: Tensor]> => ({
  parameters: { [`${name}.weight`]: normal([rows, width], std) },
  apply: (parameters, indices) => gather(parameter(parameters, `${name}.weight`), indices)
})

/** LayerNorm over the last axis of [T, C], with gain and (optionally) bias. */
export const layerNorm = (name: string, width: number, bias: boolean, epsilon: number): Module<[x: Tensor]> => ({
  parameters: {
    [`${name}.weight`]: constant([width], 1),
    ...(bias ? { [`${name}.bias`]: constant([width], 0) } : {})
  },
  apply: (parameters, x) =>
    layerNormOf(
      x,
      parameter(parameters, `${name}.weight`),
      bias ? parameter(parameters, `${name}.bias`) : undefined,
      epsilon
    )
})

/** RMSNorm over the last axis of [T, C], with gain. */
export const rmsNorm = (name: string, width: number, epsilon: number): Module<[x: Tensor]> => ({
  parameters: { [`${name}.weight`]: constant([width], 1) },
  apply: (parameters, x) => rmsNormOf(x, parameter(parameters, `${name}.weight`), epsilon)
})
