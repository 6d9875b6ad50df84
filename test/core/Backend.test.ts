/**
 * `Backend.make`: what it adds to a computation. The checks themselves are laws of every backend (src/testing/backend.ts).
 *
 * The computation here keeps a list of what reached it, and waits where a test wants it to.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Backend, BackendError } from "../../src/core/Backend.ts"
import { add } from "../../src/core/tensor/ops/elementwise.ts"
import * as Program from "../../src/core/tensor/Program.ts"

const float = { dtype: "float32", shape: [1] } as const
const value = { ...float, data: Float32Array.of(1) }

/** s ← s + x, and t ← x. */
const program = Program.make({
  name: "sum",
  state: { s: float, t: float },
  inputs: { x: float },
  build: ({ s }, { x }) => ({ state: { s: add(s!, x!), t: x! }, outputs: { y: s! } })
})

const backendOf = (run: Backend.Computation["run"], calls: Array<string> = []) =>
  Backend.make({
    info: { device: "test", threads: 1, description: "keeps a list" },
    compile: () =>
      Effect.succeed({
        run: (name, inputs, fetch) => {
          calls.push(`run ${name} ${fetch.join()}`)
          return run(name, inputs, fetch)
        },
        readState: (names) => {
          calls.push(`read ${names.join()}`)
          return Effect.succeed(Object.fromEntries(names.map((name) => [name, value])))
        },
        writeState: (values) => {
          calls.push(`write ${Object.keys(values).join()}`)
          return Effect.void
        }
      })
  })

describe("Backend.make", () => {
  it.scoped("computes nothing for a wrong use, and removes duplicates of what is fetched", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const backend = backendOf(() => Effect.succeed({}), calls)
      const executable = yield* backend.compile({ sum: yield* program })
      yield* Effect.flip(executable.run("sum", { x: value }))
      yield* Effect.flip(executable.writeState({ u: value }))
      yield* Effect.flip(executable.readState(["t"]))
      expect(calls).toEqual([])
      yield* executable.writeState({ s: value })
      yield* Effect.flip(executable.run("sum", {}))
      const run = executable.run("sum", { x: value }, ["y", "y"])
      yield* run
      yield* run
      yield* executable.readState()
      expect(calls).toEqual(["write s", "run sum y", "run sum y", "read s,t"])
    })
  )

  it.scoped("state that a failed run should have written counts as never written", () =>
    Effect.gen(function* () {
      const failure = new BackendError({ reason: "Run", subject: "sum", details: "no memory" })
      const executable = yield* backendOf(() => failure).compile({ sum: yield* program })
      yield* executable.writeState({ s: value })
      expect(yield* Effect.flip(executable.run("sum", { x: value }))).toBe(failure)
      const error = yield* Effect.flip(executable.readState(["t"]))
      expect(error.message).toBe(
        'Wrong state for "t": it is read before it was written. Call writeState with its first value.'
      )
    })
  )

  it.scoped("a run that has begun ends before an interruption takes effect", () =>
    Effect.gen(function* () {
      const [begun, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.as(Deferred.await(go), {}))
      const executable = yield* backendOf(() => slow).compile({ sum: yield* program })
      yield* executable.writeState({ s: value })
      const fiber = yield* Effect.fork(executable.run("sum", { x: value }))
      yield* Deferred.await(begun)
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(interruption)
      expect(Object.keys(yield* executable.readState())).toEqual(["s", "t"])
    })
  )
})
