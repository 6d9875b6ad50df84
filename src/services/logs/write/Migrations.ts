/**
 * The table of session logs, step by step. A step that was once released is never changed: add another.
 *
 * The first step finds the original kit's table in place, or makes it; later ones add to it and take nothing away, so that its
 * tools go on working. Rows get ids that are never used again (AUTOINCREMENT): who follows a log may rely on it.
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const table = Effect.flatMap(
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
const archives = Effect.flatMap(
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

const steps = {
  "1_session_events": table,
  "2_level_and_metadata": levelAndMetadata,
  "3_indexes": indexes,
  "4_archives": archives
}

/**
 * Brings the database of the SqlClient up to date. `done` is false where another process is at it, or was in between: then all of
 * this has to be done again. (The migrator takes any failure to write its table for another process, and goes on without an error.)
 */
export const run = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* migrate({ table: "codex_migrations", loader: Migrator.fromRecord(steps) })
  const [row] = yield* sql<{ last: number | null }>`SELECT max(migration_id) AS last FROM codex_migrations`
  return { done: (row?.last ?? 0) >= Object.keys(steps).length }
})

const migrate = Migrator.make({})
