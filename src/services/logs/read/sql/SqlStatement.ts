/**
 * SQL statements of the reader, with its errors; quoted names and values of results.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Sqlite from "../../Sqlite.ts"
import { LogReadError } from "../Log.ts"

/** Runs a statement and returns its rows. */
export type Ask = (
  sql: string,
  values?: ReadonlyArray<Sqlite.Value>
) => Effect.Effect<ReadonlyArray<Sqlite.Row>, LogReadError>

/** Statements on a database. */
export const asking =
  (database: Sqlite.Database): Ask =>
  (sql, values = []) =>
    Effect.mapError(database.rows(sql, values), readErrorOf)

/** Translates a fault of SQLite. */
export const readErrorOf = (fault: Sqlite.SqliteFault): LogReadError => {
  if (fault.reason === "Unavailable")
    return new LogReadError({ reason: "Unavailable", path: fault.path, ...Sqlite.unavailable(fault), cause: fault })
  const [reason, details, remedy] = translations[isReadOnlyDirectory(fault.cause) ? "Missing" : fault.reason]
  const message = fault.cause instanceof Error ? fault.cause.message : String(fault.cause)
  return new LogReadError({
    reason,
    path: fault.path,
    details: details.replace("%", () => message),
    remedy,
    cause: fault
  })
}

/** A database in WAL mode without its other files, in a directory where they cannot be created. */
const isReadOnlyDirectory = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "code") && cause.code === "SQLITE_READONLY_DIRECTORY"

const copy = "Copy it (with its -wal or -journal file, if there is one) to a writable directory, and read the copy"

/** By the reason of the fault: reason, details with SQLite's message for %, and remedy of the error. */
const translations: Record<
  Exclude<Sqlite.SqliteFault["reason"], "Unavailable">,
  readonly [LogReadError["reason"], string, string]
> = {
  Missing: [
    "Unreadable",
    "SQLite cannot open it (%).",
    `A database in WAL mode needs a writable directory. ${copy}, or read a copy made by \`codex logs snapshot\`.`
  ],
  ReadOnly: [
    "Unreadable",
    "SQLite cannot read it without writing (%).",
    `Its writer was killed, and SQLite must restore it first. ${copy}.`
  ],
  NotADatabase: [
    "NotALog",
    "is not a SQLite database, or is encrypted (%).",
    "Name a SQLite database or an NDJSON file."
  ],
  Corrupt: [
    "Corrupt",
    "is a damaged SQLite database (%).",
    "Recover what is left with `sqlite3 FILE .recover`, or restore a copy."
  ],
  Busy: ["Locked", "is locked by another process (%).", "Wait for that process or stop it, and try again."],
  Full: [
    "Unreadable",
    "there is no disk space for sorting (%).",
    "Free some space, or set SQLITE_TMPDIR to a directory on another disk."
  ],
  Statement: [
    "Unreadable",
    "SQLite refused a statement (%).",
    "If the table was changed while it was read, try again; or name another one with --table."
  ],
  Disk: ["Unreadable", "the disk failed (%).", "Check the disk, or read a copy."]
}

/** A name in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A value of a result as text. */
export const text = (value: Sqlite.Value | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

/** A value of a result as a number. */
export const number = (value: Sqlite.Value | undefined): number | null =>
  value === null || value === undefined ? null : Number(value)
