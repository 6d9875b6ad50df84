/**
 * Rows of a table as events: the conditions of a query, what is selected, and pages of rows.
 *
 * Column names are quoted, values are bound. Each statement is short, and no page holds more than some megabytes: a page is read in
 * two steps, first keys and sizes of up to a thousand rows, then the rows themselves, as many as fit.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import { Level, type LogEvent, levelAliases, levelOf } from "../../SessionEvent.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { eventOf, metadataOf } from "../EventColumns.ts"
import type { LogReadError } from "../Log.ts"
import { sqlSeconds } from "../Timestamp.ts"
import { type Ask, number, quoted, text } from "./SqlStatement.ts"
import type { TableShape } from "./TableShape.ts"

export interface SqlSource {
  readonly path: string
  readonly shape: TableShape
  readonly ask: Ask
  /** A name for a temporary table that no other has. */
  readonly temporary: () => string
}

export interface Condition {
  readonly sql: string
  readonly values: ReadonlyArray<Sqlite.Value>
}

/** All of them; `1` for none. */
export const allOf = (conditions: ReadonlyArray<Condition>): Condition => ({
  sql: conditions.length === 0 ? "1" : conditions.map(({ sql }) => sql).join(" AND "),
  values: conditions.flatMap(({ values }) => values)
})

/** SQL for a part of an event as text, NULL where the table has none. A BLOB is read as UTF-8. */
export const textOf = (column: string | undefined): string =>
  column === undefined ? "NULL" : `CAST(${quoted(column)} AS TEXT)`

/** SQL for the time in seconds. */
export const secondsOf = ({ columns }: TableShape): string =>
  columns.time === undefined ? "NULL" : sqlSeconds(quoted(columns.time))

const listed = (values: ReadonlyArray<string>): string => `(${values.map(() => "?").join(", ")})`

export interface Settings {
  /** The time column holds nothing but seconds, so that an index of it serves. */
  readonly bare?: boolean
  /** The rows are found otherwise: no index of the session is to be used. */
  readonly unindexed?: boolean
}

/** The conditions of a query. */
export const conditionOf = (
  shape: TableShape,
  query: LogQuery,
  { bare = false, unindexed = false }: Settings = {}
): Condition => {
  const { columns } = shape
  const conditions: Array<Condition> = []
  if (query.sessionId !== undefined) conditions.push(sessionCondition(shape, query.sessionId, unindexed))
  const { roles = [], levels = [] } = query
  if (roles.length > 0) conditions.push({ sql: `${textOf(columns.role)} IN ${listed(roles)}`, values: roles })
  if (levels.length > 0) conditions.push(levelCondition(shape, levels))
  if (query.contains !== undefined)
    conditions.push({
      sql: `instr(lower(${textOf(columns.message)}), lower(?)) > 0`,
      values: [query.contains]
    })
  const seconds = bare && columns.time !== undefined ? quoted(columns.time) : secondsOf(shape)
  if (query.since !== undefined) conditions.push({ sql: `${seconds} >= ?`, values: [query.since] })
  if (query.until !== undefined) conditions.push({ sql: `${seconds} <= ?`, values: [query.until] })
  return allOf(conditions)
}

export const sessionCondition = ({ columns, sessions }: TableShape, id: string, unindexed = false): Condition => {
  if (columns.session === undefined) return { sql: "0", values: [] }
  const column = quoted(columns.session)
  const exact = { sql: `${textOf(columns.session)} = ?`, values: [id] }
  if (unindexed || sessions === "none") return exact
  const indexed = { sql: `${column} = ? COLLATE BINARY`, values: [id] }
  return sessions === "text" ? indexed : allOf([indexed, exact])
}

const levelCondition = ({ columns }: TableShape, wanted: ReadonlyArray<string>): Condition => {
  const levels = [...new Set(wanted.map(levelOf))]
  const named = [
    ...levels,
    ...Object.entries(levelAliases).flatMap(([name, level]) => (levels.includes(level) ? [name] : []))
  ]
  const known = named.filter((name) => Level.literals.some((literal) => literal === levelOf(name)))
  const told = { sql: `${capitals(columns.role)} IN ${listed(known)}`, values: known }
  if (columns.level === undefined) return told
  const own = capitals(columns.level)
  return {
    sql: `CASE WHEN ${own} <> '' THEN ${own} IN ${listed(named)} ELSE ${told.sql} END`,
    values: [...named, ...told.values]
  }
}

const capitals = (column: string | undefined): string => `upper(trim(${textOf(column)}, ' ' || char(9, 10, 13)))`

