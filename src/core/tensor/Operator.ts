/**
 * One operator, complete: shape rule, reference evaluation, gradient, ONNX form per dialect, and how to test it.
 *
 * A definition is a plain value with required fields, so an operator without a gradient rule or a reference does not
 * compile. The contract suite (src/testing/operators.ts) enumerates `operators` of ops.ts, so every operator is tested.
 * Fields have this order in every definition: name, shape, reference, gradient, onnx, sample, tolerance, points.
 *
 * Shape rules raise `ShapeError`. It is the one exception that codex throws on purpose: models are ordinary arithmetic
 * on tensors, and `Program.make` is the single place that catches it and turns it into a typed failure.
 */
import type { OnnxEmitter } from "./OnnxGraph.ts"
import {
  type AppliedOperator,
  type Backward,
  fromNode,
  type NdArray,
  type NonDifferentiable,
  ShapeError,
  show,
  type Tensor,
  type TensorData,
  type TensorType
} from "./Tensor.ts"

export type { Dialect, OnnxEmitter } from "./OnnxGraph.ts"

/** Values that are fixed when a graph is built. */
export type Attributes = { readonly [key: string]: number | boolean | string | ReadonlyArray<number> }

/** The attributes of an operator that has none. */
export type NoAttributes = Readonly<Record<string, never>>

/** The gradient of each input; `undefined` for an input through which nothing flows (indices, masks). */
export type GradientRule<A> = (backward: Backward & { readonly attributes: A }) => ReadonlyArray<Tensor | undefined>

/** Says why no gradient flows through an operator. */
export const nonDifferentiable = (reason: string): NonDifferentiable => ({ _tag: "NonDifferentiable", reason })

/** Appends nodes that compute the outputs from the named inputs, and returns the outputs' names. */
export type OnnxForm<A> = (
  emit: OnnxEmitter,
  inputs: ReadonlyArray<string>,
  attributes: A,
  types: { readonly inputs: ReadonlyArray<TensorType>; readonly outputs: ReadonlyArray<TensorType> }
) => ReadonlyArray<string>

/** Random choices, made by the property test that draws a sample. */
export interface Pick {
  /** A whole number, both ends included. */
  readonly int: (min: number, max: number) => number
  readonly of: <T>(choices: readonly [T, ...ReadonlyArray<T>]) => T
}

/** An input to test with: numbers drawn uniformly from `range` (whole numbers for int32; both ends included). */
export interface SampleInput extends TensorType {
  readonly range?: readonly [number, number]
}

/** Inputs to draw, and attributes. */
export interface Sample<A> {
  readonly inputs: ReadonlyArray<SampleInput>
  readonly attributes: A
}

/** A special value with its answer, worked out by hand or taken from a source that the operator's doc names. */
export interface Point<A> {
  readonly inputs: ReadonlyArray<TensorData>
  readonly attributes: A
  readonly outputs: ReadonlyArray<ReadonlyArray<number>>
}

/** What an operator is made of. */
export interface Definition<A extends Attributes> {
  /** The name in shape errors and in the names of tests. */
  readonly name: string
  /** Types of the outputs. Calls `broken` with the rule that the inputs break. */
  readonly shape: (
    inputs: ReadonlyArray<TensorType>,
    attributes: A,
    broken: (rule: string) => never
  ) => ReadonlyArray<TensorType>
  /** The definition of what is computed, in float64: written to be read, not to be fast. */
  readonly reference: (
    inputs: ReadonlyArray<NdArray>,
    attributes: A,
    outputs: ReadonlyArray<TensorType>
  ) => ReadonlyArray<NdArray>
  readonly gradient: GradientRule<A> | NonDifferentiable
  /** The default form, and others where a provider needs one (with the reason in a comment). `portable` is by default that of WebGPU. */
  readonly onnx: { readonly default: OnnxForm<A>; readonly webgpu?: OnnxForm<A>; readonly portable?: OnnxForm<A> }
  /** A random case inside the domain where finite differences make sense (positive for log, away from ties for max). */
  readonly sample: (pick: Pick) => Sample<A>
  /**
   * For an operator that replaces rows of its first input: which inputs are the rows [..., n, D] and their position. Lets
   * a backend write them into state in place (Lower.ts).
   */
  readonly rowUpdate?: { readonly rows: number; readonly position: number }
  /** Largest relative error of a float32 provider against the reference; 1e-4 unless the operator says why not. */
  readonly tolerance?: number
  readonly points: ReadonlyArray<Point<A>>
}

/** An operator whose attributes are not known: what a list of operators holds. */
export interface AnyOperator {
  readonly name: string
  readonly tolerance?: number
  /** The random case of `sample`, with the operator bound to its attributes. */
  readonly sampled: (pick: Pick) => { readonly operator: BoundOperator; readonly inputs: ReadonlyArray<SampleInput> }
  /** The special points, each with the operator bound to its attributes. */
  readonly special: ReadonlyArray<{
    readonly operator: BoundOperator
    readonly inputs: ReadonlyArray<TensorData>
    readonly outputs: ReadonlyArray<ReadonlyArray<number>>
  }>
  /** Why no gradient flows; `undefined` where one does. */
  readonly nonDifferentiable: string | undefined
}

