/**
 * Optimizers as small gradient transformations, in the shape of optax.
 *
 * A transformation maps updates to updates and keeps its own state. The first of a chain gets the gradients; what the last
 * one returns is added to the parameters: p ← p + u. All of it extends the training graph, so the optimizer runs where
 * the model runs. Shapes never change: an update has the shape of its parameter.
 *
 *     const optimizer = chain(clipByGlobalNorm(1), scaleByAdam(), addDecayedWeights(0.1), scaleByLearningRate())
 *
 * All state is zero before the first step. Its names are those of the transformation, after its position in the chain:
 * `1/adam.mean/<parameter>` above, `0/1/adam.mean/…` where a chain is the first part of another. So two transformations
 * of one kind do not collide, and a state that was saved by another chain does not fit.
 * Source of the shape: https://optax.readthedocs.io (GradientTransformation). Known difference from optax: the learning
 * rate and the number of the step are inputs of the step, because schedules are evaluated outside of the graph.
 */
import * as Schema from "effect/Schema"
import { describe } from "../config/ConfigIssue.ts"
import { Count, Decay, NonNegative, Positive } from "../Numbers.ts"
import { reshape } from "./ops/broadcast.ts"
import { add, div, exp, maximum, mul, neg, sqrt, sub } from "./ops/elementwise.ts"
import { sumSquares } from "./ops/reduce.ts"
import { concat, split } from "./ops/shape.ts"
import type { Tensors, TensorTypes } from "./Program.ts"
import { combineScalars } from "./Scalars.ts"
import { type Shape, ShapeError, scalar, sizeOf, type Tensor, type TensorType } from "./Tensor.ts"

/** What a transformation is called with in addition to the updates. */
export interface UpdateContext {
  /** Its own state, under the names that `state` declares. */
  readonly state: Tensors
  readonly parameters: Tensors
  /** The number of the step as a float32 scalar, 1 for the first. */
  readonly step: Tensor
  /** The learning rate of the step, a float32 scalar. */
  readonly learningRate: Tensor
}

/** A map from updates to updates, with state. */
export interface GradientTransformation {
  /** The state tensors for parameters of these types. All of them start at zero. */
  readonly state: (parameters: TensorTypes) => TensorTypes
  /** The new updates, one for each parameter, and the new state under the same names. */
  readonly update: (updates: Tensors, context: UpdateContext) => { readonly updates: Tensors; readonly state: Tensors }
  /** A whole step, where the transformation has a shorter way than to add its updates to the parameters: see `flatten`. */
  readonly step?: (gradients: Tensors, context: UpdateContext) => OptimizerStep
}

/** The result of a step of an optimizer. */
export interface OptimizerStep {
  /** The new parameters, p + u. */
  readonly parameters: Tensors
  /** The new state of the optimizer. */
  readonly state: Tensors
  /** ‖g‖ of the gradients, before any clipping. */
  readonly gradientNorm: Tensor
}

const mapValues = <A, B>(record: { readonly [name: string]: A }, f: (value: A, name: string) => B) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))

/**
 * Options are checked when the graph is built. Raises `ShapeError`, which `Program.make` turns into a typed failure: outside of
 * its range a number would give NaN in every parameter.
 */
const check = (
  operator: string,
  ranges: { readonly [option: string]: readonly [schema: Schema.Schema<number>, value: number] }
): void => {
  for (const [option, [schema, value]] of Object.entries(ranges)) {
    if (Schema.is(schema)(value)) continue
    throw new ShapeError({ operator, inputs: [], rule: `${option} must be ${describe(schema.ast)}, not ${value}` })
  }
}

const stateless = (update: (updates: Tensors, context: UpdateContext) => Tensors): GradientTransformation => ({
  state: () => ({}),
  update: (updates, context) => ({ updates: update(updates, context), state: {} })
})

/** Leaves the updates as they are. */
export const identity: GradientTransformation = stateless((updates) => updates)

/**
 * Applies the transformations in order, each to the updates of the one before it.
 *
 * @example
 * chain(clipByGlobalNorm(1), scaleByLearningRate()) // gradient descent with clipping
 */
export const chain = (...transformations: ReadonlyArray<GradientTransformation>): GradientTransformation => ({
  state: (parameters) =>
    Object.assign({}, ...transformations.map((each, position) => withPrefix(position, each.state(parameters)))),
  update: (gradients, context) => {
    let updates = gradients
    let state: Tensors = {}
    transformations.forEach((each, position) => {
      const next = each.update(updates, { ...context, state: withoutPrefix(position, context.state) })
      updates = next.updates
      state = { ...state, ...withPrefix(position, next.state) }
    })
    return { updates, state }
  }
})

