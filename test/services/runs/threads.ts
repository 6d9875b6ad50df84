/** Watches the threads that this process starts. */
import type { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Threads as they start, until the scope closes. */
export const startedThreads = Effect.acquireRelease(
  Effect.sync(() => {
    const threads: Array<Worker> = []
    const listener = (worker: Worker) => threads.push(worker)
    process.on("worker", listener)
    return { threads, listener }
  }),
  ({ listener }) => Effect.sync(() => process.off("worker", listener))
).pipe(Effect.map(({ threads }) => threads))

/** Texts whose second half waits until all threads that were started meanwhile have answered once, or one is gone. */
export const waiting = <A>(texts: ReadonlyArray<A>) =>
  Stream.unwrap(
    Effect.sync(() => {
      const silent = new Set<Worker>()
      let listener = (_: Worker) => {}
      const heard = new Promise<void>((resolve) => {
        listener = (worker) => {
          silent.add(worker)
          worker.once("message", () => {
            silent.delete(worker)
            if (silent.size === 0) resolve()
          })
          worker.once("exit", () => resolve())
        }
        process.on("worker", listener)
      }).finally(() => process.off("worker", listener))
      const half = texts.length >> 1
      const pause = Effect.zipRight(
        Effect.promise(() => heard),
        Effect.sleep(5)
      )
      return Stream.fromIterable(texts.slice(0, half)).pipe(
        Stream.concat(Stream.drain(Stream.fromEffect(pause))),
        Stream.concat(Stream.fromIterable(texts.slice(half)))
      )
    })
  )
