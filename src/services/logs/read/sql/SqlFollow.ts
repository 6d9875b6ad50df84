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
import { events } from "./SqlEvents.ts"
import {
  allOf,
  type Condition,
  conditionOf,
  type Key,
  type Keys,
  keyOf,
  pagedEvents,
  type Rows,
  rowsOf,
  type SqlSource
} from "./SqlRows.ts"
import { type Ask, quoted, text } from "./SqlStatement.ts"
import type { TableShape } from "./TableShape.ts"

type EventStream = Stream.Stream<LogEvent, LogReadError>

/** Where reading goes on: what is there now, and what has come since the last look. */
interface Tail {
  /** The last `last` events that are there. */
  readonly first: EventStream
  /** What has come since; each look goes on where the one before ended. */
  readonly look: Effect.Effect<EventStream, LogReadError>
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
): EventStream =>
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

/** Among so many rows the last events are looked for before an index is asked, which may have to sort. */
const NEAR = 50_000

const numberedTail = (
  { ask, shape }: SqlSource,
  rowid: string,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    const rows = rowsOf(shape, rowid)
    // The rows are found by their numbers, so that a look costs what is new, not what a session has.
    const filter = conditionOf(shape, query, { unindexed: true })
    const give = (keys: Keys): EventStream => pagedEvents(ask, rows, keys, Number.POSITIVE_INFINITY)
    const between = (from: string | undefined, to: Seen | undefined): EventStream => {
      if (to === undefined) return Stream.empty
      return give((after, count) => {
        const start = after?.id ?? from
        const above = start === undefined ? [] : [{ sql: `${rowid} > CAST(? AS INTEGER)`, values: [start] }]
        return numbers(ask, rows, allOf([...above, upTo(rows, to), filter]), "ASC", count)
      })
    }
    const position = positionOf(ask, shape, rowid)
    let before: Position = whole ? { newest: undefined, oldest: undefined } : yield* position
    const first = whole ? [] : yield* newest(ask, shape, rows, query, before.newest, last)
    const look = Effect.gen(function* () {
      const now = yield* position
      const start = yield* goOn(ask, shape, rowid, before, now)
      before = now
      return between(start, now.newest)
    })
    return { first: give((after) => Effect.succeed(after === undefined ? first : [])), look }
  })

/** A row that was seen, to be known again. */
interface Seen {
  readonly id: string
  readonly face: string | null
}

/** Where a look ended: the highest row and the lowest; nothing of an empty table. */
interface Position {
  readonly newest: Seen | undefined
  readonly oldest: Seen | undefined
}

const faceOf = ({ columns }: TableShape): string => {
  const time = columns.time === undefined ? "''" : `quote(${quoted(columns.time)})`
  const message = quoted(columns.message)
  return `${time} || ' ' || coalesce(octet_length(${message}), '') || ' ' || hex(substr(${message}, 1, 64))`
}

const seen = (ask: Ask, shape: TableShape, rowid: string, rest: string, values: Condition["values"] = []) =>
  Effect.map(
    ask(
      `SELECT CAST(${rowid} AS TEXT) AS codex_id, ${faceOf(shape)} AS codex_face FROM ${quoted(shape.table)} ${rest}`,
      values
    ),
    ([row]): Seen | undefined =>
      row === undefined ? undefined : { id: String(row.codex_id), face: text(row.codex_face) }
  )

const positionOf = (ask: Ask, shape: TableShape, rowid: string): Effect.Effect<Position, LogReadError> =>
  Effect.all({
    newest: seen(ask, shape, rowid, `ORDER BY ${rowid} DESC LIMIT 1`),
    oldest: seen(ask, shape, rowid, `ORDER BY ${rowid} LIMIT 1`)
  })

/** The row after which new ones are; nothing where all are new. */
const goOn = (ask: Ask, shape: TableShape, rowid: string, before: Position, now: Position) =>
  Effect.gen(function* () {
    const { newest, oldest } = before
    if (newest === undefined || now.newest === undefined) return undefined
    const there = yield* seen(ask, shape, rowid, `WHERE ${rowid} = CAST(? AS INTEGER)`, [newest.id])
    if (there !== undefined && there.face === newest.face) return newest.id
    if (now.oldest?.id !== oldest?.id || now.oldest?.face !== oldest?.face) return undefined
    return BigInt(now.newest.id) < BigInt(newest.id) ? now.newest.id : newest.id
  })

