/**
 * Long computations that let the process live: after some milliseconds of work the event loop gets its turn, so that
 * signals, timers and other fibers are served.
 *
 * `Effect.yieldNow` would not do: it hands over to other fibers in a microtask, and a signal waits for the event loop.
 */
import * as Effect from "effect/Effect"

const WORK = 20

/** Comes back after the event loop has gone round once. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

export interface Breath {
  /** Whether it is time. */
  readonly due: () => boolean
  readonly take: Effect.Effect<void>
}

export const make = (): Breath => {
  let since = performance.now()
  return {
    due: () => performance.now() - since > WORK,
    take: Effect.map(turn, () => {
      since = performance.now()
    })
  }
}

/** Runs a generator to its end, with a breath where it yields and it is time; `report` is told what it last yielded. */
export const run = <Yielded, A>(
  steps: () => Generator<Yielded, A, void>,
  report: (yielded: Yielded) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<A> =>
  Effect.gen(function* () {
    const breath = make()
    const running = steps()
    for (;;) {
      const next = running.next()
      if (next.done === true) return next.value
      if (!breath.due()) continue
      yield* report(next.value)
      yield* breath.take
    }
  })
