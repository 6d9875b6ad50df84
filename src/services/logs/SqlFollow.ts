/**
 * Events of a table as they are written: by rowid, which grows with each row; where there is none, by time or by counting.
 *
 * A log may be rotated while it is followed. When the path has become another file, that is opened, and all of it is new.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as ScopedRef from "effect/ScopedRef"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../core/LogQuery.ts"
import type { LogEvent } from "../../core/SessionEvent.ts"
import type { Log, LogReadError } from "./Log.ts"
import { countedTail } from "./SqlCountedTail.ts"
import { numberedTail } from "./SqlNumberedTail.ts"
import type { SqlSource } from "./SqlSource.ts"

/** How many events come before the new ones. */
export const defaultLast = 10
export const defaultEvery = Duration.millis(250)

export type Part = Stream.Stream<LogEvent, LogReadError>

/** Where reading goes on: what is there now, and what has come since the last look. */
export interface Tail {
  /** The last `last` events that are there. */
  readonly first: Part
  /** What has come since; each look goes on where the one before ended. */
  readonly look: Effect.Effect<Part, LogReadError>
}

export interface Followed {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  /** Opens the file that is at the path now. */
  readonly reopen: Effect.Effect<SqlSource, LogReadError, Scope.Scope>
}

export const follow = (
  source: SqlSource,
  { fs, path, reopen }: Followed,
  query: LogQuery,
  { every = defaultEvery, once = false }: NonNullable<Parameters<Log["follow"]>[1]> = {}
): Part =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const file = fs.stat(path).pipe(
        Effect.map(({ dev, ino }) => `${dev}:${Option.getOrElse(ino, () => 0)}`),
        Effect.option
      )
      let opened = yield* file
      const begun = yield* tailOf(source, query, every, false)
      if (once) return begun.first
      const tail = yield* ScopedRef.make(() => begun)
      const look = Effect.gen(function* () {
        yield* Effect.sleep(every)
        const now = yield* file
        if (Option.isSome(now) && Option.getOrUndefined(opened) !== now.value) {
          const fresh = Effect.flatMap(reopen, (source) => tailOf(source, query, every, true))
          // What was written to the old file after the last look still comes.
          const rest = yield* Effect.flatMap(ScopedRef.get(tail), (tail) =>
            Effect.flatMap(tail.look, Stream.runCollect)
          )
          // Its writer may not have made the table yet.
          if (yield* Effect.isSuccess(ScopedRef.set(tail, fresh))) opened = now
          return Stream.fromChunk(rest)
        }
        return yield* Effect.flatMap(ScopedRef.get(tail), ({ look }) => look)
      })
      return Stream.concat(begun.first, Stream.flatten(Stream.repeatEffect(look)))
    })
  )

/** `whole`: everything that is there is new. */
const tailOf = (
  source: SqlSource,
  query: LogQuery,
  every: Duration.DurationInput,
  whole: boolean
): Effect.Effect<Tail, LogReadError> => {
  const last = query.last ?? defaultLast
  const { ask } = source
  const patient: SqlSource = {
    ...source,
    ask: (sql, values) =>
      Effect.retry(ask(sql, values), { while: ({ reason }) => reason === "Locked", schedule: Schedule.spaced(every) })
  }
  const { rowid } = source.shape
  return rowid === null ? countedTail(patient, query, last, whole) : numberedTail(patient, rowid, query, last, whole)
}
