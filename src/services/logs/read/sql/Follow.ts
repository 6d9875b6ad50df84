/**
 * Events of a table as they are written: by rowid, which grows with each row; where there is none, by time or by counting.
 *
 * A log may be rotated while it is followed. When the path has become another file, that is opened, and all of it is new.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import { defaultEvery, defaultLast, type Log, type LogReadError } from "../Log.ts"
import { countedTail } from "./CountedTail.ts"
import { numberedTail } from "./NumberedTail.ts"
import type { SqlSource } from "./Source.ts"

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
  { fs, path, reopen }: Followed,
  query: LogQuery,
  { every = defaultEvery, once = false }: NonNullable<Parameters<Log["follow"]>[1]> = {}
): Part =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const outer = yield* Effect.scope
      const file = fs.stat(path).pipe(
        Effect.map(({ dev, ino }) => `${dev}:${Option.getOrElse(ino, () => 0)}`),
        Effect.orElseSucceed(() => undefined)
      )
      const wait = { while: isLocked, schedule: Schedule.spaced(every) }
      /** A tail with a scope of its own, so that the connection to a file that is gone can be closed. */
      const opened = (whole: boolean) =>
        Effect.gen(function* () {
          const scope = yield* Scope.fork(outer, ExecutionStrategy.sequential)
          const identity = yield* file
          const tail = yield* Effect.retry(reopen, wait).pipe(
            Effect.flatMap((source) => tailOf(patient(source, every), query, whole)),
            Scope.extend(scope),
            Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
          )
          return { tail, identity, close: Scope.close(scope, Exit.void) }
        })
      let current = yield* opened(false)
      const look = Effect.gen(function* () {
        yield* Effect.sleep(every)
        const now = yield* file
        const { identity, tail, close } = current
        if (now === undefined || now === identity) return yield* tail.look
        // Its writer may not have made the table yet: then another look is for it.
        const next = yield* Effect.option(opened(true))
        if (Option.isNone(next)) return yield* tail.look
        // What was written to the old file after the last look still comes.
        const rest = yield* Effect.flatMap(tail.look, Stream.runCollect)
        yield* close
        current = next.value
        return Stream.fromChunk(rest)
      })
      const { first } = current.tail
      return once ? first : Stream.concat(first, Stream.flatten(Stream.repeatEffect(look)))
    })
  )

const isLocked = ({ reason }: LogReadError): boolean => reason === "Locked"

/** Waits for locks, without end. */
const patient = (source: SqlSource, every: Duration.DurationInput): SqlSource => ({
  ...source,
  ask: (sql, values) => Effect.retry(source.ask(sql, values), { while: isLocked, schedule: Schedule.spaced(every) })
})

/** `whole`: everything that is there is new. */
const tailOf = (source: SqlSource, query: LogQuery, whole: boolean): Effect.Effect<Tail, LogReadError> => {
  const { rowid } = source.shape
  const last = query.last ?? defaultLast
  return rowid === null ? countedTail(source, query, last, whole) : numberedTail(source, rowid, query, last, whole)
}
