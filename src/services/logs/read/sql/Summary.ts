/**
 * Sessions and numbers of a table, computed by SQLite.
 */
import * as Effect from "effect/Effect"
import type { LogQuery, LogStats, SessionSummary } from "../../LogQuery.ts"
import { sessionEnd, sessionStart } from "../../SessionEvent.ts"
import type { LogReadError } from "../Log.ts"
import { byCount, byName, type Counts, type Course, endings, failing, gather, outcomeOf, page } from "../LogSummary.ts"
import { levelIn, metadataOf } from "../LogText.ts"
import { of, secondsOf, textOf } from "./Filter.ts"
import { number, type SqlSource, text } from "./Source.ts"
import { quoted } from "./TableShape.ts"

/** The longest metadata that is looked at for an outcome. */
const METADATA = 1 << 16

export const sessions = (
  { ask, shape }: SqlSource,
  query: LogQuery
): Effect.Effect<ReadonlyArray<SessionSummary>, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = of(shape, query)
    const from = `FROM ${quoted(shape.table)} WHERE ${sql}`
    const session = textOf(shape.columns.session)
    const message = textOf(shape.columns.message)
    const seconds = secondsOf(shape)
    const isEnd = `${message} = '${sessionEnd}' OR substr(${message}, 1, ${endings.length}) = '${endings}'`
    const groups = yield* ask(
      `SELECT ${session} AS session, min(${seconds}) AS first, max(${seconds}) AS last, count(*) AS events, sum(coalesce(${message} = '${sessionStart}', 0)) AS starts, sum(coalesce(${isEnd}, 0)) AS ends, max(${shape.rowid ?? "NULL"}) AS place ${from} GROUP BY 1`,
      values
    )
    const ends = yield* ask(
      `SELECT ${session} AS session, substr(${message}, 1, ${failing.length}) AS message, substr(${textOf(shape.columns.metadata)}, 1, ${METADATA}) AS metadata ${from} AND (${isEnd}) ORDER BY ${seconds}${shape.rowid === null ? "" : `, ${shape.rowid}`}`,
      values
    )
    const lastEnds = new Map<string | null, Course["end"]>()
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
        outcome: outcomeOf(course)
      }
      return { summary, place: Number(row.place) }
    })
    return page(found, query)
  })

export const stats = ({ ask, shape }: SqlSource, query: LogQuery): Effect.Effect<LogStats, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = of(shape, query)
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
      gather(groups.map((row) => [name(row), Number(row.events)] as const))
    return {
      events: groups.reduce((sum, row) => sum + Number(row.events), 0),
      sessions: Number(totals?.sessions ?? 0),
      first: number(totals?.first),
      last: number(totals?.last),
      roles: [...counts((row) => text(row.role))].sort(byCount),
      levels: [...counts((row) => levelIn(text(row.level), text(row.role)))].sort(byCount),
      days: [...counts((row) => text(row.day))].sort(byName)
    }
  })
