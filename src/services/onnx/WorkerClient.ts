/**
 * Speaks `Protocol` with a worker thread: one Effect per request, death of the thread as a value.
 *
 * A small wrapper of our own instead of @effect/platform's Worker, because the thread holds state: that one starts a
 * dead worker again after a second (the state would silently be gone), a request sent to a dead thread never ends
 * there, and it would load Effect into the thread. A request cannot be interrupted once it was sent; an interruption takes
 * effect when the reply is there. Closing the scope asks the thread to stop, so that native memory is released in order,
 * and ends it.
 */
import type { Worker } from "node:worker_threads"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { buffersOf, type Envelope, type Reply, type Request } from "./Protocol.ts"

/** The thread is gone. `pending` tells whether this request was under way when it went. */
export class WorkerGone extends Schema.TaggedError<WorkerGone>()("WorkerGone", {
  pending: Schema.Boolean,
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `The worker thread ${this.pending ? "stopped during the request" : "is not running"}: ${this.details}`
  }
}

export interface WorkerClient {
  readonly ask: (request: Request) => Effect.Effect<Reply, WorkerGone>
}

type State =
  | { readonly _tag: "Open"; readonly pending: Map<number, Deferred.Deferred<Reply, WorkerGone>> }
  | { readonly _tag: "Gone"; readonly details: string; readonly cause?: unknown }

/** Starts a thread that serves the protocol; `spawn` may throw. */
export const make = (spawn: () => Worker): Effect.Effect<WorkerClient, WorkerGone, Scope.Scope> =>
  Effect.gen(function* () {
    let state: State = { _tag: "Open", pending: new Map() }
    let nextId = 0

    const fall = (details: string, cause?: unknown) => {
      if (state._tag === "Gone") return
      const { pending } = state
      state = { _tag: "Gone", details, ...(cause === undefined ? {} : { cause }) }
      for (const deferred of pending.values()) {
        Deferred.unsafeDone(deferred, Exit.fail(new WorkerGone({ pending: true, details, cause })))
      }
    }

    const ask = (request: Request): Effect.Effect<Reply, WorkerGone> =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          if (state._tag === "Gone") {
            return yield* new WorkerGone({ pending: false, details: state.details, cause: state.cause })
          }
          const deferred = yield* Deferred.make<Reply, WorkerGone>()
          const id = nextId++
          state.pending.set(id, deferred)
          const envelope: Envelope<Request> = { id, body: request }
          worker.postMessage(envelope, transfersOf(request))
          return yield* Deferred.await(deferred)
        })
      )

    const worker = yield* Effect.acquireRelease(
      Effect.try({
        try: spawn,
        catch: (cause) => new WorkerGone({ pending: false, details: `it does not start (${String(cause)})`, cause })
      }),
      (worker) =>
        ask({ _tag: "Stop" }).pipe(
          Effect.ignore,
          Effect.zipRight(Effect.sync(() => fall("its scope was closed"))),
          Effect.zipRight(Effect.promise(() => worker.terminate()))
        )
    )
    worker.on("message", ({ body, id }: Envelope<Reply>) => {
      if (state._tag === "Gone") return
      const deferred = state.pending.get(id)
      state.pending.delete(id)
      if (deferred !== undefined) Deferred.unsafeDone(deferred, Exit.succeed(body))
    })
    worker.on("error", (error) => fall(error.message, error))
    worker.on("messageerror", (error) => fall(`a message could not be read (${error.message})`, error))
    worker.on("exit", (code) => fall(`it ended with code ${code}`))
    return { ask }
  })

const transfersOf = (request: Request): Array<ArrayBuffer> => {
  if (request._tag === "Run") return buffersOf(request.inputs)
  if (request._tag === "WriteState") return buffersOf(request.values)
  if (request._tag === "Compile") return request.programs.map(({ model }) => model.buffer)
  return []
}