const withPrefix = <A>(position: number, record: { readonly [name: string]: A }): { readonly [name: string]: A } =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [`${position}/${name}`, value]))

const withoutPrefix = (position: number, state: Tensors): Tensors => {
  const prefix = `${position}/`
  return Object.fromEntries(
    Object.entries(state).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : []
    )
  )
}

/** ‖u‖ = sqrt(Σ over all parameters of Σ u²), a float32 scalar. Needs one parameter or more. */
export const globalNorm = (updates: Tensors): Tensor => sqrt(Object.values(updates).map(sumSquares).reduce(add))

/**
 * Shortens the updates, taken together as one vector, to at most `maxNorm`:  u · min(1, maxNorm / ‖u‖).
 *
 * `maxNorm` is a bound on the length of the whole gradient, so that one bad batch cannot move the parameters far; 1
 * is usual for language models. No state. Source: Pascanu, Mikolov & Bengio 2013, https://arxiv.org/abs/1211.5063.
 * Known difference from torch.nn.utils.clip_grad_norm_: no 1e-6 is added to the norm.
 */
export const clipByGlobalNorm = (maxNorm: number): GradientTransformation =>
  stateless((updates) => {
    check("clipByGlobalNorm", { maxNorm: [Positive, maxNorm] })
    const factor = div(scalar(maxNorm), maximum(globalNorm(updates), scalar(maxNorm)))
    return mapValues(updates, (update) => mul(update, factor))
  })

/** The decay rates of Adam's means, and the term that keeps its quotient finite. */
export interface AdamOptions {
  /** Decay β₁ of the mean of the gradient, below 1: it remembers about 1 / (1 − β₁) steps. Default: 0.9. */
  readonly beta1?: number
  /** Decay β₂ of the mean of its square, below 1. 0.95 adapts faster than the default 0.999 and suits short runs. */
  readonly beta2?: number
  /** ε, added to the root, not inside it: bounds the update where gradients vanish. Default: 1e-8. */
  readonly epsilon?: number
}

/**
 * Divides each element by the size that its gradient usually has, after a mean over time: Adam without its learning rate.
 *
 *     m ← β₁·m + (1 − β₁)·u        v ← β₂·v + (1 − β₂)·u²        u ← m̂ / (sqrt(v̂) + ε)
 *     m̂ = m / (1 − β₁ᵗ)            v̂ = v / (1 − β₂ᵗ)             t = 1 for the first step
 *
 * m̂ and v̂ correct the means for their start at zero. Both corrections are scalars of the step, so they are applied as two
 * scalars: m̂ / (sqrt(v̂) + ε) = m·(c₂/c₁) / (sqrt(v) + ε·c₂) with c₁ = 1 − β₁ᵗ and c₂ = sqrt(1 − β₂ᵗ).
 *
 * State: `adam.mean/<parameter>` (m) and `adam.square/<parameter>` (v), float32, of the parameter's shape.
 * Source: Kingma & Ba 2015, https://arxiv.org/abs/1412.6980. Known difference from optax: no `eps_root`.
 */
export const scaleByAdam = ({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8
}: AdamOptions = {}): GradientTransformation => ({
  state: (parameters) =>
    Object.fromEntries(
      Object.entries(parameters).flatMap(([name, type]) => [
        [`adam.mean/${name}`, type] as const,
        [`adam.square/${name}`, type] as const
      ])
    ),
  update: (gradients, { state, step }) => {
    check("scaleByAdam", { beta1: [Decay, beta1], beta2: [Decay, beta2], epsilon: [Positive, epsilon] })
    const correction1 = sub(scalar(1), power(beta1, step))
    const correction2 = sqrt(sub(scalar(1), power(beta2, step)))
    const corrections = div(correction2, correction1)
    const floor = mul(scalar(epsilon), correction2)
    const next: Record<string, Tensor> = {}
    const updates = mapValues(gradients, (gradient, name) => {
      const mean = add(mul(state[`adam.mean/${name}`]!, scalar(beta1)), mul(gradient, scalar(1 - beta1)))
      const square = add(
        mul(state[`adam.square/${name}`]!, scalar(beta2)),
        mul(mul(gradient, gradient), scalar(1 - beta2))
      )
      next[`adam.mean/${name}`] = mean
      next[`adam.square/${name}`] = square
      return div(mul(mean, corrections), add(sqrt(square), floor))
    })
    return { updates, state: next }
  }
})

