/**
 * A table of a SQLite database as a log. SQLite computes sessions and statistics.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  byCount,
  byName,
  type Counts,
  endPrefix,
  failurePrefix,
  type LogQuery,
  type LogStats,
  type SessionEnds,
  type SessionSummary,
  selectSessions,
  sessionOutcome,
  sumByName
} from "../../LogQuery.ts"
import { sessionEnd, sessionStart } from "../../SessionEvent.ts"
import * as Sqlite from "../../Sqlite.ts"
import { levelIn, metadataOf } from "../EventColumns.ts"
import type { Log, LogReadError, Options } from "../Log.ts"
import { events } from "./SqlEvents.ts"
import { follow } from "./SqlFollow.ts"
import { conditionOf, type SqlSource, secondsOf, textOf } from "./SqlRows.ts"
import { asking, number, quoted, readErrorOf, text } from "./SqlStatement.ts"
import { find, show } from "./TableShape.ts"

/** How long a reader waits for a lock. */
const BUSY_MILLIS = 3000
/** The same while following, which checks again anyway; SQLite blocks the thread while it waits. */
const FOLLOW_BUSY_MILLIS = 20

/** Opens a table as a log. */
export const open = (options: Options): Effect.Effect<Log, LogReadError, Scope.Scope | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { path } = options
    const fs = yield* FileSystem.FileSystem
    const source = yield* sourceOf(options, BUSY_MILLIS)
    const followed = { fs, path, reopen: sourceOf(options, FOLLOW_BUSY_MILLIS) }
    return {
      path,
      shape: show(source.shape),
      events: (query) => events(source, query),
      follow: (query, options) => follow(followed, query, options),
      sessions: (query) => sessions(source, query),
      stats: (query) => stats(source, query),
      skipped: Effect.succeed(0)
    }
  })

const sourceOf = (options: Options, busyMillis: number): Effect.Effect<SqlSource, LogReadError, Scope.Scope> =>
  Effect.gen(function* () {
    const { path } = options
    const database = yield* Effect.mapError(Sqlite.open({ path, readonly: true, busyMillis }), readErrorOf)
    const ask = asking(database)
    const shape = yield* find(options, ask)
    let tables = 0
    const temporary = () => {
      tables += 1
      return `temp.codex_log_${tables}`
    }
    return { path, shape, ask, temporary }
  })

/** Longer metadata is not searched for an outcome. */
const METADATA = 1 << 16

/** The sessions of the selected events. */
export const sessions = (
  { ask, shape }: SqlSource,
  query: LogQuery
): Effect.Effect<ReadonlyArray<SessionSummary>, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = conditionOf(shape, query)
    const from = `FROM ${quoted(shape.table)} WHERE ${sql}`
    const session = textOf(shape.columns.session)
    const message = textOf(shape.columns.message)
    const seconds = secondsOf(shape)
    const isEnd = `${message} = '${sessionEnd}' OR substr(${message}, 1, ${endPrefix.length}) = '${endPrefix}'`
    const groups = yield* ask(
      `SELECT ${session} AS session, min(${seconds}) AS first, max(${seconds}) AS last, count(*) AS events, sum(coalesce(${message} = '${sessionStart}', 0)) AS starts, sum(coalesce(${isEnd}, 0)) AS ends, max(${shape.rowid ?? "NULL"}) AS position ${from} GROUP BY 1`,
      values
    )
    const ends = yield* ask(
      `SELECT ${session} AS session, substr(${message}, 1, ${failurePrefix.length}) AS message, substr(${textOf(shape.columns.metadata)}, 1, ${METADATA}) AS metadata ${from} AND (${isEnd}) ORDER BY ${seconds}${shape.rowid === null ? "" : `, ${shape.rowid}`}`,
      values
    )
    const lastEnds = new Map<string | null, SessionEnds["end"]>()
    for (const row of ends)
      lastEnds.set(text(row.session), { message: text(row.message) ?? "", metadata: metadataOf(text(row.metadata)) })
    const found = groups.map((row) => {
      const session_id = text(row.session)
      const course = { starts: Number(row.starts), ends: Number(row.ends), end: lastEnds.get(session_id) }
      const summary: SessionSummary = {
        session_id,
        first: number(row.first),
        last: number(row.last),
        events: Number(row.events),
        outcome: sessionOutcome(course)
      }
      return { summary, position: Number(row.position) }
    })
    return selectSessions(found, query)
  })

/** Statistics of the selected events. */
export const stats = ({ ask, shape }: SqlSource, query: LogQuery): Effect.Effect<LogStats, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = conditionOf(shape, query)
    const from = `FROM ${quoted(shape.table)} WHERE ${sql}`
    const seconds = secondsOf(shape)
    const { role, level, session } = shape.columns
    const [totals] = yield* ask(
      `SELECT count(DISTINCT ${textOf(session)}) AS sessions, min(${seconds}) AS first, max(${seconds}) AS last ${from}`,
      values
    )
    const groups = yield* ask(
      `SELECT ${textOf(role)} AS role, ${textOf(level)} AS level, strftime('%Y-%m-%d', ${seconds}, 'unixepoch') AS day, count(*) AS events ${from} GROUP BY 1, 2, 3`,
      values
    )
    const counts = (name: (row: (typeof groups)[number]) => string | null): Counts =>
      sumByName(groups.map((row) => [name(row), Number(row.events)] as const))
    return {
      events: groups.reduce((sum, row) => sum + Number(row.events), 0),
      sessions: Number(totals!.sessions),
      first: number(totals!.first),
      last: number(totals!.last),
      roles: [...counts((row) => text(row.role))].sort(byCount),
      levels: [...counts((row) => levelIn(text(row.level), text(row.role)))].sort(byCount),
      days: [...counts((row) => text(row.day))].sort(byName)
    }
  })
