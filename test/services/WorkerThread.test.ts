/**
 * Real threads that misbehave: they exit, throw, run out of memory or do not start. Oracle: the errors' fields.
 * Needs no backend.
 */
import { Worker } from "node:worker_threads"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as WorkerThread from "../../src/services/WorkerThread.ts"

/** A thread that evaluates `onRun` on a Run request and answers all other requests. */
const thread = (onRun: string) => () =>
  new Worker(
    `const { parentPort } = require("node:worker_threads")
     parentPort.on("message", ({ id, body }) => {
       const done = () => parentPort.postMessage({ id, body: { _tag: "Done", tensors: [] } })
       if (body._tag === "Run") { ${onRun} } else done()
     })`,
    { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 }, stderr: true }
  )

const ask = { _tag: "Run" } as const

type Request = { readonly _tag: "Run" | "Stop" }
type Reply = { readonly _tag: "Done"; readonly tensors: ReadonlyArray<unknown> }

const start = (spawn: () => Worker) => WorkerThread.make<Request, Reply>({ spawn, stop: { _tag: "Stop" } })

describe("WorkerThread", () => {
  for (const [how, onRun, details] of [
    ["ends", "process.exit(3)", "it ended with code 3"],
    ["throws", "throw new Error('boom')", "boom"],
    ["runs out of memory", "const a = []; for (;;) a.push(new Array(1e4).fill(a.length))", "memory limit"]
  ] as const) {
    it.scoped(`a thread that ${how} fails the pending requests, and later ones at once`, () =>
      Effect.gen(function* () {
        const client = yield* start(thread(onRun))
        const errors = yield* Effect.all([Effect.flip(client.ask(ask)), Effect.flip(client.ask(ask))], {
          concurrency: "unbounded"
        })
        for (const error of errors) {
          expect(error).toMatchObject({ _tag: "WorkerGone", pending: true })
          expect(error.message).toContain(details)
        }
        const later = yield* Effect.flip(client.ask(ask))
        expect(later.pending).toBe(false)
        expect(later.message).toContain(details)
      })
    )
  }

  it.scoped("a thread that cannot be made is an error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(start(() => new Worker("not/absolute.js")))
      expect(error.message).toMatch(/^The worker thread is not running: it does not start \(.*not\/absolute\.js/)
    })
  )

  it.scoped("a request that was sent ends before its fiber can be interrupted", () =>
    Effect.gen(function* () {
      const client = yield* start(thread("setTimeout(done, 150)"))
      const from = Date.now()
      const fiber = yield* Effect.fork(client.ask(ask))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(Date.now() - from).toBeGreaterThan(140)
    })
  )

  it.effect("closing the scope waits for what is pending, then ends the thread", () =>
    Effect.gen(function* () {
      const threads: Array<Worker> = []
      const scope = yield* Scope.make()
      const client = yield* Scope.extend(
        start(() => {
          const made = thread("const end = Date.now() + 50; while (Date.now() < end); done()")()
          threads.push(made)
          return made
        }),
        scope
      )
      const pending = yield* Effect.fork(client.ask(ask))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(pending)).toEqual({ _tag: "Done", tensors: [] })
      // Node's sign that a thread is over.
      expect(threads.map(({ threadId }) => threadId)).toEqual([-1])
      expect(yield* Effect.flip(client.ask(ask))).toMatchObject({ pending: false, details: "its scope was closed" })
    })
  )

  const endless = "for (;;);"
  it.effect(
    "without a request to stop, a request is interrupted at once and the thread ended, whatever it is doing",
    () =>
      Effect.gen(function* () {
        const threads: Array<Worker> = []
        const scope = yield* Scope.make()
        const spawn = () => {
          const made = thread(endless)()
          threads.push(made)
          return made
        }
        const client = yield* Scope.extend(WorkerThread.make<Request, Reply>({ spawn }), scope)
        const fiber = yield* Effect.fork(client.ask(ask))
        yield* Effect.promise(() => new Promise((resolve) => threads[0]!.once("online", resolve)))
        // Its work never ends, so this would not either if it waited for it.
        yield* Fiber.interrupt(fiber)
        yield* Scope.close(scope, Exit.void)
        expect(threads.map(({ threadId }) => threadId)).toEqual([-1])
      })
  )
})
