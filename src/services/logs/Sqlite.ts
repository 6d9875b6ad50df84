/**
 * An open SQLite file: the only module that uses @effect/sql-sqlite-node and knows SQLite's error codes.
 *
 * The package is optional, because better-sqlite3 below it needs a binary that not every machine can download or compile. So it is
 * imported when a file is opened; if that fails, the fault is `Unavailable`.
 *
 * The package reports failures to open a file as defects, and traces each statement. Here every failure is a SqliteFault, and
 * statements are not traced, or a log that records spans would record its own. Statements run on the calling thread and cannot be
 * interrupted, so keep them short: read in pages what may be long.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import type * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** An error of SQLite, classified by what a caller can do. `cause` has its code. */
export class SqliteFault extends Schema.TaggedError<SqliteFault>()("SqliteFault", {
  /**
   * Missing: no such file or directory. Busy: another process has locked it. Full: no space. Statement: SQLite refused the SQL.
   * Unavailable: better-sqlite3 is not installed, or its install script did not run or was for another Node (`unavailable`).
   */
  reason: Schema.Literal(
    "Missing",
    "NotADatabase",
    "Corrupt",
    "Busy",
    "ReadOnly",
    "Full",
    "Statement",
    "Disk",
    "Unavailable"
  ),
  path: Schema.String,
  cause: Schema.Defect
}) {
  /** What is wrong, as the end of a sentence. */
  get description() {
    return `${descriptions[this.reason]}${this.cause instanceof Error ? ` (${this.cause.message})` : ""}`
  }
  override get message() {
    return `${this.path}: ${this.description}.`
  }
}

const descriptions: Record<SqliteFault["reason"], string> = {
  Missing: "it does not exist or cannot be opened",
  NotADatabase: "it is not a SQLite database",
  Corrupt: "it is a damaged SQLite database",
  Busy: "it is locked by another process",
  ReadOnly: "it is read-only",
  Full: "the disk is full",
  Statement: "SQLite refused a statement",
  Disk: "the disk failed",
  Unavailable: "better-sqlite3 is not installed, or not built for this Node"
}

/** What is missing, and how to get it, for a fault whose reason is Unavailable. */
export const unavailable = ({ cause }: SqliteFault): { readonly details: string; readonly remedy: string } =>
  codeOf(cause).endsWith("MODULE_NOT_FOUND")
    ? {
        details: "SQLite is not available: better-sqlite3 is not installed.",
        remedy: "To use SQLite, run `npm install better-sqlite3@12 @effect/sql-sqlite-node@0.53`."
      }
    : {
        details: "SQLite is not available: better-sqlite3 is not built for this version of Node.",
        remedy: "To use SQLite, run `npm rebuild better-sqlite3` (with pnpm: `pnpm approve-builds better-sqlite3`)."
      }

/** A value of SQLite. */
export type Value = string | number | bigint | Uint8Array | null
/** A row of a result, by column. */
export type Row = { readonly [column: string]: Value }

/** An open database. */
export interface Database {
  readonly path: string
  /** Runs one statement with bound values and returns its rows. Integers above 2^53 lose digits: cast them to text or REAL. */
  readonly rows: (sql: string, values?: ReadonlyArray<Value>) => Effect.Effect<ReadonlyArray<Row>, SqliteFault>
  /** Commits all statements of the effect, or none. `BEGIN` takes no lock: begin with a write, or retry on Busy. */
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqliteFault, R>
  readonly client: SqlClient.SqlClient
}

/** How to open a database. */
export interface Options {
  readonly path: string
  /** Opens an existing file and changes nothing, whatever its journal mode. */
  readonly readonly?: boolean
  /** How long SQLite waits for a lock, which blocks the thread. Default 5,000 ms. */
  readonly busyMillis?: number
}

/** Opens a database for the scope. */
export const open = ({
  path,
  readonly = false,
  busyMillis = 5000
}: Options): Effect.Effect<Database, SqliteFault, Scope.Scope> =>
  Effect.gen(function* () {
    const SqliteClient = yield* Effect.tryPromise({
      try: () => import("@effect/sql-sqlite-node/SqliteClient"),
      catch: (cause) => new SqliteFault({ reason: "Unavailable", path, cause })
    })
    const client = yield* SqliteClient.make({ filename: path, readonly, disableWAL: true }).pipe(
      Effect.provide(Reactivity.layer),
      Effect.catchAllDefect((cause) => new SqliteFault({ reason: reasonOf(cause), path, cause }))
    )
    const fault = (error: SqlError) => new SqliteFault({ reason: reasonOf(error.cause), path, cause: error.cause })
    // The package caches prepared statements by their text, failures to prepare included: after a fault the texts differ.
    let faults = 0
    const database: Database = {
      path,
      client,
      rows: (sql, values = []) =>
        Effect.suspend(() => client.unsafe<Row>(faults === 0 ? sql : `${sql}\n-- ${faults}`, values)).pipe(
          Effect.mapError((error) => {
            faults += 1
            return fault(error)
          }),
          Effect.withTracerEnabled(false)
        ),
      transaction: (effect) =>
        client.withTransaction(effect).pipe(
          Effect.catchIf(
            (error) => error instanceof SqlError,
            (error) => Effect.fail(fault(error))
          ),
          Effect.withTracerEnabled(false)
        )
    }
    yield* database.rows(`PRAGMA busy_timeout = ${Math.round(busyMillis)}`)
    return database
  })

/** Translates what a use of the client failed or died with; SQLite's own error is nested in its causes. */
export const faultOf = (path: string, error: unknown): SqliteFault => {
  let cause = error
  while (cause instanceof Error && codeOf(cause) === "" && cause.cause instanceof Error) cause = cause.cause
  return new SqliteFault({ reason: reasonOf(cause), path, cause })
}

const codeOf = (cause: unknown): string => (Predicate.hasProperty(cause, "code") ? String(cause.code) : "")

/** By SQLite's result codes (https://www.sqlite.org/rescode.html); an extended code begins with the primary one. */
const reasonOf = (cause: unknown): SqliteFault["reason"] => {
  const code = codeOf(cause)
  const found = reasons.find(([beginning]) => code.startsWith(beginning))
  if (found !== undefined) return found[1]
  if (
    code === "ERR_DLOPEN_FAILED" ||
    (cause instanceof Error && cause.message.startsWith("Could not locate the bindings"))
  )
    return "Unavailable"
  // better-sqlite3 checks the directory itself, and throws a TypeError.
  return cause instanceof TypeError && cause.message.includes("directory does not exist") ? "Missing" : "Statement"
}

const reasons: ReadonlyArray<readonly [string, SqliteFault["reason"]]> = [
  ["SQLITE_CANTOPEN", "Missing"],
  ["SQLITE_NOTADB", "NotADatabase"],
  ["SQLITE_CORRUPT", "Corrupt"],
  ["SQLITE_BUSY", "Busy"],
  ["SQLITE_LOCKED", "Busy"],
  ["SQLITE_PROTOCOL", "Busy"],
  ["SQLITE_READONLY", "ReadOnly"],
  ["SQLITE_PERM", "ReadOnly"],
  ["SQLITE_AUTH", "ReadOnly"],
  ["SQLITE_FULL", "Full"],
  ["SQLITE_IOERR", "Disk"]
]
