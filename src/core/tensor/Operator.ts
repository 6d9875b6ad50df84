/**
 * One operator, whole: shape rule, reference evaluation, gradient, ONNX form per dialect, and how to test it.
 *
 * A definition is a plain value with required fields, so an operator without a gradient rule or a reference does not
 * compile. The contract suite (src/testing/operators.ts) enumerates `ops/index.ts`: an operator is tested because it
 * exists. Fields stand in this order in every definition: name, shape, reference, gradient, onnx, sample, tolerance,
 * points.
 *
 * Shape rules raise `ShapeError`. It is the one exception that codex throws on purpose: models are ordinary arithmetic
 * on tensors, and `Program.make` is the single place that catches it and turns it into a typed failure.
 */
import type { OnnxEmitter } from "./OnnxGraph.ts"
import { fromNode, ShapeError, show, type Tensor, type TensorData, type TensorType } from "./Tensor.ts"

export type Attribute = number | boolean | string | ReadonlyArray<number>
export type Attributes = { readonly [key: string]: Attribute }

/** Numbers of the reference evaluation: float64 for every float type. */
export interface NdArray {
  readonly dtype: TensorData["dtype"]
  readonly shape: TensorData["shape"]
  readonly data: Float64Array | Int32Array | Uint8Array
}

/** What a gradient rule is given. `gradients[i]` is missing where nothing depends on output i. */
export interface Backward<A extends Attributes> {
  readonly inputs: ReadonlyArray<Tensor>
  readonly outputs: ReadonlyArray<Tensor>
  readonly gradients: ReadonlyArray<Tensor | undefined>
  readonly attributes: A
}

/** The gradient of each input; `undefined` for an input through which nothing flows (indices, masks). */
export type GradientRule<A extends Attributes> = (backward: Backward<A>) => ReadonlyArray<Tensor | undefined>

export interface NonDifferentiable {
  readonly _tag: "NonDifferentiable"
  readonly reason: string
}

export const nonDifferentiable = (reason: string): NonDifferentiable => ({ _tag: "NonDifferentiable", reason })

/** Appends nodes that compute the outputs from the named inputs, and returns the outputs' names. */
export type OnnxForm<A extends Attributes> = (
  emit: OnnxEmitter,
  inputs: ReadonlyArray<string>,
  attributes: A,
  types: { readonly inputs: ReadonlyArray<TensorType>; readonly outputs: ReadonlyArray<TensorType> }
) => ReadonlyArray<string>

/** Random choices, made by the property test that asks for a sample. */
export interface Pick {
  /** A whole number, both ends included. */
  readonly int: (min: number, max: number) => number
  readonly of: <T>(choices: readonly [T, ...ReadonlyArray<T>]) => T
}

/** An input to test with: numbers drawn uniformly from `range` (whole numbers for int32; both ends included). */
export interface SampleInput extends TensorType {
  readonly range?: readonly [number, number]
}

export interface Sample<A extends Attributes> {
  readonly inputs: ReadonlyArray<SampleInput>
  readonly attributes: A
}

/** A special value with its answer, worked out by hand or taken from a source that the operator's doc names. */
export interface Point<A extends Attributes> {
  readonly inputs: ReadonlyArray<TensorData>
  readonly attributes: A
  readonly outputs: ReadonlyArray<ReadonlyArray<number>>
}

export interface Operator<A extends Attributes = Attributes> {
  readonly name: string
  /** Types of the outputs. Calls `broken` when the inputs do not fit. */
  shape(inputs: ReadonlyArray<TensorType>, attributes: A, broken: (rule: string) => never): ReadonlyArray<TensorType>
  reference(inputs: ReadonlyArray<NdArray>, attributes: A, outputs: ReadonlyArray<TensorType>): ReadonlyArray<NdArray>
  readonly gradient:
    | { bivarianceHack(backward: Backward<A>): ReadonlyArray<Tensor | undefined> }["bivarianceHack"]
    | NonDifferentiable
  /** The default form, and others where a provider needs one (with the reason in a comment). */
  readonly onnx: {
    default(...args: Parameters<OnnxForm<A>>): ReadonlyArray<string>
    webgpu?(...args: Parameters<OnnxForm<A>>): ReadonlyArray<string>
  }
  /** A random case inside the domain where finite differences make sense (positive for log, away from ties for max). */
  sample(pick: Pick): Sample<A>
  /**
   * For an operator that replaces rows of its first input: which inputs are the rows [..., n, D] and their position. Lets
   * a backend write them into state in place (RowUpdates.ts).
   */
  readonly rowUpdate?: { readonly rows: number; readonly position: number }
  /** Largest relative error of a float32 provider against the reference; 1e-4 unless the operator says why not. */
  readonly tolerance?: number
  readonly points: ReadonlyArray<Point<A>>
}

/** Applies an operator: checks the shapes and returns every output. Raises `ShapeError`. */
export const applyAll = <A extends Attributes>(
  operator: Operator<A>,
  inputs: ReadonlyArray<Tensor>,
  attributes: A
): ReadonlyArray<Tensor> => {
  const types = operator.shape(inputs, attributes, (rule) => {
    throw new ShapeError({ operator: operator.name, inputs: inputs.map(show), rule })
  })
  const node = { _tag: "Apply", operator, attributes, inputs, types } as const
  return types.map((_, i) => fromNode(node, i))
}

/** Applies an operator and returns its first output. Raises `ShapeError`. */
export const apply = <A extends Attributes>(
  operator: Operator<A>,
  inputs: ReadonlyArray<Tensor>,
  attributes: A
): Tensor => applyAll(operator, inputs, attributes)[0]!
