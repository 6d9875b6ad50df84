/**
 * Moves a set of events from a database to one archive, so that after a crash at any moment each event is in exactly one place.
 *
 * The table `session_archives` records the state. A row without a hash: the archive is being written, and its events are still in
 * the table of events. A row with a hash: the events are deleted there, and the archive is complete, possibly under its temporary
 * name. `settle` completes either state; it runs after each move, and at the start of a rotation for what a killed one left.
 */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Database } from "../Sqlite.ts"
import { SessionLogError } from "../write/Sink.ts"
import { explain, whileBusy } from "../write/SqlitePool.ts"
import * as Archive from "./Archive.ts"

/** A set of events that stays the same while other processes write. */
export interface OldEvents {
  /** A condition in SQL, and its values. */
  readonly where: string
  readonly values: ReadonlyArray<number>
  readonly events: number
  /** Times of the first and the last, in seconds since 1970. */
  readonly first: number
  readonly last: number
}

/** Moves the events and returns the path of the archive. */
export const move = (database: Database, directory: string, old: OldEvents, now: number) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const name = yield* begin(database, directory, old, now)
      const moved = yield* Effect.exit(
        restore(fill(database, name, Archive.partialPath(join(directory, name), now), old))
      )
      const settled = yield* Effect.exit(settle(database, directory, name))
      yield* Exit.zipRight(moved, settled)
      return join(directory, name)
    })
  )

/** Completes what killed rotations left. */
export const recover = (database: Database, directory: string) =>
  Effect.flatMap(Effect.mapError(database.rows("SELECT file FROM session_archives"), explain), (rows) =>
    Effect.forEach(rows, ({ file }) => settle(database, directory, String(file)), { discard: true })
  )

/** Reserves a name that no file in the directory begins with, including partial archives of other databases. */
const begin = (database: Database, directory: string, old: OldEvents, now: number) =>
  Effect.gen(function* () {
    const existing = yield* Archive.attempt(directory, "read", () => readdirSync(directory))
    for (let n = 1; ; n++) {
      const name = nameOf(old, n)
      const known = yield* write(database, "SELECT 1 FROM session_archives WHERE file = ?", [name])
      if (known.length > 0 || existing.some((file) => file.startsWith(name))) continue
      yield* write(
        database,
        "INSERT INTO session_archives(file, created_ts, events, first_ts, last_ts, sha256) VALUES (?, ?, 0, ?, ?, '')",
        [name, now, old.first, old.last]
      )
      return name
    }
  })

/** `session_events-20261101T120000-20261124T130834.ndjson.gz`, by the times of the first and last event; with a number if that is used. */
const nameOf = ({ first, last }: OldEvents, n: number): string =>
  `session_events-${stamp(first)}-${stamp(last)}${n === 1 ? "" : `.${n}`}.ndjson.gz`

const stamp = (seconds: number): string => {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? "unknown" : date.toISOString().replace(/[-+:]|\.\d+Z/g, "")
}

/** Writes the archive; then deletes its events and records that, in one transaction. */
const fill = (database: Database, name: string, temporary: string, old: OldEvents) =>
  Effect.gen(function* () {
    let count = 0
    const texts = Stream.map(pagesOf(database, old), (page) => {
      count += page.length
      return page.join("")
    })
    const sha256 = yield* Archive.write(temporary, texts)
    yield* database
      .transaction(
        Effect.gen(function* () {
          // The first statement writes, so that SQLite waits for the lock.
          yield* database.rows(`DELETE FROM session_events WHERE ${old.where}`, old.values)
          const deleted = yield* changes(database)
          yield* database.rows("UPDATE session_archives SET events = ?, sha256 = ? WHERE file = ?", [
            count,
            sha256,
            name
          ])
          const recorded = yield* changes(database)
          if (deleted !== count || recorded !== 1) return yield* concurrent(database.path)
        })
      )
      .pipe(Effect.retry(whileBusy))
  }).pipe(Effect.mapError((error) => (error._tag === "SqliteFault" ? explain(error) : error)))

const changes = (database: Database) => Effect.map(database.rows("SELECT changes() AS n"), ([row]) => Number(row?.n))

const concurrent = (path: string) =>
  new SessionLogError({
    reason: "Busy",
    path,
    details: "another process removed events at the same time.",
    remedy: "Nothing was changed. Run the rotation again."
  })

/** Completes the move by the state of its row. An archive with its final name is complete. */
const settle = (database: Database, directory: string, name: string) =>
  Effect.gen(function* () {
    const path = join(directory, name)
    const [row] = yield* write(database, "SELECT sha256, created_ts FROM session_archives WHERE file = ?", [name])
    if (row === undefined) return
    // The time tells it from archives of the same name that other databases have begun here.
    const temporary = Archive.partialPath(path, Number(row.created_ts))
    if (row.sha256 === "") {
      yield* Archive.attempt(temporary, "remove", () => rmSync(temporary, { force: true }))
      yield* write(database, "DELETE FROM session_archives WHERE file = ? AND sha256 = ''", [name])
    } else if (!existsSync(path) && existsSync(temporary)) {
      yield* Archive.publish(temporary, path)
    }
  })

const write = (database: Database, sql: string, values: ReadonlyArray<string | number>) =>
  database.rows(sql, values).pipe(Effect.retry(whileBusy), Effect.mapError(explain))

const pageRows = 500
const pageBytes = 4 << 20

/** Lines in order of id. A page has at most this many rows or bytes, but at least one row. */
const pagesOf = (database: Database, { values, where }: OldEvents) =>
  Stream.paginateEffect(Number.MIN_SAFE_INTEGER, (after) =>
    Effect.gen(function* () {
      const sizes = yield* database.rows(
        `SELECT rowid AS event, coalesce(octet_length(message), 0) + coalesce(octet_length(metadata), 0) AS size
         FROM session_events WHERE rowid > ? AND ${where} ORDER BY rowid LIMIT ${pageRows}`,
        [after, ...values]
      )
      let bytes = 0
      const beyond = sizes.findIndex(({ size }, i) => {
        bytes += Number(size)
        return i > 0 && bytes > pageBytes
      })
      const last = Number(sizes.at(beyond === -1 ? -1 : beyond - 1)?.event ?? after)
      const rows = yield* database.rows(`${lines} WHERE rowid > ? AND rowid <= ? AND ${where} ORDER BY rowid`, [
        after,
        last,
        ...values
      ])
      const next = beyond === -1 && sizes.length < pageRows ? Option.none() : Option.some(last)
      return [rows.map(({ line }) => `${String(line)}\n`), next] as const
    })
  )

/** Values of any type as readers show them; metadata that is JSON stays JSON. */
const lines = `SELECT json_object(
  'ts', CASE typeof(ts) WHEN 'blob' THEN CAST(ts AS TEXT) ELSE ts END,
  'session_id', CAST(session_id AS TEXT), 'role', CAST(role AS TEXT), 'level', CAST(level AS TEXT),
  'message', CAST(message AS TEXT),
  'metadata', CASE WHEN typeof(metadata) = 'text' AND json_valid(metadata) THEN json(metadata) ELSE CAST(metadata AS TEXT) END
) AS line FROM session_events`
