/**
 * A worker thread as a service: one Effect for each request, the end of the thread as an error value.
 *
 * Not @effect/platform's Worker, because a thread holds state: that one restarts a dead worker after a second (the state would
 * silently be gone), a request sent to a dead thread never ends there, and it would load Effect into every thread.
 * The thread answers in the order of the requests, each once. Closing the scope ends the thread: at once, or, where there is
 * a `stop` request, when that has its reply, so that native memory is released in order. With `stop`, a request cannot be
 * interrupted once it was sent.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
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

/** The thread does not run. `pending` is true when it ended during this request, false when it had ended before. */
export class WorkerGone extends Schema.TaggedError<WorkerGone>()("WorkerGone", {
  pending: Schema.Boolean,
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `The worker thread ${this.pending ? "stopped during the request" : "is not running"}: ${this.details}`
  }
}

/** A thread that serves requests. */
export interface WorkerThread<Request, Reply> {
  readonly ask: (request: Request) => Effect.Effect<Reply, WorkerGone>
}

/** How to start and stop a thread. */
export interface Options<Request> {
  /** Starts the thread; may throw. */
  readonly spawn: () => Worker
  /** The buffers of a request that are transferred instead of copied. Default: none. */
  readonly transfers?: (request: Request) => Array<ArrayBuffer>
  /** Sent before the thread is ended. Default: it is ended at once. */
  readonly stop?: Request
}

type State<Reply> =
  | { readonly _tag: "Open"; readonly pending: Map<number, Deferred.Deferred<Reply, WorkerGone>> }
  | { readonly _tag: "Gone"; readonly details: string; readonly cause?: unknown }

/** Starts a thread and ends it with the scope. */
export const make = <Request, Reply>(
  options: Options<Request>
): Effect.Effect<WorkerThread<Request, Reply>, WorkerGone, Scope.Scope> =>
  Effect.gen(function* () {
    const { spawn, stop, transfers } = options
    let state: State<Reply> = { _tag: "Open", pending: new Map() }
    let nextId = 0
    let closing = false

    const end = (details: string, cause?: unknown) => {
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
        Effect.suspend(() => {
          // A thread that stops when it is asked to may end before the next line here runs.
          closing = true
          return stop === undefined ? Effect.void : Effect.ignore(send(stop))
        }).pipe(
          Effect.zipRight(Effect.sync(() => end("its scope was closed"))),
          Effect.zipRight(Effect.promise(() => worker.terminate()))
        )
    )
    worker.on("message", ({ body, id }: Envelope<Reply>) => {
      if (state._tag === "Gone") return
      const deferred = state.pending.get(id)
      state.pending.delete(id)
      if (deferred !== undefined) Deferred.unsafeDone(deferred, Exit.succeed(body))
    })
    worker.on("error", (error) => end(error.message, error))
    worker.on("messageerror", (error) => end(`a message could not be read (${error.message})`, error))
    worker.on("exit", (code) => end(closing ? "its scope was closed" : `it ended with code ${code}`))
    return { ask: stop === undefined ? send : (request) => Effect.uninterruptible(send(request)) }
  })

/**
 * Starts a thread from a file of src/services, whether this code is run from the sources, from tsc's output or from the
 * bundled command. A Worker needs a file, so the entry of each thread is also an entry of the build (scripts/build.mjs).
 *
 * `module` is relative to src/services, without extension; `name` is what debuggers show; the thread finds a copy of `data`
 * as `workerData`. Throws what `new Worker` throws.
 */
export const spawn = (module: string, name: string, data?: unknown): Worker => {
  const url = locate(module)
  if (!url.pathname.endsWith(".ts")) return new Worker(url, { name, workerData: data })
  // Only someone who works on codex itself runs the TypeScript sources. `--import tsx` does not reach a worker thread.
  const tsx = createRequire(import.meta.url).resolve("tsx/cjs/api")
  const entry = `require(${JSON.stringify(tsx)}).register(); require(${JSON.stringify(fileURLToPath(url))})`
  return new Worker(entry, { name, workerData: data, eval: true, execArgv: [] })
}

/**
 * The file of an entry, `module` as for `spawn`. In the sources and in tsc's output the entry is where it is in src/services; in a bundle this code may be in
 * `dist/bin.js` or `dist/chunks/*.js`, and the entry is in `dist/`.
 */
export const locate = (module: string): URL => {
  const bundled = `${basename(module)}.js`
  const places = [`./${module}.ts`, `./${module}.js`, `./${bundled}`, `../${bundled}`]
  const urls = places.map((place) => new URL(place, import.meta.url))
  return urls.find((url) => existsSync(fileURLToPath(url))) ?? urls[1]!
}
