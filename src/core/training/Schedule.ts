/**
 * Learning-rate schedules: pure functions of the step, put together by `warmup` and `join`.
 *
 *     const schedule = Schedule.warmup(3e-3, 20, Schedule.cosine(3e-3, 3e-4, 180))
 *
 * Steps count from 0: the first update uses `schedule(0)`. Rates are absolute. After its last step a schedule keeps its last
 * value.
 */
import * as Schema from "effect/Schema"

/** The learning rate of the update after `step` updates. */
export type Schedule = (step: number) => number

/** `rate` at every step. */
export const constant =
  (rate: number): Schedule =>
  () =>
    rate

/** From `from` at step 0 in a straight line to `to` at step `steps`. */
export const linear =
  (from: number, to: number, steps: number): Schedule =>
  (step) =>
    step >= steps ? to : from + (to - from) * fraction(step, steps)

/** Half a cosine wave from `from` down to `to`. Source: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983. */
export const cosine =
  (from: number, to: number, steps: number): Schedule =>
  (step) =>
    to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * fraction(step, steps)))

/** `schedules[i]` until step `boundaries[i]`; each counts its own steps from 0. There is one boundary less than schedules. */
export const join =
  (schedules: readonly [Schedule, ...ReadonlyArray<Schedule>], boundaries: ReadonlyArray<number>): Schedule =>
  (step) => {
    const past = boundaries.filter((boundary) => step >= boundary).length
    const index = Math.min(past, schedules.length - 1)
    return schedules[index]!(index === 0 ? step : step - boundaries[index - 1]!)
  }

/**
 * A straight line up to `rate` over `steps` steps, then `after`. The first step already has rate/steps: a rate of 0 would
 * waste it.
 */
export const warmup = (rate: number, steps: number, after: Schedule): Schedule =>
  steps === 0 ? after : join([linear(rate / steps, rate + rate / steps, steps), after], [steps])

/**
 * Warm-up, stable, decay: constant until the last `decaySteps`, then a straight line to `to`, which it reaches at `steps`. A
 * decay that is longer than `steps` takes all of them. Source: Hu et al. 2024 (MiniCPM), https://arxiv.org/abs/2404.06395.
 */
export const stableThenDecay = (rate: number, to: number, steps: number, decaySteps: number): Schedule => {
  const decay = Math.min(decaySteps, steps)
  return join([constant(rate), linear(rate, to, decay)], [steps - decay])
}

const fraction = (step: number, steps: number): number => (steps <= 0 ? 1 : Math.min(1, Math.max(0, step / steps)))

/** The schedules that a config can name. */
export const Name = Schema.Literal("constant", "linear", "cosine", "wsd")

/**
 * The schedule of a training run: warm-up, then the named shape over the steps that remain, down to `lr · minRatio` at
 * `maxSteps`. A warm-up that is longer than the run is not shortened: the rate rises until the run ends.
 */
export const fromConfig = (config: {
  readonly schedule: typeof Name.Type
  readonly lr: number
  readonly warmupSteps: number
  readonly maxSteps: number
  readonly minRatio: number
  /** For `wsd`: the share of all steps that the decay takes. */
  readonly decayFraction: number
}): Schedule => {
  const { lr, maxSteps, warmupSteps } = config
  const rest = Math.max(1, maxSteps - warmupSteps)
  const shape = {
    constant: () => constant(lr),
    linear: () => linear(lr, lr * config.minRatio, rest),
    cosine: () => cosine(lr, lr * config.minRatio, rest),
    wsd: () => stableThenDecay(lr, lr * config.minRatio, rest, Math.round(maxSteps * config.decayFraction))
  }[config.schedule]()
  return warmup(lr, warmupSteps, shape)
}
