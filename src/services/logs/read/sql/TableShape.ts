/**
 * The table of a database that is read as a log, and which of its columns hold which part of an event.
 */
import * as Effect from "effect/Effect"
import { nearest } from "../../../../core/config/ConfigIssue.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { assign, checkNames, columnNames, flags, type Part, parts } from "../EventColumns.ts"
import { type Columns, LogReadError, type Options } from "../Log.ts"
import type { Ask } from "./SqlStatement.ts"

export interface TableShape {
  readonly table: string
  /** `rowid`, by the name that no column hides; null where rows have none (views, tables WITHOUT ROWID, virtual ones). */
  readonly rowid: string | null
  readonly columns: Columns & { readonly message: string }
  /** How SQLite compares a session with a text: as text, after turning the text into a number, or not at all. */
  readonly sessions: "text" | "number" | "none"
}

interface Table {
  readonly name: string
  readonly kind: string
  readonly rowid: string | null
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: string }>
}

/** `logs(ts, session, kind, message)`: what is read. */
export const show = ({ table, columns }: TableShape): string =>
  `${table}(${parts.flatMap((part) => columns[part] ?? []).join(", ")})`

/** Finds the table and its columns; what was given wins. */
export const find = ({ path, table, columns = {} }: Options, ask: Ask): Effect.Effect<TableShape, LogReadError> =>
  Effect.gen(function* () {
    yield* checkNames(path, { table, ...columns })
    const tables = yield* list(ask)
    const given = table === undefined ? undefined : yield* theTable(path, table, tables)
    if (given !== undefined) {
      const chosen = yield* choose(path, given, columns)
      return chosen ?? (yield* noMessage(path, given))
    }
    const fitting = tables.filter((one) => fits(one, columns)).sort(better)
    // A column that was named must be there, so the error is about the table that is most like a log.
    const [best] = fitting.length > 0 ? fitting : tables.filter((one) => assigned(one, {}).message !== undefined)
    const chosen = best === undefined ? undefined : yield* choose(path, best, columns)
    if (fitting.length === 0 || best === undefined) return yield* noTable(path, tables)
    return chosen ?? (yield* noMessage(path, best))
  })

const list = (ask: Ask) =>
  Effect.gen(function* () {
    const rows = yield* ask(
      "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    )
    return yield* Effect.forEach(rows, ({ name, type }) => describe(ask, String(name), String(type)))
  })

/** A view of what is no more cannot be described: it has no columns. */
const describe = (ask: Ask, name: string, kind: string): Effect.Effect<Table, LogReadError> =>
  Effect.gen(function* () {
    const columns = yield* ask("SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", [name])
    if (kind === "view") return tableOf(name, kind, false, columns)
    const [found] = yield* ask("SELECT wr, type FROM pragma_table_list WHERE schema = 'main' AND name = ?", [name])
    return tableOf(name, kind, found?.wr === 0 && found.type === "table", columns)
  }).pipe(Effect.catchIf(isRefusal, () => Effect.succeed(tableOf(name, kind, false, []))))

const isRefusal = ({ reason, cause }: LogReadError): boolean =>
  reason === "Unreadable" && cause instanceof Error && "reason" in cause && cause.reason === "Statement"

const tableOf = (name: string, kind: string, counted: boolean, rows: ReadonlyArray<Sqlite.Row>): Table => {
  const columns = rows.map((row) => ({ name: String(row.name), type: String(row.type) }))
  const taken = columns.map((column) => column.name.toLowerCase())
  const free = ["rowid", "_rowid_", "oid"].find((one) => !taken.includes(one))
  return { name, kind, columns, rowid: counted ? (free ?? null) : null }
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

const usual = ["session_events", "logs", "log", "events", "messages"]

const better = (a: Table, b: Table): number => rank(a) - rank(b) || views(a) - views(b) || count(b) - count(a)
const rank = ({ name }: Table): number => {
  const place = usual.indexOf(name.toLowerCase())
  return place < 0 ? usual.length : place
}
const views = ({ kind }: Table): number => (kind === "table" ? 0 : 1)
const count = (table: Table): number => Object.values(assigned(table, {})).filter((one) => one !== undefined).length

const choose = (path: string, table: Table, given: Columns): Effect.Effect<TableShape | undefined, LogReadError> =>
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

const theTable = (path: string, name: string, tables: ReadonlyArray<Table>): Effect.Effect<Table, LogReadError> => {
  const found = tables.find((table) => table.name === name) ?? tables.find((table) => same(table.name, name))
  if (found !== undefined) return Effect.succeed(found)
  const known = tables.map((table) => table.name)
  return new LogReadError({
    reason: "Option",
    path,
    details: `--table is ${name}, which is not there.`,
    remedy: suggest(name, known, "It has no tables at all.")
  })
}

const noColumn = (path: string, part: Part, name: string, table: Table) =>
  new LogReadError({
    reason: "Option",
    path,
    details: `${flags[part]} is ${name}, which is no column of ${table.name}.`,
    remedy: suggest(
      name,
      table.columns.map((column) => column.name),
      "It has no columns."
    )
  })

const suggest = (name: string, known: ReadonlyArray<string>, none: string): string => {
  if (known.length === 0) return none
  const near = nearest(name, known)
  return `${near === undefined ? "" : `Did you mean ${near}? `}There are: ${known.join(", ")}.`
}

const shown = ({ name, columns }: Table): string => `${name}(${columns.map((column) => column.name).join(", ")})`

const noMessage = (path: string, table: Table) =>
  new LogReadError({
    reason: "Schema",
    path,
    details: `no column of ${shown(table)} is known to hold messages; expected one of ${columnNames.message.join(", ")}.`,
    remedy: "Name it with --message-column."
  })

const noTable = (path: string, tables: ReadonlyArray<Table>) => {
  const expected = parts.map((part) => `${part} (${columnNames[part].join(", ")})`).join("; ")
  const found = tables.length === 0 ? "no tables" : tables.map(shown).join("; ")
  return new LogReadError({
    reason: "Schema",
    path,
    details: `no table looks like a log. Expected columns for the message and for one of time, session, role, level, by these names: ${expected}. Found: ${found}.`,
    remedy: "Name the table with --table, and columns with --message-column, --time-column and so on."
  })
}