const upTo = ({ rowid }: Rows, { id }: Seen): Condition => ({
  sql: `${rowid} <= CAST(? AS INTEGER)`,
  values: [id]
})

const numbers = (ask: Ask, rows: Rows, { sql, values }: Condition, direction: "ASC" | "DESC", count: number) =>
  Effect.map(
    ask(
      `SELECT CAST(${rows.rowid} AS TEXT) AS codex_id, ${rows.size} AS codex_size FROM ${rows.table} WHERE ${sql} ORDER BY ${rows.rowid} ${direction} LIMIT ?`,
      [...values, count]
    ),
    (found) => found.map(keyOf)
  )

/** Keys of the last rows of a query up to a row, in the order of writing. */
const newest = (
  ask: Ask,
  shape: TableShape,
  rows: Rows,
  query: LogQuery,
  to: Seen | undefined,
  last: number
): Effect.Effect<ReadonlyArray<Key>, LogReadError> =>
  Effect.gen(function* () {
    if (to === undefined) return []
    const near = { sql: `${rows.rowid} > CAST(? AS INTEGER) - ${NEAR}`, values: [to.id] }
    const filter = conditionOf(shape, query, { unindexed: true })
    const found = yield* numbers(ask, rows, allOf([upTo(rows, to), near, filter]), "DESC", last)
    if (found.length === last) return found.reverse()
    return (yield* numbers(ask, rows, allOf([upTo(rows, to), conditionOf(shape, query)]), "DESC", last)).reverse()
  })

const countedTail = (
  source: SqlSource,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Tail, LogReadError> => {
  const asked: LogQuery = { ...query, order: "asc", last: undefined, limit: undefined, offset: undefined }
  const ending: LogQuery = { ...asked, last: whole ? 0 : last }
  return source.shape.columns.time === undefined ? counted(source, asked, ending) : timed(source, asked, ending)
}

const timed = (source: SqlSource, asked: LogQuery, ending: LogQuery): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    let place = asked.since ?? Number.NEGATIVE_INFINITY
    let faces = new Map<string, number>()
    const note = (event: LogEvent): void => {
      if (event.ts === null || event.ts < place) return
      if (event.ts > place) faces = new Map()
      place = event.ts
      const face = JSON.stringify(event)
      faces.set(face, (faces.get(face) ?? 0) + 1)
    }
    const first = [...(yield* Stream.runCollect(events(source, ending)))]
    // All of the newest time, not only those that are given.
    const newest = first.at(-1)?.ts ?? null
    if (newest === null) for (const event of first) note(event)
    else
      yield* Stream.runForEach(events(source, { ...asked, since: newest }), (event) => Effect.sync(() => note(event)))
    const look = Effect.sync((): EventStream => {
      const since = place
      const known = new Map(faces)
      const isNew = (event: LogEvent): boolean => {
        const face = JSON.stringify(event)
        const left = event.ts === since ? (known.get(face) ?? 0) : 0
        if (left > 0) known.set(face, left - 1)
        else note(event)
        return left === 0
      }
      return Stream.filter(events(source, since === Number.NEGATIVE_INFINITY ? asked : { ...asked, since }), isNew)
    })
    return { first: Stream.fromIterable(first), look }
  })

const counted = (source: SqlSource, asked: LogQuery, ending: LogQuery): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = conditionOf(source.shape, asked)
    const count = Effect.map(
      source.ask(`SELECT count(*) AS events FROM ${quoted(source.shape.table)} WHERE ${sql}`, values),
      ([row]) => Number(row?.events ?? 0)
    )
    let before = ending.last === 0 ? 0 : yield* count
    const look = Effect.map(count, (now): EventStream => {
      const offset = now < before ? 0 : before
      before = now
      return now > offset ? events(source, { ...asked, offset, limit: now - offset }) : Stream.empty
    })
    return { first: events(source, ending), look }
  })
