/**
 * New events of a table: by rowid, which grows with each row; without rowids by time, else by counting.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import * as FollowedFile from "../FollowedFile.ts"
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

type EventStream = FollowedFile.EventStream

/** A database file to follow, and how to open the file that the path names now. */
export interface FollowedDatabase {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  readonly reopen: Effect.Effect<SqlSource, LogReadError, Scope.Scope>
}

/** The last events of the table, then new ones. */
export const follow = (
  { fs, path, reopen }: FollowedDatabase,
  query: LogQuery,
  options: NonNullable<Parameters<Log["follow"]>[1]> = {}
): EventStream => {
  const { every = defaultEvery } = options
  const wait = { while: isLocked, schedule: Schedule.spaced(every) }
  const open = (whole: boolean) =>
    Effect.retry(reopen, wait).pipe(
      Effect.flatMap((source) => tailOf(waitingForLocks(source, every), query, whole)),
      Effect.map((tail): FollowedFile.Tail => {
        // SQLite does not tell whether a file was removed, so a replaced one is checked twice.
        let asked = 0
        const ending = Effect.sync(() => {
          asked += 1
          return asked > 1
        })
        return { ...tail, ending }
      })
    )
  // The writer of the new file may not have created the table yet.
  return FollowedFile.follow({ fs, path, open, passes: () => true }, options)
}

const isLocked = ({ reason }: LogReadError): boolean => reason === "Locked"

/** Waits for locks without a limit. */
const waitingForLocks = (source: SqlSource, every: Duration.DurationInput): SqlSource => ({
  ...source,
  ask: (sql, values) => Effect.retry(source.ask(sql, values), { while: isLocked, schedule: Schedule.spaced(every) })
})

type Growth = Omit<FollowedFile.Tail, "ending">

/** `whole`: all existing events are new. */
const tailOf = (source: SqlSource, query: LogQuery, whole: boolean): Effect.Effect<Growth, LogReadError> => {
  const { rowid } = source.shape
  const last = query.last ?? defaultLast
  return rowid === null ? countedTail(source, query, last, whole) : numberedTail(source, rowid, query, last, whole)
}

/** The last events are first searched among this many rows, because a plan with an index may have to sort. */
const NEAR = 50_000

