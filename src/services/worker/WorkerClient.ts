/**
 * Speaks a protocol of requests and replies with a worker thread: one Effect per request, death of the thread as a value.
 *
 * A small wrapper of our own instead of @effect/platform's Worker, because a thread holds state: that one starts a
 * dead worker again after a second (the state would silently be gone), a request sent to a dead thread never ends
 * there, and it would load Effect into every thread. The thread answers in the order of asking, each request once.
 * Closing the scope ends the thread: at once, or, where there is a `stop` request, when that has its reply, so that native
 * memory is released in order. With `stop`, a request cannot be interrupted once it was sent.
 */
import type { Worker } from "node:worker_threads"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A request or its reply, under the number that belongs to both. */
export interface Envelope<A> {
  readonly id: number
  readonly body: A
}

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

export interface WorkerClient<Request, Reply> {
  readonly ask: (request: Request) => Effect.Effect<Reply, WorkerGone>
}

export interface Options<Request> {
  /** Starts the thread; may throw. */
  readonly spawn: () => Worker
  /** The buffers of a request that go over instead of being copied. Default: none. */
  readonly transfers?: (request: Request) => Array<ArrayBuffer>
  /** Asked before the thread is ended. Default: it is ended at once. */
  readonly stop?: Request
}

type State<Reply> =
  | { readonly _tag: "Open"; readonly pending: Map<number, Deferred.Deferred<Reply, WorkerGone>> }
  | { readonly _tag: "Gone"; readonly details: string; readonly cause?: unknown }

/** Starts a thread that serves the protocol. */
export const make = <Request, Reply>(
  options: Options<Request>
): Effect.Effect<WorkerClient<Request, Reply>, WorkerGone, Scope.Scope> =>
  Effect.gen(function* () {
    const { spawn, stop, transfers } = options
    let state: State<Reply> = { _tag: "Open", pending: new Map() }
    let nextId = 0

    const fall = (details: string, cause?: unknown) => {
      if (state._tag === "Gone") return
      const { pending } = state
      state = { _tag: "Gone", details, ...(cause === undefined ? {} : { cause }) }
      for (const deferred of pending.values()) {
        Deferred.unsafeDone(deferred, Exit.fail(new WorkerGone({ pending: true, details, cause })))
      }
    }

    const send = (request: Request): Effect.Effect<Reply, WorkerGone> =>
      Effect.gen(function* () {
        if (state._tag === "Gone") {
          return yield* new WorkerGone({ pending: false, details: state.details, cause: state.cause })
        }
        const deferred = yield* Deferred.make<Reply, WorkerGone>()
        const id = nextId++
        state.pending.set(id, deferred)
        const envelope: Envelope<Request> = { id, body: request }
        worker.postMessage(envelope, transfers?.(request))
        return yield* Deferred.await(deferred)
      })

    const worker = yield* Effect.acquireRelease(
      Effect.try({
        try: spawn,
        catch: (cause) => new WorkerGone({ pending: false, details: `it does not start (${String(cause)})`, cause })
      }),
      (worker) =>
        (stop === undefined ? Effect.void : Effect.ignore(send(stop))).pipe(
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
    return { ask: stop === undefined ? send : (request) => Effect.uninterruptible(send(request)) }
  })