/** A definition that `make` has completed. */
export interface Operator<A extends Attributes = NoAttributes> extends Definition<A>, AnyOperator {}

/** An operator with its attributes: everything that depends on the inputs only. */
export interface BoundOperator extends AppliedOperator {
  readonly attributes: Attributes
  readonly shape: (inputs: ReadonlyArray<TensorType>, broken: (rule: string) => never) => ReadonlyArray<TensorType>
}

/**
 * An operator of a definition.
 *
 * @example
 * Operator.make<Operator.NoAttributes>({ name: "softplus", shape: …, reference: …, gradient: …, onnx: …, sample: …, points: [] })
 */
export const make = <A extends Attributes>(definition: Definition<A>): Operator<A> => ({
  ...definition,
  sampled: (pick) => {
    const { attributes, inputs } = definition.sample(pick)
    return { operator: bind(definition, attributes), inputs }
  },
  special: definition.points.map(({ attributes, inputs, outputs }) => ({
    operator: bind(definition, attributes),
    inputs,
    outputs
  })),
  nonDifferentiable: typeof definition.gradient === "function" ? undefined : definition.gradient.reason
})

/** The operator with its attributes filled in. */
export const bind = <A extends Attributes>(definition: Definition<A>, attributes: A): BoundOperator => {
  const { gradient, name, onnx, reference, rowUpdate, shape } = definition
  return {
    name,
    definition,
    attributes,
    shape: (inputs, broken) => shape(inputs, attributes, broken),
    reference: (inputs, outputs) => reference(inputs, attributes, outputs),
    gradient: typeof gradient === "function" ? (backward) => gradient({ ...backward, attributes }) : gradient,
    onnx: (dialect, emit, inputs, types) => {
      const webgpu = onnx.webgpu ?? onnx.default
      const form = { cpu: onnx.default, webgpu, portable: onnx.portable ?? webgpu }[dialect]
      return form(emit, inputs, attributes, types)
    },
    ...(rowUpdate === undefined ? {} : { rowUpdate })
  }
}

/** Applies a bound operator: checks the shapes and returns every output. Raises `ShapeError`. */
export const applyBound = (operator: BoundOperator, inputs: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> => {
  const types = operator.shape(inputs, (rule) => {
    throw new ShapeError({ operator: operator.name, inputs: inputs.map(show), rule })
  })
  const node = { _tag: "Apply", operator, inputs, types } as const
  return types.map((_, i) => fromNode(node, i))
}

/** Applies an operator: checks the shapes and returns every output. Raises `ShapeError`. */
export const applyAll = <A extends Attributes>(
  operator: Definition<A>,
  inputs: ReadonlyArray<Tensor>,
  attributes: A
): ReadonlyArray<Tensor> => applyBound(bind(operator, attributes), inputs)

/** Applies an operator and returns its first output. Raises `ShapeError`. */
export const apply = <A extends Attributes>(
  operator: Definition<A>,
  inputs: ReadonlyArray<Tensor>,
  attributes: A
): Tensor => applyAll(operator, inputs, attributes)[0]!

/**
 * Checks inputs against patterns: `["float32[T, C]", "float32[C]"]`. A letter means one size, the same wherever it is
 * written; `...` means any number of leading axes, the same everywhere. Calls `broken` with the patterns and the first
 * input that does not fit. Inputs from `required` on may be missing.
 *
 * Rules that are not patterns (batch axes that may be missing, sizes that divide) stay with the operator.
 */
export const expectInputs = (
  inputs: ReadonlyArray<TensorType>,
  patterns: ReadonlyArray<string>,
  broken: (rule: string) => never,
  required: number = patterns.length
): void => {
  const expected = `expects ${patterns.join(", ")}`
  if (inputs.length < required || inputs.length > patterns.length) broken(`${expected}; got ${inputs.length} inputs`)
  const bound = new Map<string, string>()
  inputs.forEach((input, i) => {
    const fault = faultOf(input, patterns[i]!, bound)
    if (fault !== undefined) broken(`${expected}; input ${i + 1} ${fault}`)
  })
}

const faultOf = (input: TensorType, pattern: string, bound: Map<string, string>): string | undefined => {
  const open = pattern.indexOf("[")
  const dtype = pattern.slice(0, open)
  if (input.dtype !== dtype) return `is ${input.dtype}`
  const letters = pattern
    .slice(open + 1, -1)
    .split(", ")
    .filter((letter) => letter !== "")
  const leading = letters[0] === "..."
  const fixed = leading ? letters.slice(1) : letters
  const rest = input.shape.length - fixed.length
  if (rest < 0 || (rest > 0 && !leading)) return `has ${input.shape.length} axes`
  const bindLetter = (letter: string, size: string) => {
    const known = bound.get(letter) ?? size
    bound.set(letter, known)
    return known === size ? undefined : `has ${letter} = ${size} where ${known} came before`
  }
  const faults = fixed.map((letter, i) => bindLetter(letter, String(input.shape[rest + i])))
  if (leading) faults.unshift(bindLetter("...", input.shape.slice(0, rest).join(", ")))
  return faults.find((fault) => fault !== undefined)
}
