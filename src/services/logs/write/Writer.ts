/**
 * Gathers the lines that are logged while the sinks write, and writes them as one batch: the more is logged at once, the fewer
 * commits it takes, and a line logged alone does not wait for company.
 *
 * `append` waits until the line is written, and before that until there is room: a batch that gathers more than its bounds keeps
 * further callers waiting. `post` is for loggers, which cannot wait: its lines are always taken, and whether they were written
 * shows in `flush` and in `lost`.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { SessionLogError, Sink } from "./Sink.ts"

export interface Writer {
  /** All of them in one batch, in order; returns when they are written. */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<void, SessionLogError>
  readonly post: (line: string) => void
  /** Waits until everything that came so far is written; fails if the last batch of it was not. */
  readonly flush: Effect.Effect<void, SessionLogError>
  /** Posted lines that could not be written so far, and why the last could not. */
  readonly lost: Effect.Effect<{ readonly lines: number; readonly error: SessionLogError | undefined }>
}

/** Bounds of what gathers while a batch is written. */
const bounds = { lines: 4096, bytes: 16 * 1024 * 1024 }

interface Batch {
  readonly lines: Array<string>
  bytes: number
  /** Of the lines, those that nobody waits for. */
  posted: number
  /** Who waits. A Deferred would copy its list for each one more. */
  readonly waiting: Array<(written: Effect.Effect<void, SessionLogError>) => void>
  written: Exit.Exit<void, SessionLogError> | undefined
}

const newBatch = (): Batch => ({ lines: [], bytes: 0, posted: 0, waiting: [], written: undefined })

const whenWritten = (batch: Batch): Effect.Effect<void, SessionLogError> =>
  Effect.suspend(
    () =>
      batch.written ??
      Effect.async<void, SessionLogError>((resume) => {
        batch.waiting.push(resume)
      })
  )

/** Ends with the scope, after what came before is written. */
export const make = (sinks: ReadonlyArray<Sink>): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    let gathering = newBatch()
    let writing: Batch | undefined
    let lost: Effect.Effect.Success<Writer["lost"]> = { lines: 0, error: undefined }
    const wake = yield* Queue.sliding<void>(1)

    const add = (lines: ReadonlyArray<string>): Batch => {
      for (const line of lines) {
        gathering.lines.push(line)
        gathering.bytes += line.length
      }
      wake.unsafeOffer(undefined)
      return gathering
    }

    const writeBatch = Effect.suspend(() => {
      if (gathering.lines.length === 0) return Effect.void
      const batch = gathering
      writing = batch
      gathering = newBatch()
      const { lines, posted } = batch
      return Effect.forEach(
        parts(lines),
        (part) => Effect.forEach(sinks, (sink) => sink.write(part), { discard: true }),
        { discard: true }
      ).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => {
            lost = { lines: lost.lines + posted, error }
          })
        ),
        Effect.exit,
        Effect.flatMap((written) =>
          Effect.sync(() => {
            batch.written = written
            for (const resume of batch.waiting) resume(written)
          })
        )
      )
    })

    yield* Effect.addFinalizer(() => writeBatch)
    yield* Effect.forkScoped(
      Queue.take(wake).pipe(Effect.zipRight(turn), Effect.zipRight(Effect.uninterruptible(writeBatch)), Effect.forever)
    )

    const append: Writer["append"] = (lines) =>
      Effect.suspend(() => {
        if (gathering.lines.length >= bounds.lines || gathering.bytes >= bounds.bytes) {
          return Effect.zipRight(Effect.exit(whenWritten(gathering)), append(lines))
        }
        return whenWritten(add(lines))
      })

    return {
      append,
      post: (line) => {
        add([line]).posted += 1
      },
      flush: Effect.suspend(() => {
        const last = gathering.lines.length > 0 ? gathering : writing
        return last === undefined ? Effect.void : whenWritten(last)
      }),
      lost: Effect.sync(() => lost)
    }
  })

/** One turn of the event loop: fibers that are about to log do so, and share a commit. */
const turn = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Loggers may gather more than a statement should hold. */
const parts = (lines: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<Array<string>> = [[]]
  let bytes = 0
  for (const line of lines) {
    const last = found[found.length - 1] ?? []
    if (last.length > 0 && (bytes + line.length > bounds.bytes || last.length >= bounds.lines)) {
      found.push([line])
      bytes = line.length
    } else {
      last.push(line)
      bytes += line.length
    }
  }
  return found
}
