/**
 * Rows of a table as events: the conditions of a query, what is selected, and pages of rows.
 *
 * Names are quoted, values are bound. Statements are short, and a page has at most some megabytes: it is read in two steps, first
 * keys and sizes of up to a thousand rows, then as many of the rows as fit.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import { Level, type LogEvent, levelAliases, normalizeLevel } from "../../SessionEvent.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { eventOf, metadataOf } from "../EventColumns.ts"
import type { LogReadError } from "../Log.ts"
import { sqlSeconds } from "../Timestamp.ts"
import { type Ask, number, quoted, text } from "./SqlStatement.ts"
import type { TableShape } from "./TableShape.ts"

/** An open table. */
export interface SqlSource {
  readonly path: string
  readonly shape: TableShape
  readonly ask: Ask
  /** A unique name for a temporary table. */
  readonly temporary: () => string
}

/** A condition in SQL, and its bound values. */
export interface Condition {
  readonly sql: string
  readonly values: ReadonlyArray<Sqlite.Value>
}

/** The conjunction; `1` if there are none. */
export const allOf = (conditions: ReadonlyArray<Condition>): Condition => ({
  sql: conditions.length === 0 ? "1" : conditions.map(({ sql }) => sql).join(" AND "),
  values: conditions.flatMap(({ values }) => values)
})

/** SQL for a part of an event as text, NULL if the table does not have it. A BLOB is read as UTF-8. */
export const textOf = (column: string | undefined): string =>
  column === undefined ? "NULL" : `CAST(${quoted(column)} AS TEXT)`

/** SQL for the time in seconds since 1970. */
export const secondsOf = ({ columns }: TableShape): string =>
  columns.time === undefined ? "NULL" : sqlSeconds(quoted(columns.time))

const placeholders = (values: ReadonlyArray<string>): string => `(${values.map(() => "?").join(", ")})`

interface Settings {
  /** The time column has only seconds, so that it can be compared directly and its index used. */
  readonly bare?: boolean
  /** The rows are found in another way: do not use the index of the session. */
  readonly unindexed?: boolean
}

/** The condition of a query, without `last`, `offset` and `limit`. */
export const conditionOf = (
  shape: TableShape,
  query: LogQuery,
  { bare = false, unindexed = false }: Settings = {}
): Condition => {
  const { columns } = shape
  const conditions: Array<Condition> = []
  if (query.sessionId !== undefined) conditions.push(sessionCondition(shape, query.sessionId, unindexed))
  const { roles = [], levels = [] } = query
  if (roles.length > 0) conditions.push({ sql: `${textOf(columns.role)} IN ${placeholders(roles)}`, values: roles })
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

/** Whether a row is of a session. An index is used if the column's type allows it. */
export const sessionCondition = ({ columns, sessions }: TableShape, id: string, unindexed = false): Condition => {
  if (columns.session === undefined) return { sql: "0", values: [] }
  const column = quoted(columns.session)
  const exact = { sql: `${textOf(columns.session)} = ?`, values: [id] }
  if (unindexed || sessions === "none") return exact
  const indexed = { sql: `${column} = ? COLLATE BINARY`, values: [id] }
  return sessions === "text" ? indexed : allOf([indexed, exact])
}

const levelCondition = ({ columns }: TableShape, wanted: ReadonlyArray<string>): Condition => {
  const levels = [...new Set(wanted.map(normalizeLevel))]
  const names = [
    ...levels,
    ...Object.entries(levelAliases).flatMap(([name, level]) => (levels.includes(level) ? [name] : []))
  ]
  const known = names.filter((name) => Level.literals.some((literal) => literal === normalizeLevel(name)))
  const byRole = { sql: `${upperCase(columns.role)} IN ${placeholders(known)}`, values: known }
  if (columns.level === undefined) return byRole
  const level = upperCase(columns.level)
  return {
    sql: `CASE WHEN ${level} <> '' THEN ${level} IN ${placeholders(names)} ELSE ${byRole.sql} END`,
    values: [...names, ...byRole.values]
  }
}

const upperCase = (column: string | undefined): string => `upper(trim(${textOf(column)}, ' ' || char(9, 10, 13)))`

/** The columns to select for an event. */
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

/** SQL for the approximate size of a row in bytes, which SQLite knows without reading it. */
const sizeOf = ({ columns }: TableShape): string =>
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

/** A table with rowids to read from; every field is SQL. */
export interface Rows {
  readonly table: string
  readonly rowid: string
  readonly selected: string
  readonly size: string
}

/** The rows of a log. */
export const rowsOf = (shape: TableShape, rowid: string): Rows => ({
  table: quoted(shape.table),
  rowid,
  selected: selected(shape),
  size: sizeOf(shape)
})

/** Identifies a row, and the position after which reading continues. Rowids are texts, because they may be above 2^53. */
export interface Key {
  readonly id: string
  readonly size: number
  /** The value that rows are ordered by before the rowid. */
  readonly place: Sqlite.Value
}

/** The `codex_` names are not used by tables: SQL prefers names of results to those of columns. */
export const keyOf = (row: Sqlite.Row): Key => ({
  id: String(row.codex_id),
  size: Number(row.codex_size),
  place: row.codex_place ?? null
})

/** Reads up to `count` keys after a key, in the order of the query. */
export type Keys = (after: Key | undefined, count: number) => Effect.Effect<ReadonlyArray<Key>, LogReadError>

/** Rows of a page. */
export const pageRows = 1000
const PAGE_BYTES = 4 << 20

/** The events of the rows that `keys` lists, at most `limit`. */
export const pagedEvents = (ask: Ask, rows: Rows, keys: Keys, limit: number): Stream.Stream<LogEvent, LogReadError> => {
  type Page = readonly [Chunk.Chunk<LogEvent>, Option.Option<Step>]
  const step = ({ keys: given, from, after, left }: Step): Effect.Effect<Page, LogReadError> =>
    Effect.gen(function* () {
      const found = from < given.length ? given : yield* keys(after, Math.min(pageRows, left))
      const start = found === given ? from : 0
      const page = found.slice(start, pageEnd(found, start))
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
  /** Keys before this index have been read. */
  readonly from: number
  readonly after: Key | undefined
  readonly left: number
}

/** Where the page ends that starts at a key; it has at least one row. */
const pageEnd = (keys: ReadonlyArray<Key>, start: number): number => {
  let bytes = 0
  for (let end = start; end < keys.length; end++) {
    bytes += keys[end]!.size
    if (end - start === pageRows || (end > start && bytes > PAGE_BYTES)) return end
  }
  return keys.length
}

/** The events of rows, in the order of the keys. Rows that were deleted meanwhile are left out. */
const fetch = (ask: Ask, rows: Rows, keys: ReadonlyArray<Key>): Effect.Effect<ReadonlyArray<LogEvent>, LogReadError> =>
  Effect.map(
    ask(
      `SELECT codex_n, ${rows.selected} FROM (SELECT key AS codex_n, value AS codex_id FROM json_each(?)) CROSS JOIN ${rows.table} AS found ON found.${rows.rowid} = codex_id`,
      [`[${keys.map(({ id }) => id).join(",")}]`]
    ),
    (found) => [...found].sort((a, b) => Number(a.codex_n) - Number(b.codex_n)).map(eventOfRow)
  )
