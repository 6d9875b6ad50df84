/**
 * The Programs of a language model in training, `train` (one optimizer step) and `evaluate` (scores without learning), and the
 * first values of its parameters.
 *
 * Both share the state `parameter/<name>`; `train` also keeps `optimizer/<name>`. Gradient accumulation is unrolled: the
 * batch is cut into micro-batches whose gradients are added up inside one graph, so only one micro-batch's activations
 * are in memory at a time and the result is that of the whole batch, with the dropout masks that the whole batch has.
 */
import type * as Effect from "effect/Effect"
import { PCGRandom } from "effect/Utils"
import { mix } from "../data/DataOrder.ts"
import type { Architecture } from "../Model.ts"
import { grad } from "../tensor/Gradient.ts"
import type { ParameterSpec, ParameterSpecs } from "../tensor/Module.ts"
import * as Optimizer from "../tensor/Optimizer.ts"
import { reshape, sum } from "../tensor/ops/broadcast.ts"
import { cast, lessOrEqual } from "../tensor/ops/compare.ts"
import { add, div, maximum, mul } from "../tensor/ops/elementwise.ts"
import { gatherElements } from "../tensor/ops/gather.ts"
import { crossEntropy } from "../tensor/ops/loss.ts"
import { seedOfPart } from "../tensor/ops/random.ts"
import { max } from "../tensor/ops/reduce.ts"
import { slice } from "../tensor/ops/shape.ts"
import * as Program from "../tensor/Program.ts"
import {
  integers,
  type ShapeError,
  scalar,
  sizeOf,
  type Tensor,
  type TensorData,
  type TensorType
} from "../tensor/Tensor.ts"

/** A target that is not scored. The number is PyTorch's. */
export const ignoreIndex = -100

const prefixed = <A>(prefix: string, record: { readonly [name: string]: A }) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [`${prefix}/${name}`, value]))

const under = <A>(prefix: string, record: { readonly [name: string]: A }) =>
  Object.fromEntries(
    Object.entries(record).flatMap(([name, value]) =>
      name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), value] as const] : []
    )
  )

/** The types of a model's parameters, by name. */
export const parameterTypes = (architecture: Architecture): Program.TensorTypes =>
  Object.fromEntries(
    Object.entries(architecture.parameters).map(([name, { shape }]) => [name, { dtype: "float32" as const, shape }])
  )

/** Names of state tensors: `parameter/…` and `optimizer/…`, and back. */
export const stateNames = {
  parameters: <A>(record: { readonly [name: string]: A }) => prefixed("parameter", record),
  optimizer: <A>(record: { readonly [name: string]: A }) => prefixed("optimizer", record),
  ofParameters: <A>(record: { readonly [name: string]: A }) => under("parameter", record),
  ofOptimizer: <A>(record: { readonly [name: string]: A }) => under("optimizer", record)
}

/** The sizes of a training step. */
export interface Sizes {
  /** Sequences of one optimizer step. */
  readonly batchSize: number
  readonly contextLength: number
  /** Parts into which the batch is cut; must divide it. */
  readonly accumulation: number
  /**
   * Factor of the loss before it is differentiated, taken out of the gradients again: a power of two, so no digit changes. Half
   * precision needs one, because gradients of a mean are too small for it (HalfPrecision.ts). Default: 1.
   */
  readonly lossScale?: number
}

/**
 * One optimizer step. Inputs: `tokens` and `targets` [B, T] int32, `learning_rate` and `step` float32 scalars (the first
 * step is 1), `seed` an int32 scalar for dropout. Outputs: `loss`, the mean −ln p of the scored targets in nats,
 * and `gradient_norm` before any clipping.
 */
