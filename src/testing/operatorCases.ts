/**
 * What the suites of operators.ts check, without a test framework: the cases of an operator, and how far a backend is from the reference.
 * bench/gpu.ts asks the same of a device on a machine that has no test framework.
 *
 * Each operator draws its own samples, with fast-check and a fixed seed.
 */
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Scope from "effect/Scope"
import { Backend, type BackendError } from "../core/Backend.ts"
import { grad } from "../core/tensor/Gradient.ts"
import {
  type AnyOperator,
  applyBound,
  type BoundOperator,
  type Pick,
  type SampleInput
} from "../core/tensor/Operator.ts"
import { sum } from "../core/tensor/ops/broadcast.ts"
import { add, mul } from "../core/tensor/ops/elementwise.ts"
import * as Program from "../core/tensor/Program.ts"
import * as Reference from "../core/tensor/Reference.ts"
import {
  constant,
  input,
  type NdArray,
  type ShapeError,
  scalar,
  show,
  sizeOf,
  type Tensor,
  type TensorData
} from "../core/tensor/Tensor.ts"

/** Largest error of a provider, relative to max(1, |x|), unless the operator has its own. */
const defaultTolerance = 1e-4

/** How many cases to draw. */
export interface OperatorTestOptions {
  /** Samples of each operator. Default: 24. */
  readonly samples?: number
  readonly seed?: number
}

/** One case: an operator with inputs. */
export interface Case {
  readonly operator: BoundOperator
  readonly inputs: ReadonlyArray<TensorData>
}

/** An output of a backend, or a gradient, beside the reference's. */
export interface Comparison {
  /** Which output of which case. */
  readonly what: string
  /** Largest |a − b| / max(1, |b|). */
  readonly difference: number
  /** The largest difference that is right. */
  readonly tolerance: number
}

/** Every case of an operator, forwards and backwards, in one compiled Program on the backend and in the reference. */
export const comparisons = (
  operator: AnyOperator,
  options: OperatorTestOptions = {}
): Effect.Effect<ReadonlyArray<Comparison>, BackendError | ShapeError | Program.ProgramError, Backend | Scope.Scope> =>
  Effect.gen(function* () {
    const points = operator.special.map(({ inputs, operator }): Case => ({ operator, inputs: inputs.map(inFloat32) }))
    const cases = [...points, ...casesOf(operator, options).map(rounded)]
    const { inputs, program } = yield* programOf(operator.name, cases)
    const executable = yield* (yield* Backend).compile({ program })
    const actual = yield* executable.run("program", inputs)
    const widened = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, Reference.fromData(value)]))
    const expected = Reference.run(program, {}, widened).outputs
    return Object.entries(expected).map(([name, value]) => {
      const each = cases[Number.parseInt(name, 10)]
      return {
        what: `${name} of ${each === undefined ? "" : described(each)}`,
        difference: differenceOf(actual[name]?.data ?? [], value.data),
        tolerance: value.dtype === "float32" ? (operator.tolerance ?? defaultTolerance) : 0
      }
    })
  })

/** A case in one line. */
export const described = ({ inputs, operator }: Case): string =>
  `${operator.name}(${inputs.map(show).join(", ")}) ${JSON.stringify(operator.attributes)}`

/** Largest |a − b| / max(1, |b|); infinite where only one is NaN or infinite, or the lengths differ. */
export const differenceOf = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (let i = 0; i < b.length; i++) {
    const [left, right] = [a[i]!, b[i]!]
    if (left === right || (Number.isNaN(left) && Number.isNaN(right))) continue
    const difference = Math.abs(left - right) / Math.max(1, Math.abs(right))
    largest = Number.isFinite(difference) ? Math.max(largest, difference) : Number.POSITIVE_INFINITY
  }
  return largest
}

/** Numbers in [0, 1) from a seed: mulberry32, whose state is one integer. */
export const numbersFrom = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** fast-check chooses shapes, attributes and the seed of the numbers; its bias towards small sizes is useful. */
export const casesOf = (operator: AnyOperator, { samples = 24, seed = 3 }: OperatorTestOptions): ReadonlyArray<Case> =>
  FastCheck.sample(FastCheck.tuple(FastCheck.gen(), FastCheck.integer()), { numRuns: samples, seed }).map(
    ([generate, start]) => {
      const pick: Pick = {
        int: (min, max) => generate(FastCheck.integer, { min, max }),
        of: (choices) => choices[generate(FastCheck.integer, { min: 0, max: choices.length - 1 })]!
      }
      const sample = operator.sampled(pick)
      const next = numbersFrom(start)
      return { operator: sample.operator, inputs: sample.inputs.map((each) => drawn(each, next)) }
    }
  )

