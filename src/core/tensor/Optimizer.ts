/**
 * Optimizers as pure values, in the shape of optax: what state they keep, and how gradients become new parameters.
 *
 * Both are graph transformations: `update` extends the training graph, so the optimizer runs where the model runs. State
 * starts at zero. `chain` composes; `learningRate` and `step` are inputs of the step, because a schedule is a function of
 * the step that is evaluated outside the graph (see LearningRate.ts).
 * Source of the shape: https://optax.readthedocs.io (GradientTransformation).
 */
import { add, div, exp, maximum, mul, sqrt, sub } from "./ops/elementwise.ts"
import { sumSquares } from "./ops/reduce.ts"
import type { Tensors, TensorTypes } from "./Program.ts"
import { scalar, type Tensor } from "./Tensor.ts"

export interface UpdateContext {
  readonly state: Tensors
  readonly parameters: Tensors
  /** float32 scalar, 1 for the first step. */
  readonly step: Tensor
  /** float32 scalar. */
  readonly learningRate: Tensor
}

/**
 * `updates` are gradients on the way in. A chain ends with an optimizer, whose updates are the new parameters.
 * `reports` are scalars worth showing.
 */
export interface GradientTransformation {
  readonly state: (parameters: TensorTypes) => TensorTypes
  readonly update: (
    updates: Tensors,
    context: UpdateContext
  ) => { readonly updates: Tensors; readonly state: Tensors; readonly reports: Tensors }
}

const mapValues = <A, B>(record: { readonly [name: string]: A }, f: (value: A, name: string) => B) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))

/** Applies transformations in order, each to the updates of the one before. State names must not collide. */
export const chain = (...transformations: ReadonlyArray<GradientTransformation>): GradientTransformation => ({
  state: (parameters) => Object.assign({}, ...transformations.map((each) => each.state(parameters))),
  update: (gradients, context) => {
    let updates = gradients
    let state: Tensors = {}
    let reports: Tensors = {}
    for (const each of transformations) {
      const next = each.update(updates, context)
      updates = next.updates
      state = { ...state, ...next.state }
      reports = { ...reports, ...next.reports }
    }
    return { updates, state, reports }
  }
})

/** ‖g‖ = sqrt(Σ over all parameters of Σ g²), a float32 scalar. */
export const globalNorm = (gradients: Tensors): Tensor => sqrt(Object.values(gradients).map(sumSquares).reduce(add))

/**
 * g · min(1, maxNorm / ‖g‖), with ‖g‖ as in `globalNorm`. Without a `maxNorm` nothing is clipped.
 * Source: Pascanu, Mikolov, Bengio 2013, https://arxiv.org/abs/1211.5063. Known difference from PyTorch: no 1e-6 is added
 * to the norm.
 */
export const clipByGlobalNorm = (maxNorm?: number): GradientTransformation => ({
  state: () => ({}),
  update: (gradients) => {
    if (maxNorm === undefined) return { updates: gradients, state: {}, reports: {} }
    const norm = globalNorm(gradients)
    const factor = div(scalar(maxNorm), maximum(norm, scalar(maxNorm)))
    return {
      updates: mapValues(gradients, (gradient) => mul(gradient, factor)),
      state: {},
      reports: {}
    }
  }
})

export interface AdamWOptions {
  /** Decay of the mean of the gradient. */
  readonly beta1: number
  /** Decay of the mean of its square. */
  readonly beta2: number
  /** Added to the root: keeps the step finite where gradients vanish. */
  readonly epsilon: number
  /** Fraction of a matrix that a learning rate of 1 would take away each step. Vectors and scalars never decay. */
  readonly weightDecay: number
}

/**
 * Adam with decoupled weight decay, on parameters of rank two or more.
 *
 *   m ← β₁m + (1−β₁)g     v ← β₂v + (1−β₂)g²     p ← p − lr·λ·p − lr · (m / (1−β₁ᵗ)) / (sqrt(v / (1−β₂ᵗ)) + ε)
 *
 * The bias corrections are folded into two scalars, so an element costs thirteen operations and no more:
 * m/(1−β₁ᵗ) / (sqrt(v/(1−β₂ᵗ)) + ε) = [c₂/c₁] · m / (sqrt(v) + ε·c₂), with c₁ = 1−β₁ᵗ and c₂ = sqrt(1−β₂ᵗ).
 * State: `adam.mean/<parameter>` and `adam.square/<parameter>`, float32, of the parameter's shape.
 * Source: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101; same numbers as torch.optim.AdamW.
 */
export const adamw = (options: AdamWOptions): GradientTransformation => ({
  state: (parameters) =>
    Object.fromEntries(
      Object.entries(parameters).flatMap(([name, type]) => [
        [`adam.mean/${name}`, type] as const,
        [`adam.square/${name}`, type] as const
      ])
    ),
  update: (gradients, { learningRate, parameters, state, step }) => {
    const { beta1, beta2, epsilon, weightDecay } = options
    const correction1 = sub(scalar(1), power(beta1, step))
    const correction2 = sqrt(sub(scalar(1), power(beta2, step)))
    const rate = mul(learningRate, div(correction2, correction1))
    const floor = mul(scalar(epsilon), correction2)
    const kept = sub(scalar(1), mul(learningRate, scalar(weightDecay)))
    const next: Record<string, Tensor> = {}
    const updates = mapValues(gradients, (gradient, name) => {
      const parameter = parameters[name]!
      const mean = add(mul(state[`adam.mean/${name}`]!, scalar(beta1)), mul(gradient, scalar(1 - beta1)))
      const square = add(
        mul(state[`adam.square/${name}`]!, scalar(beta2)),
        mul(mul(gradient, gradient), scalar(1 - beta2))
      )
      next[`adam.mean/${name}`] = mean
      next[`adam.square/${name}`] = square
      const towards = div(mul(mean, rate), add(sqrt(square), floor))
      const decays = weightDecay !== 0 && parameter.shape.length >= 2
      return sub(decays ? mul(parameter, kept) : parameter, towards)
    })
    return { updates, state: next, reports: {} }
  }
})

/** base^exponent for a fixed positive base. */
const power = (base: number, exponent: Tensor): Tensor => exp(mul(exponent, scalar(Math.log(base))))
