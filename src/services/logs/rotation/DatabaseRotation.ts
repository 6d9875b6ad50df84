/**
 * Moves a database's old events to archives: one by age, and further ones while the database is still larger than was asked for.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sqlite from "../Sqlite.ts"
import { SessionLogError } from "../write/Sink.ts"
import { explain, SqlitePool, whileBusy } from "../write/SqlitePool.ts"
import type { Rotated, RotateOptions } from "./Archive.ts"
import * as Events from "./EventArchive.ts"

/** Fails for what is no session log, before anything is made or changed. */
export const check = (path: string) =>
  Effect.flatMap(columnsOf(path), (columns) =>
    columns.length > 0
      ? Effect.void
      : new SessionLogError({
          reason: "Schema",
          path,
          details: "has no table session_events.",
          remedy: "Name a log that codex writes, by --db or CODEX_LOG_DB_PATH."
        })
  )

const columnsOf = (path: string) => Effect.scoped(Effect.map(look(path), ({ columns }) => columns))

/** The database as it is, not brought up to date. */
const look = (path: string) =>
  opened(path, true).pipe(
    // After a crash SQLite has to restore it first, which changes nothing that was acknowledged.
    Effect.catchIf(
      (fault) => fault.reason === "ReadOnly",
      () => opened(path, false)
    ),
    Effect.mapError(explain)
  )

const opened = (path: string, readonly: boolean) =>
  Effect.gen(function* () {
    const database = yield* Sqlite.open({ path, readonly })
    const rows = yield* database.rows("SELECT name FROM pragma_table_info('session_events')")
    return { database, columns: rows.map(({ name }) => String(name).toLowerCase()) }
  })

export const rotate = (options: RotateOptions, now: number) =>
  options.dryRun ? plan(options, now) : moveAll(options, now)

/** What would go. */
const plan = (options: RotateOptions, now: number) =>
  Effect.gen(function* () {
    const { columns, database } = yield* look(options.db)
    const before = yield* sizeOf(database)
    const old = yield* oldEvents(database, options, now, before, columns.includes("metadata"))
    const rotated: Rotated = { of: options.db, events: old?.events ?? 0, archives: [], before, after: before }
    return rotated
  }).pipe(Effect.scoped)

/** An estimate says what has to go for a size, with 2 % to spare; each further round asks for more. */
const rounds = 16

const moveAll = (options: RotateOptions, now: number) =>
  Effect.gen(function* () {
    const pool = yield* SqlitePool
    const database = yield* pool.open(options.db)
    yield* Events.recover(database, options.archive)
    const before = yield* sizeOf(database)
    const archives: Array<string> = []
    let after = before
    let events = 0
    for (let round = 0; round < rounds; round++) {
      const old = yield* oldEvents(database, options, now, after, true, 2 ** round)
      if (old === undefined) break
      archives.push(yield* Events.move(database, options.archive, old, now))
      events += old.events
      yield* shrink(database)
      after = yield* sizeOf(database)
      if (options.maxBytes === undefined || after <= options.maxBytes) break
    }
    if (archives.length === 0 && (yield* isMostlyFree(database))) yield* shrink(database)
    const tooLarge = options.maxBytes !== undefined && after > options.maxBytes
    const note = tooLarge ? yield* reasonOf(database) : undefined
    const rotated: Rotated = { of: options.db, events, archives, before, after, note }
    return rotated
  }).pipe(Effect.scoped)

const oldEvents = (
  database: Sqlite.Database,
  { maxAge, maxBytes }: RotateOptions,
  now: number,
  bytes: number,
  hasMetadata: boolean,
  factor = 1
) =>
  Effect.gen(function* () {
    const newest = yield* number(database, "SELECT max(rowid) AS n FROM session_events")
    if (Option.isNone(newest)) return undefined
    const until = maxAge === undefined ? -1e300 : now - maxAge
    const excess =
      maxBytes === undefined || bytes <= maxBytes
        ? Option.none()
        : yield* number(database, beyond(hasMetadata), [(bytes - maxBytes * 0.98) * factor, bytes])
    // A time that is a text is after all numbers for SQLite: it has no age.
    const where = "rowid <= ? AND (ts < ? OR rowid <= ?)"
    const values = [newest.value, until, Option.getOrElse(excess, () => Number.MIN_SAFE_INTEGER)]
    const [row] = yield* database.rows(
      `SELECT count(*) AS events, min(CAST(ts AS REAL)) AS first, max(CAST(ts AS REAL)) AS last
       FROM session_events WHERE ${where}`,
      values
    )
    const events = Number(row?.events ?? 0)
    if (events === 0) return undefined
    return { where, values, events, first: finite(row?.first), last: finite(row?.last) } satisfies Events.Old
  }).pipe(Effect.mapError(explain))

const finite = (value: Sqlite.Value | undefined): number =>
  typeof value === "number" && Number.isFinite(value) ? value : 0

/**
 * The newest event that has to go for a database to lose the first value's bytes of the second's: an event's share of the file is taken to be
 * its share of all text and, for what else a row and its index entries take, 100 bytes.
 */
const beyond = (hasMetadata: boolean): string => `WITH costs AS (
  SELECT rowid AS event, 100 + coalesce(octet_length(message), 0)
    ${hasMetadata ? "+ coalesce(octet_length(metadata), 0)" : ""} AS cost FROM session_events
), sums AS (
  SELECT event, sum(cost) OVER (ORDER BY event) - cost AS older FROM costs
)
SELECT max(event) AS n FROM sums WHERE older < ? * 1.0 / ? * (SELECT sum(cost) FROM costs)`

const number = (database: Sqlite.Database, sql: string, values: ReadonlyArray<number> = []) =>
  Effect.map(database.rows(sql, values), ([row]) => (typeof row?.n === "number" ? Option.some(row.n) : Option.none()))

/** Why the database is larger than was asked for, though all that was there is in the archive. */
const reasonOf = (database: Sqlite.Database) =>
  Effect.map(number(database, "SELECT count(*) AS n FROM session_events").pipe(Effect.mapError(explain)), (left) =>
    Option.contains(left, 0)
      ? "An empty log, and other tables if there are any, take that much."
      : "Events were written meanwhile: run the rotation again."
  )

/** Gives the space back, where other processes let it; else the free pages are the next events' space. */
const shrink = (database: Sqlite.Database) =>
  Effect.zipRight(
    Effect.retry(database.rows("VACUUM"), { times: 20, schedule: whileBusy }),
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
  ).pipe(
    Effect.catchAll((fault) =>
      fault.reason === "Busy"
        ? Effect.void
        : Effect.logWarning(`The space of the archived events was not given back. ${fault.message}`)
    )
  )

/** As after a rotation that could not shrink it. */
const isMostlyFree = (database: Sqlite.Database) =>
  number(database, "SELECT freelist_count * 2 > page_count AS n FROM pragma_freelist_count, pragma_page_count").pipe(
    Effect.map(Option.contains(1)),
    Effect.mapError(explain)
  )

/** Bytes in use. */
const sizeOf = (database: Sqlite.Database) =>
  number(
    database,
    `SELECT (page_count - freelist_count) * page_size AS n
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
  ).pipe(
    Effect.map((found) => Option.getOrElse(found, () => 0)),
    Effect.mapError(explain)
  )
