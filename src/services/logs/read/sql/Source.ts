/**
 * A database that is asked with the reader's errors, and rows of it as events.
 */
import * as Effect from "effect/Effect"
import type { LogEvent } from "../../SessionEvent.ts"
import type * as Sqlite from "../../Sqlite.ts"
import { LogReadError } from "../Log.ts"
import { eventOf, metadataOf } from "../LogText.ts"
import { secondsOf, textOf } from "./Filter.ts"
import { quoted, type TableShape } from "./TableShape.ts"

export interface SqlSource {
  readonly path: string
  readonly shape: TableShape
  readonly ask: Ask
  /** A name for a temporary table that no other has. */
  readonly temporary: () => string
}

export type Ask = (
  sql: string,
  values?: ReadonlyArray<Sqlite.Value>
) => Effect.Effect<ReadonlyArray<Sqlite.Row>, LogReadError>

export const asking =
  (database: Sqlite.Database): Ask =>
  (sql, values = []) =>
    Effect.mapError(database.rows(sql, values), refused)

/** A fault of SQLite as an error of the reader. */
export const refused = (fault: Sqlite.SqliteFault): LogReadError => {
  const [reason, details, remedy] = sayings[isFolder(fault.cause) ? "Missing" : fault.reason]
  const said = fault.cause instanceof Error ? fault.cause.message : String(fault.cause)
  return new LogReadError({ reason, path: fault.path, details: details.replace("%", () => said), remedy, cause: fault })
}

/** A database in WAL mode without its other files, in a folder where they cannot be made. */
const isFolder = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === "SQLITE_READONLY_DIRECTORY"

const copy = "Copy it (with its -wal or -journal file, if there is one) to where you may write, and read the copy"

const sayings: Record<Sqlite.SqliteFault["reason"], readonly [LogReadError["reason"], string, string]> = {
  Missing: [
    "Unreadable",
    "SQLite cannot open it (%).",
    `A database in WAL mode needs a folder that may be written. ${copy}, or read one made by \`codex logs snapshot\`.`
  ],
  ReadOnly: [
    "Unreadable",
    "SQLite cannot read it without writing (%).",
    `Its writer stopped midway, and SQLite must restore it first. ${copy}.`
  ],
  NotADatabase: ["NotALog", "is not a SQLite database, or is encrypted (%).", "Give a SQLite database or NDJSON."],
  Corrupt: [
    "Corrupt",
    "is a damaged SQLite database (%).",
    "Save what is left with `sqlite3 FILE .recover`, or go back to a copy."
  ],
  Busy: ["Locked", "is locked by another process (%).", "Wait until that process is done, or stop it, and try again."],
  Full: [
    "Unreadable",
    "there is no space for sorting (%).",
    "Free some, or set SQLITE_TMPDIR to a folder that has some."
  ],
  Statement: [
    "Unreadable",
    "SQLite refused a statement (%).",
    "Was the table changed while it was read? Try again, or name another with --table."
  ],
  Driver: [
    "Unreadable",
    "SQLite is not there: better-sqlite3 is not built for this Node.",
    "Run `npm rebuild better-sqlite3`."
  ],
  Disk: ["Unreadable", "the disk failed (%).", "Check the disk, or read a copy."]
}

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

export const text = (value: Sqlite.Value | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

export const number = (value: Sqlite.Value | undefined): number | null =>
  value === null || value === undefined ? null : Number(value)

export const event = (row: Sqlite.Row): LogEvent =>
  eventOf({
    seconds: number(row.seconds),
    time: text(row.time),
    session: text(row.session),
    role: text(row.role),
    message: text(row.message),
    level: text(row.level),
    metadata: metadataOf(text(row.metadata))
  })
