/**
 * Which table of a database is read as a log, and which of its columns hold which part of an event.
 */
import * as Effect from "effect/Effect"
import { nearest } from "../../../../core/config/Suggestion.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { assign, checkNames, columnNames, flags, type Part, parts } from "../EventColumns.ts"
import { type Columns, LogReadError, type Options } from "../Log.ts"
import type { Ask } from "./SqlStatement.ts"

/** The table, and the columns of an event's parts. */
export interface TableShape {
  readonly table: string
  /** The name of the rowid that no column hides; null if there is none (views, virtual tables, WITHOUT ROWID). */
  readonly rowid: string | null
  readonly columns: Columns & { readonly message: string }
  /** How SQLite compares the session column with a text: as text, after converting the text to a number, or never equal. */
  readonly sessions: "text" | "number" | "none"
}

interface Table {
  readonly name: string
  readonly kind: string
  readonly rowid: string | null
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
}

/** For people: `logs(ts, session, kind, message)`. */
export const show = ({ table, columns }: TableShape): string =>
  `${table}(${parts.flatMap((part) => columns[part] ?? []).join(", ")})`

/** Finds the table and its columns; names in the options take precedence. */
export const find = ({ path, table, columns = {} }: Options, ask: Ask): Effect.Effect<TableShape, LogReadError> =>
  Effect.gen(function* () {
    yield* checkNames(path, { table, ...columns })
    const tables = yield* list(ask)
    const given = table === undefined ? undefined : yield* tableNamed(path, table, tables)
    if (given !== undefined) {
      const shape = yield* shapeOf(path, given, columns)
      return shape ?? (yield* noMessage(path, given))
    }
    const fitting = tables.filter((one) => fits(one, columns)).sort(byLikeness)
    // A column in the options must exist, so the error is about the table that looks most like a log.
    const [best] = fitting.length > 0 ? fitting : tables.filter((one) => assigned(one, {}).message !== undefined)
    const shape = best === undefined ? undefined : yield* shapeOf(path, best, columns)
    if (fitting.length === 0 || best === undefined) return yield* noTable(path, tables)
    return shape ?? (yield* noMessage(path, best))
  })

