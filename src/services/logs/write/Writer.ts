/**
 * Collects the lines that are logged while the sinks write, and writes them as the next batch: the more is logged at once, the fewer
 * commits are needed, and a single line is written without delay.
 *
 * `append` waits until its lines are written, and first until the batch has room: a full batch makes further callers wait. `post` is
 * for loggers, which cannot wait: its lines are always accepted, and `flush` and `lost` tell whether they were written.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as EventLoop from "../../../core/EventLoop.ts"
import type { SessionLogError, Sink } from "./Sink.ts"

/** A queue of lines in front of the sinks. */
export interface Writer {
  /** Adds lines to one batch, in order; returns when they are written. */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<void, SessionLogError>
  /** Adds a line without waiting. */
  readonly post: (line: string) => void
  /** Waits until all lines so far are written; fails if their last batch was not. */
  readonly flush: Effect.Effect<void, SessionLogError>
  /** How many posted lines could not be written, and the last error. */
  readonly lost: Effect.Effect<{ readonly lines: number; readonly error: SessionLogError | undefined }>
}

/** How much a batch may collect while the previous one is written. */
const limits = { lines: 4096, bytes: 16 * 1024 * 1024 }

interface Batch {
  readonly lines: Array<string>
  bytes: number
  /** How many of the lines were posted. */
  posted: number
  /** The callers that wait. A Deferred would copy its list for each further one. */
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

/** Starts the writer. When the scope closes, the remaining lines are written. */
export const make = (sinks: ReadonlyArray<Sink>): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    let collecting = newBatch()
    let writing: Batch | undefined
    let lost: Effect.Effect.Success<Writer["lost"]> = { lines: 0, error: undefined }
    const wake = yield* Queue.sliding<void>(1)

    const add = (lines: ReadonlyArray<string>): Batch => {
      for (const line of lines) {
        collecting.lines.push(line)
        collecting.bytes += line.length
      }
      wake.unsafeOffer(undefined)
      return collecting
    }

    const writeBatch = Effect.suspend(() => {
      if (collecting.lines.length === 0) return Effect.void
      const batch = collecting
      writing = batch
      collecting = newBatch()
      const { lines, posted } = batch
      return Effect.forEach(
        split(lines),
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
      // A turn of the event loop, in which fibers that are about to log can join the batch.
      Queue.take(wake).pipe(
        Effect.zipRight(EventLoop.turn),
        Effect.zipRight(Effect.uninterruptible(writeBatch)),
        Effect.forever
      )
    )

    const append: Writer["append"] = (lines) =>
      Effect.suspend(() => {
        if (collecting.lines.length >= limits.lines || collecting.bytes >= limits.bytes) {
          return Effect.zipRight(Effect.exit(whenWritten(collecting)), append(lines))
        }
        return whenWritten(add(lines))
      })

    return {
      append,
      post: (line) => {
        add([line]).posted += 1
      },
      flush: Effect.suspend(() => {
        const last = collecting.lines.length > 0 ? collecting : writing
        return last === undefined ? Effect.void : whenWritten(last)
      }),
      lost: Effect.sync(() => lost)
    }
  })

/** Splits lines by the limits: posted lines may be more than one statement should hold. */
const split = (lines: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<Array<string>> = [[]]
  let bytes = 0
  for (const line of lines) {
    const last = found.at(-1)!
    if (last.length > 0 && (bytes + line.length > limits.bytes || last.length >= limits.lines)) {
      found.push([line])
      bytes = line.length
    } else {
      last.push(line)
      bytes += line.length
    }
  }
  return found
}