/** What is selected to make an event, from columns with these names. */
export const selected = (shape: TableShape): string => {
  const { columns } = shape
  const texts = [
    `${textOf(columns.time)} AS time`,
    `${textOf(columns.session)} AS session`,
    `${textOf(columns.role)} AS role`,
    `${textOf(columns.message)} AS message`,
    `${textOf(columns.level)} AS level`,
    `${textOf(columns.metadata)} AS metadata`
  ]
  return [`${secondsOf(shape)} AS seconds`, ...texts].join(", ")
}

/** About how many bytes a row has, without reading them. */
export const sizeOf = ({ columns }: TableShape): string =>
  [columns.message, columns.metadata]
    .flatMap((column) => (column === undefined ? [] : `coalesce(octet_length(${quoted(column)}), 0)`))
    .join(" + ")

const eventOfRow = (row: Sqlite.Row): LogEvent =>
  eventOf({
    seconds: number(row.seconds),
    time: text(row.time),
    session: text(row.session),
    role: text(row.role),
    message: text(row.message),
    level: text(row.level),
    metadata: metadataOf(text(row.metadata))
  })

/** Where rows are fetched from. */
export interface Rows {
  /** SQL for the table, the number of a row, and what is selected to make an event. */
  readonly table: string
  readonly rowid: string
  readonly selected: string
  readonly size: string
}

/** Rows of a table that has rowids. */
export const rowsOf = (shape: TableShape, rowid: string): Rows => ({
  table: quoted(shape.table),
  rowid,
  selected: selected(shape),
  size: sizeOf(shape)
})

/** Names a row, and says where to go on after it. Rowids are texts, because they may be beyond 2^53. */
export interface Key {
  readonly id: string
  readonly size: number
  /** What the order is by, besides the rowid. */
  readonly place: Sqlite.Value
}

/** From columns whose names no table has: SQL takes the name of a result before that of a column. */
export const keyOf = (row: Sqlite.Row): Key => ({
  id: String(row.codex_id),
  size: Number(row.codex_size),
  place: row.codex_place ?? null
})

/** Up to so many further keys, in the order of the query. */
export type Keys = (after: Key | undefined, count: number) => Effect.Effect<ReadonlyArray<Key>, LogReadError>

export const pageRows = 1000
const PAGE_BYTES = 4 << 20

/** The events of keys. */
export const pagedEvents = (ask: Ask, rows: Rows, keys: Keys, limit: number): Stream.Stream<LogEvent, LogReadError> => {
  type Page = readonly [Chunk.Chunk<LogEvent>, Option.Option<Step>]
  const step = ({ keys: given, from, after, left }: Step): Effect.Effect<Page, LogReadError> =>
    Effect.gen(function* () {
      const found = from < given.length ? given : yield* keys(after, Math.min(pageRows, left))
      const start = found === given ? from : 0
      const page = found.slice(start, fitting(found, start))
      const last = page.at(-1)
      if (last === undefined) return [Chunk.empty(), Option.none()]
      const read = yield* fetch(ask, rows, page)
      const next: Step = { keys: found, from: start + page.length, after: last, left: left - page.length }
      return [Chunk.unsafeFromArray(read), next.left > 0 ? Option.some(next) : Option.none()]
    })
  const first: Step = { keys: [], from: 0, after: undefined, left: limit }
  return limit > 0 ? Stream.paginateChunkEffect(first, step) : Stream.empty
}

interface Step {
  readonly keys: ReadonlyArray<Key>
  /** Those before were given. */
  readonly from: number
  readonly after: Key | undefined
  readonly left: number
}

/** Where the page ends that begins with a key: it has at least that. */
const fitting = (keys: ReadonlyArray<Key>, start: number): number => {
  let bytes = 0
  for (let end = start; end < keys.length; end++) {
    bytes += keys[end]?.size ?? 0
    if (end - start === pageRows || (end > start && bytes > PAGE_BYTES)) return end
  }
  return keys.length
}

/** The events of rows, in the order of the keys. Rows that are gone meanwhile are left out. */
const fetch = (ask: Ask, rows: Rows, keys: ReadonlyArray<Key>): Effect.Effect<ReadonlyArray<LogEvent>, LogReadError> =>
  Effect.map(
    ask(
      `SELECT codex_n, ${rows.selected} FROM (SELECT key AS codex_n, value AS codex_id FROM json_each(?)) CROSS JOIN ${rows.table} AS found ON found.${rows.rowid} = codex_id`,
      [`[${keys.map(({ id }) => id).join(",")}]`]
    ),
    (found) => [...found].sort((a, b) => Number(a.codex_n) - Number(b.codex_n)).map(eventOfRow)
  )