const list = (ask: Ask) =>
  Effect.gen(function* () {
    const rows = yield* ask(
      "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    )
    return yield* Effect.forEach(rows, ({ name, type }) => describe(ask, String(name), String(type)))
  })

/** A view of a table that no longer exists cannot be described: it gets no columns. */
const describe = (ask: Ask, name: string, kind: string): Effect.Effect<Table, LogReadError> =>
  Effect.gen(function* () {
    const columns = yield* ask("SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", [name])
    if (kind === "view") return tableOf(name, kind, false, columns)
    const [found] = yield* ask("SELECT wr, type FROM pragma_table_list WHERE schema = 'main' AND name = ?", [name])
    return tableOf(name, kind, found?.wr === 0 && found.type === "table", columns)
  }).pipe(Effect.catchIf(isRefusal, () => Effect.succeed(tableOf(name, kind, false, []))))

const isRefusal = ({ reason, cause }: LogReadError): boolean =>
  reason === "Unreadable" && cause instanceof Error && "reason" in cause && cause.reason === "Statement"

const tableOf = (name: string, kind: string, hasRowid: boolean, rows: ReadonlyArray<Sqlite.Row>): Table => {
  const columns = rows.map((row) => ({ name: String(row.name), type: String(row.type) }))
  const used = columns.map((column) => column.name.toLowerCase())
  const free = ["rowid", "_rowid_", "oid"].find((one) => !used.includes(one))
  return { name, kind, columns, rowid: hasRowid ? (free ?? null) : null }
}

const assigned = (table: Table, given: Columns): Columns =>
  assign(
    table.columns.map(({ name }) => name),
    given
  )

const fits = (table: Table, given: Columns): boolean => {
  const columns = assigned(table, {})
  const named = Object.values(given).filter((name) => name !== undefined)
  if (!named.every((name) => table.columns.some((column) => same(column.name, name)))) return false
  if ((given.message ?? columns.message) === undefined) return false
  return (
    named.length > 0 || [columns.time, columns.session, columns.role, columns.level].some((one) => one !== undefined)
  )
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** Common names of tables, in order of preference. */
const commonNames = ["session_events", "logs", "log", "events", "messages"]

/** The table that looks more like a log comes first. */
const byLikeness = (a: Table, b: Table): number => rank(a) - rank(b) || views(a) - views(b) || count(b) - count(a)
const rank = ({ name }: Table): number => {
  const place = commonNames.indexOf(name.toLowerCase())
  return place < 0 ? commonNames.length : place
}
const views = ({ kind }: Table): number => (kind === "table" ? 0 : 1)
const count = (table: Table): number => Object.values(assigned(table, {})).filter((one) => one !== undefined).length

const shapeOf = (path: string, table: Table, given: Columns): Effect.Effect<TableShape | undefined, LogReadError> =>
  Effect.gen(function* () {
    const found: { -readonly [part in Part]?: string } = {}
    for (const part of parts) {
      const name = given[part]
      if (name === undefined) continue
      const column = table.columns.find((one) => one.name === name) ?? table.columns.find((one) => same(one.name, name))
      if (column === undefined) return yield* noColumn(path, part, name, table)
      found[part] = column.name
    }
    const columns = assigned(table, found)
    const { message } = columns
    if (message === undefined) return undefined
    const session = table.columns.find(({ name }) => name === columns.session)
    return {
      table: table.name,
      rowid: table.rowid,
      columns: { ...columns, message },
      sessions: comparison(session?.type ?? "")
    }
  })

/** By the rules of type affinity (https://www.sqlite.org/datatype3.html). */
const comparison = (type: string): TableShape["sessions"] => {
  if (/INT/i.test(type)) return "number"
  if (/CHAR|CLOB|TEXT/i.test(type)) return "text"
  return type === "" || /BLOB/i.test(type) ? "none" : "number"
}

const tableNamed = (path: string, name: string, tables: ReadonlyArray<Table>): Effect.Effect<Table, LogReadError> => {
  const found = tables.find((table) => table.name === name) ?? tables.find((table) => same(table.name, name))
  if (found !== undefined) return Effect.succeed(found)
  const known = tables.map((table) => table.name)
  return new LogReadError({
    reason: "Option",
    path,
    details: `--table is ${name}, but there is no such table.`,
    remedy: suggest(name, known, "The database has no tables.")
  })
}

const noColumn = (path: string, part: Part, name: string, table: Table) =>
  new LogReadError({
    reason: "Option",
    path,
    details: `${flags[part]} is ${name}, which is not a column of ${table.name}.`,
    remedy: suggest(
      name,
      table.columns.map((column) => column.name),
      "The table has no columns."
    )
  })

const suggest = (name: string, known: ReadonlyArray<string>, none: string): string => {
  if (known.length === 0) return none
  const near = nearest(name, known)
  return `${near === undefined ? "" : `Did you mean ${near}? `}Available: ${known.join(", ")}.`
}

const shown = ({ name, columns }: Table): string => `${name}(${columns.map((column) => column.name).join(", ")})`

const noMessage = (path: string, table: Table) =>
  new LogReadError({
    reason: "Schema",
    path,
    details: `no column of ${shown(table)} has a common name for messages: ${columnNames.message.join(", ")}.`,
    remedy: "Name the column with --message-column."
  })

const noTable = (path: string, tables: ReadonlyArray<Table>) => {
  const expected = parts.map((part) => `${part} (${columnNames[part].join(", ")})`).join("; ")
  const found = tables.length === 0 ? "no tables" : tables.map(shown).join("; ")
  return new LogReadError({
    reason: "Schema",
    path,
    details: `no table looks like a log. Expected a column for the message and one for time, session, role or level, with these names: ${expected}. Found: ${found}.`,
    remedy: "Name the table with --table, and its columns with --message-column, --time-column and so on."
  })
}
