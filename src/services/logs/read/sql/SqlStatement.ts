/**
 * SQL statements of the reader: a database that answers with the reader's errors, quoted names, and values of results.
 */
import * as Effect from "effect/Effect"
import type * as Sqlite from "../../Sqlite.ts"
import { LogReadError } from "../Log.ts"

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

/** SQL for a name. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

export const text = (value: Sqlite.Value | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

export const number = (value: Sqlite.Value | undefined): number | null =>
  value === null || value === undefined ? null : Number(value)
