/**
 * One line that shows the progress of a long command: redrawn in place on a terminal, printed now and then elsewhere.
 *
 * Progress goes to stderr, so a pipe gets results only. Drawing too often costs time and makes log files long: a terminal sees
 * at most ten drawings per second, a file one line per `plainEvery`. The last state is always shown, at the latest when the scope
 * closes.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { clearLine, type Output } from "../Stderr.ts"

export interface ProgressLine {
  /** Shows the text now, or at the next time that a drawing is due. The text has no newline. */
  readonly update: (text: string) => Effect.Effect<void>
  /** The last text: shown now, and it stays. */
  readonly end: (text: string) => Effect.Effect<void>
}

const drawMillis = 100

export const make = (
  output: Output,
  options: { readonly plainEvery?: Duration.DurationInput } = {}
): Effect.Effect<ProgressLine, never, Scope.Scope> => {
  const live = output.isTTY === true
  const pause = live ? drawMillis : Duration.toMillis(options.plainEvery ?? Duration.seconds(10))
  const draw = (text: string) => output.write(live ? `${clearLine}${shortened(text, output.columns)}` : `${text}\n`)
  return Effect.map(
    Effect.acquireRelease(
      Effect.sync((): { shown: string; last: string; at: number } => ({ shown: "", last: "", at: -Infinity })),
      (state) =>
        Effect.sync(() => {
          if (state.shown !== state.last) draw(state.last)
          if (live && state.last !== "") output.write("\n")
        })
    ),
    (state) => ({
      update: (text) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          state.last = text
          if (now - state.at < pause) return
          state.at = now
          state.shown = text
          draw(text)
        }),
      end: (text) =>
        Effect.sync(() => {
          state.last = text
          state.shown = text
          draw(text)
        })
    })
  )
}

/** `[#########-----------]`: `share` between 0 and 1. */
export const bar = (share: number, width = 20): string => {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return `[${"#".repeat(full)}${"-".repeat(width - full)}]`
}

/** A line as wide as the terminal wraps, and a redraw would leave its upper half behind. */
const shortened = (text: string, columns = 80): string => {
  const letters = [...text]
  return letters.length < columns ? text : `${letters.slice(0, columns - 2).join("")}…`
}