/** base^exponent for a fixed positive base. */
const power = (base: number, exponent: Tensor): Tensor => exp(mul(exponent, scalar(Math.log(base))))

/** Which parameters decay: true for those that do. */
export type ParameterMask = (name: string, type: TensorType) => boolean

/**
 * Adds a share of the parameter to its update:  u + rate · p.  Weight decay that is decoupled from the gradient.
 *
 * `rate` is the fraction of a parameter that a learning rate of 1 would take away each step, so it comes before
 * `scaleByLearningRate`. `mask` chooses the parameters. By default those with two axes or more decay: matrices, but neither
 * biases nor the gains of norms. No state. Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101.
 * Known difference from optax: there the default is to decay everything.
 */
export const addDecayedWeights = (
  rate: number,
  { mask = (_, type) => type.shape.length >= 2 }: { readonly mask?: ParameterMask } = {}
): GradientTransformation =>
  rate === 0
    ? identity
    : stateless((updates, { parameters }) => {
        check("addDecayedWeights", { rate: [NonNegative, rate] })
        return mapValues(updates, (update, name) => {
          const parameter = parameters[name]!
          return mask(name, parameter) ? add(update, mul(parameter, scalar(rate))) : update
        })
      })

/**
 * Multiplies by −lr, the learning rate of the step: the direction in which the loss rises becomes a step in the
 * opposite direction. The end of a chain. No state. Known difference from optax: the rate is an input of the step,
 * not an argument.
 */
export const scaleByLearningRate = (): GradientTransformation =>
  stateless((updates, { learningRate }) => {
    const factor = neg(learningRate)
    return mapValues(updates, (update) => mul(update, factor))
  })

/** Options of `adamw`. */
export interface AdamWOptions extends AdamOptions {
  /** The rate of `addDecayedWeights`, for matrices only. Default: 0.01. */
  readonly weightDecay?: number
  /** The bound of `clipByGlobalNorm`. Default: no clipping. */
  readonly maxNorm?: number | undefined
}

/**
 * Adam with decoupled weight decay on matrices, and optional clipping: a chain of four.
 *
 *     clipByGlobalNorm(maxNorm) → scaleByAdam({ … }) → addDecayedWeights(weightDecay) → scaleByLearningRate()
 *     p ← p − lr · (m̂ / (sqrt(v̂) + ε) + λ·p)
 *
 * State: `1/adam.mean/<parameter>` and `1/adam.square/<parameter>`, whether it clips or not.
 * Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101; the same numbers as torch.optim.AdamW with decay for
 * matrices only. Known difference from torch: there every parameter decays by default.
 *
 * @example
 * adamw({ beta2: 0.95, weightDecay: 0.1, maxNorm: 1 })
 */
export const adamw = ({ maxNorm, weightDecay = 0.01, ...adam }: AdamWOptions = {}): GradientTransformation =>
  chain(
    maxNorm === undefined ? identity : clipByGlobalNorm(maxNorm),
    scaleByAdam(adam),
    addDecayedWeights(weightDecay),
    scaleByLearningRate()
  )

/** p + u for each parameter. */
export const applyUpdates = (parameters: Tensors, updates: Tensors): Tensors =>
  mapValues(parameters, (parameter, name) => add(parameter, updates[name]!))

/**
 * One step of an optimizer: the new parameters p + u, the new state, and the norm of the gradients.
 *
 * Written out, u = −lr·(m·c / d + λ·p) costs a pass over memory for each sign, and ONNX Runtime fuses none of them. The factors
 * lr, c and λ are scalars, so they are combined first (Scalars.ts): p + u = p·(1 − lr·λ) + m·(−lr·c) / d.
 */
export const step = (optimizer: GradientTransformation, gradients: Tensors, context: UpdateContext): OptimizerStep => {
  if (optimizer.step !== undefined) return optimizer.step(gradients, context)
  const { state, updates } = optimizer.update(gradients, context)
  // These are computed in any case: splitting them would compute them twice.
  const kept = [gradients, context.parameters, context.state, state].flatMap((tensors) => Object.values(tensors))
  const parameters = applyUpdates(context.parameters, updates)
  return {
    parameters: mapValues(parameters, (parameter) => combineScalars(parameter, kept)),
    state,
    gradientNorm: globalNorm(gradients)
  }
}

