/**
 * A SQLite file, opened: the one place that meets @effect/sql-sqlite-node and knows SQLite's error codes.
 *
 * The package opens and sets WAL outside of its error channel (as defects), and traces each statement; here both are tamed:
 * every failure is a SqliteFault, and a log that records spans does not record its own. Statements run on the calling thread
 * and are not interrupted midway, so keep them short: page through what may be long.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** What SQLite said, by the decision that a caller can take. `cause` has its code. */
export class SqliteFault extends Schema.TaggedError<SqliteFault>()("SqliteFault", {
  /**
   * Missing: no such file or folder. Busy: another process holds it. Full: no space. Statement: SQLite refused the SQL. Driver: there
   * is no SQLite, because better-sqlite3's install script did not run or was for another Node.
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
    "Driver"
  ),
  path: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `${this.path}: ${sayings[this.reason]}${this.cause instanceof Error ? ` (${this.cause.message})` : ""}.`
  }
}

const sayings: Record<SqliteFault["reason"], string> = {
  Missing: "there is no such file, or it cannot be opened",
  NotADatabase: "is not a SQLite database",
  Corrupt: "is a damaged SQLite database",
  Busy: "is locked by another process",
  ReadOnly: "may not be written",
  Full: "the disk is full",
  Statement: "SQLite refused a statement",
  Disk: "the disk failed",
  Driver: "better-sqlite3 is not built for this Node"
}

export type Value = string | number | bigint | Uint8Array | null
export type Row = { readonly [column: string]: Value }

export interface Database {
  readonly path: string
  /** Rows of one statement, values bound. Integers beyond 2^53 lose digits: cast them to text or REAL in the statement. */
  readonly rows: (sql: string, values?: ReadonlyArray<Value>) => Effect.Effect<ReadonlyArray<Row>, SqliteFault>
  /** All statements of the effect, or none. `BEGIN` takes no lock: begin with a write, or retry on Busy. */
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqliteFault, R>
  readonly client: SqliteClient.SqliteClient
}

export interface Options {
  readonly path: string
  /** Opens what is there and changes nothing, whatever its journal mode. */
  readonly readonly?: boolean
  /** How long SQLite itself waits for a lock, with the thread asleep. Default 5,000 ms. */
  readonly busyMillis?: number
}

export const open = ({
  path,
  readonly = false,
  busyMillis = 5000
}: Options): Effect.Effect<Database, SqliteFault, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({ filename: path, readonly, disableWAL: true }).pipe(
      Effect.provide(Reactivity.layer),
      Effect.catchAllDefect((cause) => new SqliteFault({ reason: reasonOf(cause), path, cause }))
    )
    const fault = (error: SqlError) => new SqliteFault({ reason: reasonOf(error.cause), path, cause: error.cause })
    // The package keeps prepared statements by their text, and a failure to prepare one as well: after a fault texts differ.
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

/** The fault in what a use of the client failed or died with: SQLite's own error is somewhere down its causes. */
export const faultOf = (path: string, error: unknown): SqliteFault => {
  let cause = error
  while (cause instanceof Error && codeOf(cause) === "" && cause.cause instanceof Error) cause = cause.cause
  return new SqliteFault({ reason: reasonOf(cause), path, cause })
}

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

/** By SQLite's result codes (https://www.sqlite.org/rescode.html); extended ones begin with the plain one. */
const reasonOf = (cause: unknown): SqliteFault["reason"] => {
  const code = codeOf(cause)
  const found = reasons.find(([beginning]) => code.startsWith(beginning))
  if (found !== undefined) return found[1]
  if (
    code === "ERR_DLOPEN_FAILED" ||
    (cause instanceof Error && cause.message.startsWith("Could not locate the bindings"))
  )
    return "Driver"
  // better-sqlite3 looks at the folder itself, and raises a TypeError.
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
