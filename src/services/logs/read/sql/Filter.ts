/**
 * What a query asks of a row, in SQL: column names quoted, values bound.
 */
import type { LogQuery } from "../../LogQuery.ts"
import { Level, levelAliases, levelOf } from "../../SessionEvent.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { sqlSeconds } from "../LogTime.ts"
import { quoted, type TableShape } from "./TableShape.ts"

export interface Condition {
  readonly sql: string
  readonly values: ReadonlyArray<Sqlite.Value>
}

/** All of them; `1` for none. */
export const all = (conditions: ReadonlyArray<Condition>): Condition => ({
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
export const of = (
  shape: TableShape,
  query: LogQuery,
  { bare = false, unindexed = false }: Settings = {}
): Condition => {
  const { columns } = shape
  const conditions: Array<Condition> = []
  if (query.sessionId !== undefined) conditions.push(session(shape, query.sessionId, unindexed))
  const { roles = [], levels = [] } = query
  if (roles.length > 0) conditions.push({ sql: `${textOf(columns.role)} IN ${listed(roles)}`, values: roles })
  if (levels.length > 0) conditions.push(level(shape, levels))
  if (query.contains !== undefined)
    conditions.push({
      sql: `instr(lower(${textOf(columns.message)}), lower(?)) > 0`,
      values: [query.contains]
    })
  const seconds = bare && columns.time !== undefined ? quoted(columns.time) : secondsOf(shape)
  if (query.since !== undefined) conditions.push({ sql: `${seconds} >= ?`, values: [query.since] })
  if (query.until !== undefined) conditions.push({ sql: `${seconds} <= ?`, values: [query.until] })
  return all(conditions)
}

export const session = ({ columns, sessions }: TableShape, id: string, unindexed = false): Condition => {
  if (columns.session === undefined) return { sql: "0", values: [] }
  const column = quoted(columns.session)
  const exact = { sql: `${textOf(columns.session)} = ?`, values: [id] }
  if (unindexed || sessions === "none") return exact
  const indexed = { sql: `${column} = ? COLLATE BINARY`, values: [id] }
  return sessions === "text" ? indexed : all([indexed, exact])
}

const level = ({ columns }: TableShape, wanted: ReadonlyArray<string>): Condition => {
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
