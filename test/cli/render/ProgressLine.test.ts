/**
 * Progress on a fake output. Oracle: the sequence of texts, written by hand, under the test clock.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as ProgressLine from "../../../src/cli/render/ProgressLine.ts"

const clear = "\r\u001b[2K"

const output = (isTTY: boolean, columns = 80) => {
  const written: Array<string> = []
  return { written, isTTY, columns, write: (text: string) => written.push(text) }
}

describe("ProgressLine", () => {
  it.effect("redraws at most ten times a second on a terminal, and ends with the last state", () =>
    Effect.gen(function* () {
      const out = output(true)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const line = yield* ProgressLine.make(out)
          for (let step = 1; step <= 6; step += 1) {
            yield* line.update(`step ${step}`)
            yield* TestClock.adjust("40 millis")
          }
        })
      )
      expect(out.written).toEqual([`${clear}step 1`, `${clear}step 4`, `${clear}step 6`, "\n"])
    })
  )

  it.effect("prints plain lines, one in the given time, elsewhere", () =>
    Effect.gen(function* () {
      const out = output(false)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const line = yield* ProgressLine.make(out, { plainEvery: "5 seconds" })
          for (let step = 1; step <= 7; step += 1) {
            yield* line.update(`step ${step}`)
            yield* TestClock.adjust("1 second")
          }
        })
      )
      expect(out.written).toEqual(["step 1\n", "step 6\n", "step 7\n"])
    })
  )

  it.effect("shortens a line that the terminal would wrap", () =>
    Effect.gen(function* () {
      const out = output(true, 8)
      yield* Effect.scoped(Effect.flatMap(ProgressLine.make(out), (line) => line.update("0123456789")))
      expect(out.written[0]).toBe(`${clear}012345…`)
    })
  )

  it("draws a bar and keeps it within its width", () => {
    expect(ProgressLine.bar(0.25, 8)).toBe("[##------]")
    expect(ProgressLine.bar(7, 4)).toBe("[####]")
    expect(ProgressLine.bar(-1, 4)).toBe("[----]")
  })
})
