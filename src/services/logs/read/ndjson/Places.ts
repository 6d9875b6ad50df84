/**
 * Where events are in a file, with their times: numbers only, so that millions of them fit, and sorted.
 */
import type { LogEvent } from "../../SessionEvent.ts"

export interface Place {
  readonly offset: number
  readonly length: number
  /** Kept where the file cannot be read by position. */
  readonly event: LogEvent | undefined
}

export interface Places {
  readonly add: (place: Place, seconds: number | null) => void
  /** In order of time, and for equal times as they were written. */
  readonly sorted: () => ReadonlyArray<Place>
}

/** Of all that are added, at most the first or the last so many are kept. */
export const make = (most: number, which: "first" | "last"): Places => {
  let seconds = new Float64Array(1024)
  let offsets = new Float64Array(1024)
  let lengths = new Float64Array(1024)
  let events: Array<LogEvent | undefined> = []
  let count = 0
  const grown = (array: Float64Array): Float64Array<ArrayBuffer> => {
    const larger = new Float64Array(array.length * 2)
    larger.set(array)
    return larger
  }
  const order = (): Uint32Array => {
    const all = new Uint32Array(count)
    for (let i = 0; i < count; i++) all[i] = i
    all.sort((a, b) => {
      const difference = (seconds[a] ?? 0) - (seconds[b] ?? 0)
      // Two times that are not understood differ by NaN.
      return difference || (offsets[a] ?? 0) - (offsets[b] ?? 0)
    })
    return which === "first" ? all.subarray(0, most) : all.subarray(Math.max(0, count - most))
  }
  const prune = (): void => {
    const kept = order()
    const pick = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const picked = new Float64Array(from.length)
      kept.forEach((index, i) => {
        picked[i] = from[index] ?? 0
      })
      return picked
    }
    seconds = pick(seconds)
    offsets = pick(offsets)
    lengths = pick(lengths)
    events = [...kept].map((index) => events[index])
    count = kept.length
  }
  return {
    add: ({ offset, length, event }, time) => {
      if (count >= 2 * most + 1024) prune()
      if (count === seconds.length) {
        seconds = grown(seconds)
        offsets = grown(offsets)
        lengths = grown(lengths)
      }
      seconds[count] = time ?? Number.NEGATIVE_INFINITY
      offsets[count] = offset
      lengths[count] = length
      events[count] = event
      count += 1
    },
    sorted: () => Array.from(order(), (i) => ({ offset: offsets[i] ?? 0, length: lengths[i] ?? 0, event: events[i] }))
  }
}
