/**
 * The databases that this process writes session logs to: one connection for each file, shared by all sessions that write there.
 *
 * CODEX_SQLITE_POOL=0 turns sharing off: each session then has its own connection. A shared one is closed some seconds after its last
 * session, or with the layer.
 */
import { mkdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as RcMap from "effect/RcMap"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { type Database, faultOf, open as openSqlite, SqliteFault } from "../Sqlite.ts"
import { SessionLogError, type Sink } from "./Sink.ts"

/** How long SQLite sleeps for a lock, and this thread with it; beyond that fibers have their turn between attempts. */
const busyMillis = 5

const idle = "5 seconds"

/**
 * Attempts while other processes hold the lock: some 30 seconds. Each waits a random part of its turn, or those who collided
 * once would do so again.
 */
export const whileBusy = Schedule.exponential("5 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("250 millis")),
  Schedule.jittered,
  Schedule.upTo("30 seconds"),
  Schedule.whileInput(
    (error: { readonly _tag: string; readonly reason: string }) =>
      error._tag === "SqliteFault" && error.reason === "Busy"
  )
)

export class SqlitePool extends Context.Tag("codex/SqlitePool")<
  SqlitePool,
  {
    /** The database in this file, made and brought up to date where that is needed. */
    readonly open: (path: string) => Effect.Effect<Database, SessionLogError, Scope.Scope>
  }
>() {
  static readonly layer: Layer.Layer<SqlitePool, ConfigError.ConfigError> = Layer.scoped(
    SqlitePool,
    Effect.gen(function* () {
      const shared = yield* Config.withDefault(Config.boolean("CODEX_SQLITE_POOL"), true)
      if (!shared) return SqlitePool.of({ open })
      const databases = yield* RcMap.make({ lookup: open, idleTimeToLive: idle })
      return SqlitePool.of({ open: (path) => RcMap.get(databases, resolve(path)) })
    })
  )
}

const open = (path: string): Effect.Effect<Database, SessionLogError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => mkdirSync(dirname(path), { recursive: true }),
      catch: (cause) => new SqliteFault({ reason: "Missing", path, cause })
    })
    return yield* Effect.retry(connect(path), whileBusy)
  }).pipe(Effect.mapError((error) => (error._tag === "SqliteFault" ? explain(error) : error)))