const drawn = ({ dtype, range, shape }: SampleInput, next: () => number): TensorData => {
  const [from, to] = range ?? (dtype === "bool" ? [0, 1] : [-2, 2])
  const numbers = Array.from({ length: sizeOf(shape) }, next)
  if (dtype === "float32") return { dtype, shape, data: Float64Array.from(numbers, (u) => from + u * (to - from)) }
  const whole = numbers.map((u) => from + Math.floor(u * (to - from + 1)))
  return { dtype, shape, data: dtype === "int32" ? Int32Array.from(whole) : Uint8Array.from(whole) }
}

/** Both sides must start from the same numbers. */
const inFloat32 = (value: TensorData): TensorData =>
  value.dtype === "float32" ? { ...value, data: Float32Array.from(value.data) } : value

const rounded = (each: Case): Case => ({ ...each, inputs: each.inputs.map(inFloat32) })

/** Σ weight · output over the float outputs, and its gradient with respect to each float input. */
const differentiated = (outputs: ReadonlyArray<Tensor>, inputs: ReadonlyArray<Tensor>) => {
  const wrt = inputs.filter((tensor) => tensor.dtype === "float32")
  const next = numbersFrom(7)
  const terms = outputs.flatMap((output) => {
    if (output.dtype !== "float32") return []
    const weights = Float64Array.from({ length: sizeOf(output.shape) }, () => 2 * next() - 1)
    return [sum(mul(output, constant({ dtype: "float32", shape: output.shape, data: weights })))]
  })
  if (wrt.length === 0 || terms.length === 0) return undefined
  const loss = terms.reduce(add, scalar(0))
  return { loss, wrt, gradients: grad(loss, wrt) }
}

/** Slope of the loss along a random direction: by the gradient rule, and by central differences. */
export const slopesOf = ({ inputs: values, operator }: Case, next: () => number) => {
  const inputs = values.map((value, i) => input(String(i), value.dtype, value.shape))
  const graph = differentiated(applyBound(operator, inputs), inputs)
  if (graph === undefined) return undefined
  const directions = values.map((value) => Float64Array.from(value.data, () => 2 * next() - 1))
  const at = (step: number) =>
    new Map(
      values.map((value, i): [string, NdArray] => {
        const wide = Reference.fromData(value)
        if (wide.dtype !== "float32") return [String(i), wide]
        return [String(i), { ...wide, data: Float64Array.from(wide.data, (x, k) => x + step * directions[i]![k]!) }]
      })
    )
  const lossAt = (step: number) => Reference.evaluate([graph.loss], at(step))[0]!.data[0]!
  const step = 1e-5
  const gradients = Reference.evaluate(graph.gradients, at(0))
  let analytic = 0
  let size = 0
  graph.wrt.forEach((tensor, i) => {
    const direction = directions[inputs.indexOf(tensor)]!
    gradients[i]!.data.forEach((slope, k) => {
      analytic += slope * direction[k]!
      size += Math.abs(slope * direction[k]!)
    })
  })
  return { analytic, size, numeric: (lossAt(step) - lossAt(-step)) / (2 * step) }
}

/** All cases in one Program: outputs `<case>/<output>`, and `<case>/d<input>` where the operator can be differentiated. */
const programOf = (name: string, cases: ReadonlyArray<Case>) => {
  const inputs: Record<string, TensorData> = {}
  cases.forEach((each, i) => {
    each.inputs.forEach((value, k) => {
      inputs[`${i}/${k}`] = value
    })
  })
  const program = Program.make({
    name,
    state: {},
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const)
    ),
    build: (_, tensors) => {
      const outputs: Record<string, Tensor> = {}
      cases.forEach(({ inputs: values, operator }, i) => {
        const own = values.map((_, k) => tensors[`${i}/${k}`]!)
        const results = applyBound(operator, own)
        results.forEach((result, k) => {
          outputs[`${i}/${k}`] = result
        })
        if (typeof operator.gradient !== "function") return
        differentiated(results, own)?.gradients.forEach((gradient, k) => {
          outputs[`${i}/d${k}`] = gradient
        })
      })
      return { outputs }
    }
  })
  return Effect.map(program, (program) => ({ program, inputs }))
}
