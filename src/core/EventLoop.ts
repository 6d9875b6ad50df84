/**
 * Long computations that share the event loop: after some milliseconds of work, signals, timers and other fibers run.
 *
 * `Effect.yieldNow` is not enough: it hands over to other fibers in a microtask, and a signal waits for the event loop.
 */
import * as Effect from "effect/Effect"

/** Milliseconds of work after which the event loop runs. */
const SLICE = 20

/** Waits until the event loop has run once. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** Time to work before the event loop must run again. */
export interface TimeSlice {
  readonly isOver: () => boolean
  /** Lets the event loop run, and begins the next slice. */
  readonly next: Effect.Effect<void>
}

/** A slice of `millis` that begins now. */
export const timeSlice = (millis = SLICE): TimeSlice => {
  let since = performance.now()
  return {
    isOver: () => performance.now() - since > millis,
    next: Effect.map(turn, () => {
      since = performance.now()
    })
  }
}

/**
 * Runs a generator to its end. When a time slice is over at a `yield`, `report` gets the yielded value and the event loop
 * runs.
 */
export const run = <Yielded, A>(
  steps: () => Generator<Yielded, A, void>,
  report: (yielded: Yielded) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<A> =>
  Effect.gen(function* () {
    const slice = timeSlice()
    const running = steps()
    for (;;) {
      const next = running.next()
      if (next.done === true) return next.value
      if (!slice.isOver()) continue
      yield* report(next.value)
      yield* slice.next
    }
  })

/** Numbers that are sorted at once, below a millisecond. */
const SORTED_RUN = 1 << 12

/**
 * The numbers from 0 to `count` − 1 in the order of `compare`, for `run`: a merge sort that yields every few ten thousand
 * comparisons, because `Array.sort` would block the thread for seconds on millions of items. Equal items keep their order.
 */
export const sortIndexes = function* (
  count: number,
  compare: (a: number, b: number) => number
): Generator<undefined, Int32Array<ArrayBuffer>, void> {
  let from = new Int32Array(count)
  for (let i = 0; i < count; i++) from[i] = i
  for (let start = 0; start < count; start += SORTED_RUN) {
    from.subarray(start, start + SORTED_RUN).sort(compare)
    yield
  }
  let to = new Int32Array(count)
  let steps = 0
  for (let width = SORTED_RUN; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(start + 2 * width, count)
      let [left, right] = [start, middle]
      for (let at = start; at < end; at++) {
        const takeLeft = right === end || (left < middle && compare(from[left]!, from[right]!) <= 0)
        to[at] = takeLeft ? from[left++]! : from[right++]!
        if (++steps % (8 * SORTED_RUN) === 0) yield
      }
    }
    ;[from, to] = [to, from]
  }
  return from
}