/** A connection that could not be prepared is closed at once: the next attempt has one of its own. */
const connect = (path: string) =>
  Effect.scopeWith((outer) =>
    Effect.flatMap(Scope.fork(outer, ExecutionStrategy.sequential), (scope) =>
      openSqlite({ path, busyMillis }).pipe(
        Effect.tap(prepare),
        Scope.extend(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
    )
  )

const prepare = (database: Database) =>
  Effect.gen(function* () {
    const columns = yield* database.rows("SELECT name FROM pragma_table_info('session_events')")
    const names = columns.map(({ name }) => String(name).toLowerCase())
    if (names.length > 0 && !["ts", "session_id", "role", "message"].every((name) => names.includes(name)))
      return yield* new SessionLogError({
        reason: "Schema",
        path: database.path,
        details: `is not a session log: its table session_events has the columns ${names.join(", ")}, not those of a session log.`,
        remedy: "Choose another path; nothing was changed."
      })
    yield* database.rows("PRAGMA journal_mode = WAL")
    // A commit is on the disk when it is acknowledged, also if the power fails then.
    yield* database.rows("PRAGMA synchronous = FULL")
    const { done } = yield* migrate.pipe(
      Effect.provideService(SqlClient.SqlClient, database.client),
      Effect.catchAllDefect(Effect.fail),
      Effect.mapError((error) => faultOf(database.path, error)),
      Effect.withTracerEnabled(false)
    )
    if (!done) yield* new SqliteFault({ reason: "Busy", path: database.path, cause: new Error("migrating") })
  })

/** What a writer is told of SQLite's faults. */
export const explain = (fault: SqliteFault): SessionLogError => {
  const { cause, path } = fault
  const reason = cause instanceof Error ? ` (${cause.message})` : ""
  const error = (kind: SessionLogError["reason"], details: string, remedy: string) =>
    new SessionLogError({ reason: kind, path, details: `${details}${reason}.`, remedy, cause })
  switch (fault.reason) {
    case "Busy":
      return error("Busy", "stayed locked by another process for 30 seconds", "See which program has it open.")
    case "Full":
      return error("Full", "the disk is full", "Make room, or move old events away with `codex logs rotate`.")
    case "NotADatabase":
      return error("Schema", "is not a SQLite database", "Choose another path; this file was not touched.")
    case "Statement":
      return error(
        "Schema",
        "SQLite refused a statement",
        "Is its table session_events another one? Choose another path."
      )
    case "Corrupt":
      return error("Corrupt", "is damaged", "Move it away; `sqlite3 old.db .recover` gets back what it holds.")
    case "Driver":
      return new SessionLogError({
        reason: "Unwritable",
        path,
        details: "SQLite is not there: better-sqlite3 is not built for this Node.",
        remedy: "Run `npm rebuild better-sqlite3`, or log to a file: CODEX_LOG_DB_PATH=.codex/log.ndjson.",
        cause
      })
    default:
      return error(
        "Unwritable",
        "cannot be opened for writing",
        "Check that the folder exists and that you may write there."
      )
  }
}

const insert = `INSERT INTO session_events(ts, session_id, role, message, level, metadata)
SELECT value ->> 'ts', value ->> 'session_id', value ->> 'role', value ->> 'message', value ->> 'level', value -> 'metadata'
FROM json_each(?)`

export const sqliteSink = (database: Database): Sink => ({
  path: database.path,
  write: (lines) =>
    database
      .rows(insert, [`[${lines.join(",")}]`])
      .pipe(Effect.retry(whileBusy), Effect.mapError(explain), Effect.asVoid)
})

const eventsTable = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`CREATE TABLE IF NOT EXISTS session_events(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ts REAL NOT NULL,
    session_id TEXT NOT NULL,
    role TEXT NOT NULL,
    message TEXT NOT NULL
  )`
)

const levelAndMetadata = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const columns = yield* sql<{ name: string }>`SELECT name FROM pragma_table_info('session_events')`
  for (const column of ["level", "metadata"])
    if (!columns.some(({ name }) => name.toLowerCase() === column))
      yield* sql`ALTER TABLE session_events ADD COLUMN ${sql(column)} TEXT`
})

const indexes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE INDEX IF NOT EXISTS session_events_by_session ON session_events(session_id, ts)`
  yield* sql`CREATE INDEX IF NOT EXISTS session_events_by_time ON session_events(ts)`
})

/** What rotations move to archives; a row without a hash is one that is being written (rotateLogs/Events.ts). */
const archivesTable = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`CREATE TABLE IF NOT EXISTS session_archives(
    file TEXT PRIMARY KEY,
    created_ts REAL NOT NULL,
    events INTEGER NOT NULL,
    first_ts REAL NOT NULL,
    last_ts REAL NOT NULL,
    sha256 TEXT NOT NULL
  )`
)

const migrations = {
  "1_session_events": eventsTable,
  "2_level_and_metadata": levelAndMetadata,
  "3_indexes": indexes,
  "4_archives": archivesTable
}

/**
 * Brings the database of the SqlClient up to date. `done` is false where another process is at it, or was in between: then all of
 * this has to be done again. (The migrator takes any failure to write its table for another process, and goes on without an error.)
 */
const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* migrator({ table: "codex_migrations", loader: Migrator.fromRecord(migrations) })
  const [row] = yield* sql<{ last: number | null }>`SELECT max(migration_id) AS last FROM codex_migrations`
  return { done: (row?.last ?? 0) >= Object.keys(migrations).length }
})

const migrator = Migrator.make({})
