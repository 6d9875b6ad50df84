/**
 * Measures of work that a busy machine does not change much, for tests that compare it with a bound: no test compares times by the clock.
 */
import * as Effect from "effect/Effect"

/** The processor time that `run` takes in all threads of this process, in milliseconds. */
export const processorMillis = (run: () => void): number => {
  const before = process.cpuUsage()
  run()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1000
}

/**
 * How often the event loop turns while the effect runs. It turns thousands of times while a thread computes, and hardly ever if the
 * computation blocks it.
 */
export const loopTurns = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let turns = 0
    let next: NodeJS.Immediate
    const turn = () => {
      turns += 1
      next = setImmediate(turn)
    }
    next = setImmediate(turn)
    return effect.pipe(
      Effect.map(() => turns),
      Effect.ensuring(Effect.sync(() => clearImmediate(next)))
    )
  })

/** Waits until the condition holds, however long that takes. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition()
      ? Effect.void
      : Effect.zipRight(
          Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1))),
          until(condition)
        )
  )