export const trainProgram = (
  architecture: Architecture,
  optimizer: Optimizer.GradientTransformation,
  sizes: Sizes
): Effect.Effect<Program.Program, ShapeError | Program.ProgramError> => {
  const types = parameterTypes(architecture)
  const batch: TensorType = { dtype: "int32", shape: [sizes.batchSize, sizes.contextLength] }
  const float: TensorType = { dtype: "float32", shape: [] }
  return Program.make({
    name: "train",
    state: { ...prefixed("parameter", types), ...prefixed("optimizer", optimizer.state(types)) },
    inputs: { tokens: batch, targets: batch, learning_rate: float, step: float, seed: { dtype: "int32", shape: [] } },
    build: (state, inputs) => {
      const parameters = under("parameter", state)
      const names = Object.keys(parameters)
      const micro = sizes.batchSize / sizes.accumulation
      const rows = (tensor: Tensor, i: number) =>
        sizes.accumulation === 1 ? tensor : slice(tensor, 0, i * micro, (i + 1) * micro)
      const seed = (i: number) => (sizes.accumulation === 1 ? inputs.seed! : seedOfPart(inputs.seed!, i))
      const scored = sum(cast(lessOrEqual(integers([0], []), inputs.targets!), "float32"))
      const count = maximum(scored, scalar(1))
      const { lossScale = 1 } = sizes
      const scaled = (tensor: Tensor, by: number) => (by === 1 ? tensor : mul(tensor, scalar(by)))
      let loss: Tensor | undefined
      let gradients: ReadonlyArray<Tensor> | undefined
      for (let i = 0; i < sizes.accumulation; i++) {
        const logits = architecture.forward(parameters, rows(inputs.tokens!, i), { dropoutSeed: seed(i) })
        const nats = crossEntropy(logits, flat(rows(inputs.targets!, i)), { ignoreIndex })
        const part = div(sum(nats), count)
        const own = grad(
          scaled(part, lossScale),
          names.map((name) => parameters[name]!)
        ).map((gradient) => scaled(gradient, 1 / lossScale))
        loss = loss === undefined ? part : add(loss, part)
        gradients = gradients === undefined ? own : gradients.map((gradient, k) => add(gradient, own[k]!))
      }
      const named = Object.fromEntries(names.map((name, k) => [name, gradients![k]!]))
      const next = Optimizer.step(optimizer, named, {
        state: under("optimizer", state),
        parameters,
        step: inputs.step!,
        learningRate: inputs.learning_rate!
      })
      return {
        state: { ...prefixed("parameter", next.parameters), ...prefixed("optimizer", next.state) },
        outputs: { loss: loss!, gradient_norm: next.gradientNorm }
      }
    }
  })
}

/**
 * Scores of every position. Inputs: `tokens` and `targets` [B, T] int32. Outputs, each [B·T] float32: `nats`, −ln p of the
 * target (0 where the target is `ignoreIndex`), and `correct`, 1 where no token is more probable than the target.
 */
export const evaluateProgram = (
  architecture: Architecture,
  sizes: { readonly batchSize: number; readonly contextLength: number }
): Effect.Effect<Program.Program, ShapeError | Program.ProgramError> => {
  const batch: TensorType = { dtype: "int32", shape: [sizes.batchSize, sizes.contextLength] }
  return Program.make({
    name: "evaluate",
    state: prefixed("parameter", parameterTypes(architecture)),
    inputs: { tokens: batch, targets: batch },
    build: (state, inputs) => {
      const logits = architecture.forward(under("parameter", state), inputs.tokens!)
      const targets = flat(inputs.targets!)
      // An ignored target looks up token 0; the caller leaves those positions out.
      const nats = crossEntropy(logits, targets, { ignoreIndex })
      const likely = gatherElements(logits, maximum(targets, integers([0], [])))
      const best = max(logits, { axes: [1] })
      return { outputs: { nats, correct: cast(lessOrEqual(best, likely), "float32") } }
    }
  })
}

const flat = (tensor: Tensor): Tensor => reshape(tensor, [sizeOf(tensor.shape)])

/**
 * The first values of a model's parameters: a function of their specs and a seed. Every parameter has its own generator, seeded
 * by (seed, name), so adding a layer does not change the values of the others.
 */
export const initialParameters = (specs: ParameterSpecs, seed: number): { readonly [name: string]: TensorData } =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, initial(name, spec, seed)]))

const initial = (name: string, spec: ParameterSpec, seed: number): TensorData => {
  const data = new Float32Array(sizeOf(spec.shape))
  if (spec.initial._tag === "Constant") data.fill(spec.initial.value)
  else
    fillNormal(
      data,
      spec.initial.std,
      new PCGRandom(
        seed,
        [...name].reduce((hash, c) => mix(hash, c.codePointAt(0)!), 1)
      )
    )
  return { dtype: "float32", shape: spec.shape, data }
}

/** Box and Muller 1958: two normal numbers from two uniform ones. */
const fillNormal = (data: Float32Array, std: number, random: PCGRandom): void => {
  for (let i = 0; i < data.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - random.number()))
    const angle = 2 * Math.PI * random.number()
    data[i] = radius * Math.cos(angle)
    if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle)
  }
}
