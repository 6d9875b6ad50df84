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
import { type Database, faultOf, open as openSqlite, SqliteFault, unavailable } from "../Sqlite.ts"
import { SessionLogError, type Sink, unwritable } from "./Sink.ts"

/** How long SQLite waits for a lock, which blocks the thread; after that, other fibers run between attempts. */
const busyMillis = 5

/** How long a shared connection stays open after its last session. */
const idleTimeToLive = "5 seconds"

/**
 * Retries for about 30 seconds while another process holds the lock. The delays are random, or processes that collided once would
 * collide again.
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

/** Connections for writing session logs. */
export class SqlitePool extends Context.Tag("codex/SqlitePool")<
  SqlitePool,
  {
    /** Opens the database of this file for the scope; creates and migrates it if necessary. */
    readonly open: (path: string) => Effect.Effect<Database, SessionLogError, Scope.Scope>
  }
>() {
  /** The pool of a process. Connections are closed with the layer. */
  static readonly layer: Layer.Layer<SqlitePool, ConfigError.ConfigError> = Layer.scoped(
    SqlitePool,
    Effect.gen(function* () {
      const shared = yield* Config.withDefault(Config.boolean("CODEX_SQLITE_POOL"), true)
      if (!shared) return SqlitePool.of({ open })
      const databases = yield* RcMap.make({ lookup: open, idleTimeToLive })
      return SqlitePool.of({ open: (path) => RcMap.get(databases, resolve(path)) })
    })
  )
}

const open = (path: string): Effect.Effect<Database, SessionLogError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => mkdirSync(dirname(path), { recursive: true }),
      catch: (cause) => unwritable(dirname(path), cause)
    })
    return yield* Effect.retry(connect(path), whileBusy)
  }).pipe(Effect.mapError((error) => (error._tag === "SqliteFault" ? explain(error) : error)))

/** A connection that could not be prepared is closed at once: the next attempt opens a new one. */
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
        details: `is not a session log: its table session_events has other columns (${names.join(", ")}).`,
        remedy: "Choose another path. Nothing was changed."
      })
    yield* database.rows("PRAGMA journal_mode = WAL")
    // A commit is on disk when it is acknowledged, even if the power fails.
    yield* database.rows("PRAGMA synchronous = FULL")
    const { done } = yield* migrate.pipe(
      Effect.provideService(SqlClient.SqlClient, database.client),
      Effect.catchAllDefect(Effect.fail),
      Effect.mapError((error) => faultOf(database.path, error)),
      Effect.withTracerEnabled(false)
    )
    if (!done) yield* new SqliteFault({ reason: "Busy", path: database.path, cause: new Error("migrating") })
  })

/** Translates a fault of SQLite for writers. */
export const explain = (fault: SqliteFault): SessionLogError => {
  const { cause, path } = fault
  const reason = cause instanceof Error ? ` (${cause.message})` : ""
  const error = (kind: SessionLogError["reason"], details: string, remedy: string) =>
    new SessionLogError({ reason: kind, path, details: `${details}${reason}.`, remedy, cause })
  switch (fault.reason) {
    case "Busy":
      return error("Busy", "was locked by another process for 30 seconds", "Find out which program has it open.")
    case "Full":
      return error("Full", "the disk is full", "Free some space, or archive old events with `codex logs rotate`.")
    case "NotADatabase":
      return error("Schema", "is not a SQLite database", "Choose another path. This file was not changed.")
    case "Statement":
      return error(
        "Schema",
        "SQLite refused a statement",
        "If its table session_events belongs to another program, choose another path."
      )
    case "Corrupt":
      return error("Corrupt", "is damaged", "Move it away; `sqlite3 old.db .recover` recovers what it contains.")
    case "Unavailable":
      return new SessionLogError({ reason: "Unavailable", path, ...unavailable(fault), cause })
    default:
      return error(
        "Unwritable",
        "cannot be opened for writing",
        "Check that its directory exists and that you have permission to write there."
      )
  }
}

const insert = `INSERT INTO session_events(ts, session_id, role, message, level, metadata)
SELECT value ->> 'ts', value ->> 'session_id', value ->> 'role', value ->> 'message', value ->> 'level', value -> 'metadata'
FROM json_each(?)`

/**
 * Writes lines as rows of the table `session_events`.
 *
 * A batch is one statement that parses the lines itself: all of it is committed or none, without an explicit transaction, and faster
 * than a statement per row through Effect. While another process writes, it is retried.
 */
export const sqliteSink = (database: Database): Sink => ({
  path: database.path,
  write: (lines) =>
    database
      .rows(insert, [`[${lines.join(",")}]`])
      .pipe(Effect.retry(whileBusy), Effect.mapError(explain), Effect.asVoid)
})

// Migrations. A step that was released is never changed: add another. The first step finds the original kit's table or creates it;
// later ones add to it and remove nothing, so that the kit's tools keep working. Row ids are never reused (AUTOINCREMENT), which
// readers that follow a log rely on.

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

/** The archives of rotations; a row without a hash is an archive that is being written (rotation/EventArchive.ts). */
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
 * Migrates the database of the SqlClient. `done` is false if another process was migrating it: then this must be repeated. (The
 * migrator takes any failure to write its table for another process, and succeeds.)
 */
const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* migrator({ table: "codex_migrations", loader: Migrator.fromRecord(migrations) })
  const [row] = yield* sql<{ last: number | null }>`SELECT max(migration_id) AS last FROM codex_migrations`
  return { done: (row?.last ?? 0) >= Object.keys(migrations).length }
})

const migrator = Migrator.make({})