/** Options of `flatten`. */
export interface FlattenOptions {
  /**
   * Most elements of a vector; a parameter that is larger has a vector of its own. Default: 2²⁵, which are 128 MiB, the
   * largest buffer that every WebGPU device can bind.
   */
  readonly maxElements?: number
}

/** Parameters that share a vector. */
interface Pack {
  readonly name: string
  /** [1, n] for matrices and [n] for everything else, so that a mask by the number of axes, as that of weight decay, still holds. */
  readonly shape: Shape
  readonly members: ReadonlyArray<{ readonly name: string; readonly shape: Shape; readonly size: number }>
}

/**
 * Runs a transformation over a few long vectors instead of over each parameter: the kernels of a step no longer grow with the
 * number of parameters, which is what a step of a small model on a graphics card consists of. The numbers are the same: an
 * element is computed by the same operations; only the norm of the gradients is added up in another order.
 *
 * Parameters of two or more axes become vectors `matrix.<i>` [1, n], the others `vector.<i>` [n], in their order and at most
 * `maxElements` long. The inner transformation sees these, so it must treat each element by itself or all of them together
 * (`scaleByAdam`, `clipByGlobalNorm`), and a mask by name does not find the parameters.
 *
 * State: that of the inner transformation for the vectors, `1/adam.mean/matrix.0`. A run that was saved with another form
 * is not resumed. Source: optax.flatten. Known difference: there everything becomes one vector.
 *
 * @example
 * flatten(adamw({ weightDecay: 0.1, maxNorm: 1 }))
 */
export const flatten = (
  inner: GradientTransformation,
  { maxElements = 2 ** 25 }: FlattenOptions = {}
): GradientTransformation => {
  const packed = (tensors: Tensors, context: UpdateContext) => {
    const packs = packsOf(context.parameters, maxElements)
    const parameters = joined(packs, context.parameters)
    return { packs, tensors: joined(packs, tensors), context: { ...context, parameters } }
  }
  return {
    state: (parameters) =>
      inner.state(
        Object.fromEntries(
          packsOf(parameters, maxElements).map(({ name, shape }) => [name, { dtype: "float32" as const, shape }])
        )
      ),
    update: (updates, context) => {
      check("flatten", { maxElements: [Count, maxElements] })
      const { context: own, packs, tensors } = packed(updates, context)
      const next = inner.update(tensors, own)
      return { updates: parted(packs, next.updates), state: next.state }
    },
    step: (gradients, context) => {
      check("flatten", { maxElements: [Count, maxElements] })
      const { context: own, packs, tensors } = packed(gradients, context)
      const next = step(inner, tensors, own)
      return { ...next, parameters: parted(packs, next.parameters) }
    }
  }
}

const packsOf = (parameters: TensorTypes, maxElements: number): ReadonlyArray<Pack> =>
  (["matrix", "vector"] as const).flatMap((kind) => {
    const packs: Array<{ size: number; readonly members: Array<Pack["members"][number]> }> = []
    for (const [name, { shape }] of Object.entries(parameters)) {
      if (shape.length >= 2 !== (kind === "matrix")) continue
      const size = sizeOf(shape)
      const last = packs[packs.length - 1]
      if (last !== undefined && last.size + size <= maxElements) {
        last.size += size
        last.members.push({ name, shape, size })
      } else packs.push({ size, members: [{ name, shape, size }] })
    }
    return packs.map(({ members, size }, i) => ({
      name: `${kind}.${i}`,
      shape: kind === "matrix" ? [1, size] : [size],
      members
    }))
  })

/** One vector for each pack. */
const joined = (packs: ReadonlyArray<Pack>, tensors: Tensors): Tensors =>
  Object.fromEntries(
    packs.map(({ members, name, shape }) => {
      const parts = members.map((member) =>
        reshape(tensors[member.name]!, [...shape.slice(1).map(() => 1), member.size])
      )
      return [name, concat(parts, -1)]
    })
  )

/** The parameters of all packs, in the shapes that they have. */
const parted = (packs: ReadonlyArray<Pack>, vectors: Tensors): Tensors =>
  Object.fromEntries(
    packs.flatMap(({ members, name }) => {
      const sizes = members.map(({ size }) => size)
      const parts = split(vectors[name]!, sizes, -1)
      return members.map((member, i) => [member.name, reshape(parts[i]!, member.shape)] as const)
    })
  )
