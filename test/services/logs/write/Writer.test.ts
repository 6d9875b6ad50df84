/**
 * Batches and back-pressure, with sinks that the test holds. Oracle: the order and number of lines that the sinks were given.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { SessionLogError, type Sink } from "../../../../src/services/logs/write/Sink.ts"
import * as Writer from "../../../../src/services/logs/write/Writer.ts"
import { until } from "../../../work.ts"

const full = new SessionLogError({ reason: "Full", path: "x", details: "full.", remedy: "Make room." })

/** A sink that waits for `open` before each batch. */
const held = (open: Effect.Effect<void, SessionLogError>) => {
  const batches: Array<ReadonlyArray<string>> = []
  const sink: Sink = {
    path: "x",
    write: (lines) =>
      Effect.zipRight(
        open,
        Effect.sync(() => batches.push(lines))
      )
  }
  return { sink, batches }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i))

describe("a writer", () => {
  it.scopedLive("gathers what is logged at once into one batch", () =>
    Effect.gen(function* () {
      const { batches, sink } = held(Effect.void)
      const writer = yield* Writer.make([sink])
      yield* Effect.forEach(numbers(0, 100), (line) => writer.append([line]), { concurrency: "unbounded" })
      expect(batches).toEqual([numbers(0, 100)])
    })
  )

  it.scopedLive("keeps callers waiting when more gathers than its bounds, and gives them their turn in order", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { batches, sink } = held(Deferred.await(gate))
      const writer = yield* Writer.make([sink])
      let begun = 0
      const fibers = yield* Effect.forEach(numbers(0, 10_000), (line) =>
        Effect.fork(
          Effect.zipRight(
            Effect.sync(() => begun++),
            writer.append([line])
          )
        )
      )
      yield* until(() => begun === 10_000)
      expect(batches).toEqual([])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll(fibers)
      expect(batches.flat()).toEqual(numbers(0, 10_000))
      expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(4096)
    })
  )

  it.scopedLive("fails every caller of a batch that failed, and continues with the next one", () =>
    Effect.gen(function* () {
      let works = false
      const { batches, sink } = held(Effect.suspend(() => (works ? Effect.void : full)))
      const writer = yield* Writer.make([sink])
      const exits = yield* Effect.forEach(["a", "b"], (line) => Effect.exit(writer.append([line])), { concurrency: 2 })
      expect(exits).toEqual([Exit.fail(full), Exit.fail(full)])
      writer.post("posted")
      expect(yield* Effect.exit(writer.flush)).toEqual(Exit.fail(full))
      expect(yield* writer.lost).toEqual({ lines: 1, error: full })
      works = true
      yield* writer.append(["c"])
      expect(batches).toEqual([["c"]])
      expect(yield* Effect.exit(writer.flush)).toEqual(Exit.void)
    })
  )

  it.live("writes what was posted when its scope closes", () =>
    Effect.gen(function* () {
      const { batches, sink } = held(Effect.void)
      const scope = yield* Scope.make()
      const writer = yield* Scope.extend(Writer.make([sink]), scope)
      for (const line of numbers(0, 5000)) writer.post(line)
      yield* Scope.close(scope, Exit.void)
      expect(batches.flat()).toEqual(numbers(0, 5000))
    })
  )

  it.scopedLive("writes in order to each of several sinks, and is flushed where nothing came", () =>
    Effect.gen(function* () {
      const [one, other] = [held(Effect.void), held(Effect.void)]
      const writer = yield* Writer.make([one.sink, other.sink])
      yield* writer.flush
      yield* writer.append(["a", "b"])
      yield* writer.append(["c"])
      expect(one.batches).toEqual([["a", "b"], ["c"]])
      expect(other.batches).toEqual(one.batches)
    })
  )

  it.scopedLive("has an event written whose caller was interrupted", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { batches, sink } = held(Deferred.await(gate))
      const writer = yield* Writer.make([sink])
      const fiber = yield* Effect.fork(writer.append(["a"]))
      yield* Effect.sleep("10 millis")
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(gate, undefined)
      yield* writer.flush
      expect(batches).toEqual([["a"]])
    })
  )
})
