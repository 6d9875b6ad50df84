/** Numbers of a measurement: rounding, medians, times. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A number with few digits. */
export const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

/** A number with three significant digits. */
export const short = (value: number): number => Number(value.toPrecision(3))

/** The middle of an odd count of numbers. */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Seconds that an Effect takes by the clock. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.map(Effect.timed(effect), ([duration]) => Duration.toSeconds(duration))