/** Follows by rowid. */
const numberedTail = (
  { ask, shape }: SqlSource,
  rowid: string,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Growth, LogReadError> =>
  Effect.gen(function* () {
    const rows = rowsOf(shape, rowid)
    // Found by rowid, so that the cost of a check depends on the new rows, not on the size of the session.
    const filter = conditionOf(shape, query, { unindexed: true })
    const eventsOf = (keys: Keys): EventStream => pagedEvents(ask, rows, keys, Number.POSITIVE_INFINITY)
    const between = (from: string | undefined, to: SeenRow | undefined): EventStream => {
      if (to === undefined) return Stream.empty
      return eventsOf((after, count) => {
        const start = after?.id ?? from
        const above = start === undefined ? [] : [{ sql: `${rowid} > CAST(? AS INTEGER)`, values: [start] }]
        return keysWhere(ask, rows, allOf([...above, upTo(rows, to), filter]), "ASC", count)
      })
    }
    const position = positionOf(ask, shape, rowid)
    let before: Position = whole ? { newest: undefined, oldest: undefined } : yield* position
    const first = whole ? [] : yield* newestKeys(ask, shape, rows, query, before.newest, last)
    const check = Effect.gen(function* () {
      const now = yield* position
      const start = yield* resumeAfter(ask, shape, rowid, before, now)
      before = now
      return between(start, now.newest)
    })
    return { first: eventsOf((after) => Effect.succeed(after === undefined ? first : [])), check }
  })

/** A row, with what to recognize it by. */
interface SeenRow {
  readonly id: string
  readonly fingerprint: string | null
}

/**
 * Where a check ended: the highest and the lowest row, undefined in an empty table. Between two checks the table may have been
 * emptied, and rowids may start again: if neither row is what it was, everything in the table is new.
 */
interface Position {
  readonly newest: SeenRow | undefined
  readonly oldest: SeenRow | undefined
}

const fingerprintOf = ({ columns }: TableShape): string => {
  const time = columns.time === undefined ? "''" : `quote(${quoted(columns.time)})`
  const message = quoted(columns.message)
  return `${time} || ' ' || coalesce(octet_length(${message}), '') || ' ' || hex(substr(${message}, 1, 64))`
}

const rowAt = (ask: Ask, shape: TableShape, rowid: string, rest: string, values: Condition["values"] = []) =>
  Effect.map(
    ask(
      `SELECT CAST(${rowid} AS TEXT) AS codex_id, ${fingerprintOf(shape)} AS codex_fingerprint FROM ${quoted(shape.table)} ${rest}`,
      values
    ),
    ([row]): SeenRow | undefined =>
      row === undefined ? undefined : { id: String(row.codex_id), fingerprint: text(row.codex_fingerprint) }
  )

const positionOf = (ask: Ask, shape: TableShape, rowid: string): Effect.Effect<Position, LogReadError> =>
  Effect.all({
    newest: rowAt(ask, shape, rowid, `ORDER BY ${rowid} DESC LIMIT 1`),
    oldest: rowAt(ask, shape, rowid, `ORDER BY ${rowid} LIMIT 1`)
  })

/** The rowid after which rows are new; undefined if all are new. */
const resumeAfter = (ask: Ask, shape: TableShape, rowid: string, before: Position, now: Position) =>
  Effect.gen(function* () {
    const { newest, oldest } = before
    if (newest === undefined || now.newest === undefined) return undefined
    const same = yield* rowAt(ask, shape, rowid, `WHERE ${rowid} = CAST(? AS INTEGER)`, [newest.id])
    if (same !== undefined && same.fingerprint === newest.fingerprint) return newest.id
    if (now.oldest?.id !== oldest?.id || now.oldest?.fingerprint !== oldest?.fingerprint) return undefined
    return BigInt(now.newest.id) < BigInt(newest.id) ? now.newest.id : newest.id
  })

const upTo = ({ rowid }: Rows, { id }: SeenRow): Condition => ({
  sql: `${rowid} <= CAST(? AS INTEGER)`,
  values: [id]
})

const keysWhere = (ask: Ask, rows: Rows, { sql, values }: Condition, direction: "ASC" | "DESC", count: number) =>
  Effect.map(
    ask(
      `SELECT CAST(${rows.rowid} AS TEXT) AS codex_id, ${rows.size} AS codex_size FROM ${rows.table} WHERE ${sql} ORDER BY ${rows.rowid} ${direction} LIMIT ?`,
      [...values, count]
    ),
    (found) => found.map(keyOf)
  )

/** Keys of the last rows of a query up to a row, in the order of writing. */
const newestKeys = (
  ask: Ask,
  shape: TableShape,
  rows: Rows,
  query: LogQuery,
  to: SeenRow | undefined,
  last: number
): Effect.Effect<ReadonlyArray<Key>, LogReadError> =>
  Effect.gen(function* () {
    if (to === undefined) return []
    const near = { sql: `${rows.rowid} > CAST(? AS INTEGER) - ${NEAR}`, values: [to.id] }
    const filter = conditionOf(shape, query, { unindexed: true })
    const found = yield* keysWhere(ask, rows, allOf([upTo(rows, to), near, filter]), "DESC", last)
    if (found.length === last) return found.reverse()
    return (yield* keysWhere(ask, rows, allOf([upTo(rows, to), conditionOf(shape, query)]), "DESC", last)).reverse()
  })

/** Follows by time or by counting. */
const countedTail = (
  source: SqlSource,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Growth, LogReadError> => {
  const forward: LogQuery = { ...query, order: "asc", last: undefined, limit: undefined, offset: undefined }
  const ending: LogQuery = { ...forward, last: whole ? 0 : last }
  return source.shape.columns.time === undefined ? counted(source, forward, ending) : timed(source, forward, ending)
}

/** By time: events of the latest second that was seen are remembered, so that none is returned twice and none is missed. */
const timed = (source: SqlSource, forward: LogQuery, ending: LogQuery): Effect.Effect<Growth, LogReadError> =>
  Effect.gen(function* () {
    let latest = forward.since ?? Number.NEGATIVE_INFINITY
    let seen = new Map<string, number>()
    const note = (event: LogEvent): void => {
      if (event.ts === null || event.ts < latest) return
      if (event.ts > latest) seen = new Map()
      latest = event.ts
      const key = JSON.stringify(event)
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }
    const first = [...(yield* Stream.runCollect(events(source, ending)))]
    // All events of the newest time, not only those in `first`.
    const newest = first.at(-1)?.ts ?? null
    if (newest === null) for (const event of first) note(event)
    else
      yield* Stream.runForEach(events(source, { ...forward, since: newest }), (event) => Effect.sync(() => note(event)))
    const check = Effect.sync((): EventStream => {
      const since = latest
      const known = new Map(seen)
      const isNew = (event: LogEvent): boolean => {
        const key = JSON.stringify(event)
        const left = event.ts === since ? (known.get(key) ?? 0) : 0
        if (left > 0) known.set(key, left - 1)
        else note(event)
        return left === 0
      }
      return Stream.filter(events(source, since === Number.NEGATIVE_INFINITY ? forward : { ...forward, since }), isNew)
    })
    return { first: Stream.fromIterable(first), check }
  })

const counted = (source: SqlSource, forward: LogQuery, ending: LogQuery): Effect.Effect<Growth, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = conditionOf(source.shape, forward)
    const count = Effect.map(
      source.ask(`SELECT count(*) AS events FROM ${quoted(source.shape.table)} WHERE ${sql}`, values),
      ([row]) => Number(row!.events)
    )
    let before = ending.last === 0 ? 0 : yield* count
    const check = Effect.map(count, (now): EventStream => {
      const offset = now < before ? 0 : before
      before = now
      return now > offset ? events(source, { ...forward, offset, limit: now - offset }) : Stream.empty
    })
    return { first: events(source, ending), check }
  })
