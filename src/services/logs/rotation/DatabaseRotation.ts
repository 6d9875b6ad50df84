/**
 * Moves old events of a database to archives: one by age, and more while the database is still larger than `maxBytes`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sqlite from "../Sqlite.ts"
import { SessionLogError } from "../write/Sink.ts"
import { explain, SqlitePool, whileBusy } from "../write/SqlitePool.ts"
import type { Rotated, RotationPlan } from "./Archive.ts"
import * as EventArchive from "./EventArchive.ts"

/** Fails for a file that is not a session log, before anything is created or changed. */
export const check = (path: string) =>
  Effect.flatMap(columnsOf(path), (columns) =>
    columns.length > 0
      ? Effect.void
      : new SessionLogError({
          reason: "Schema",
          path,
          details: "has no table session_events.",
          remedy: "Name a log of codex with --db or CODEX_LOG_DB_PATH."
        })
  )

const columnsOf = (path: string) => Effect.scoped(Effect.map(openReadonly(path), ({ columns }) => columns))

/** The database without a migration. */
const openReadonly = (path: string) =>
  opened(path, true).pipe(
    // After a crash SQLite must restore it first, which does not change events that were acknowledged.
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

/** Moves old events; a dry run only counts them. */
export const rotate = (options: RotationPlan, now: number) =>
  options.dryRun ? countOld(options, now) : moveAll(options, now)

const countOld = (options: RotationPlan, now: number) =>
  Effect.gen(function* () {
    const { columns, database } = yield* openReadonly(options.db)
    const before = yield* sizeOf(database)
    const old = yield* oldEvents(database, options, now, before, columns.includes("metadata"))
    const rotated: Rotated = { of: options.db, events: old?.events ?? 0, archives: [], before, after: before }
    return rotated
  }).pipe(Effect.scoped)

/** Which events to move for a size is estimated, with a margin of 2 %; each further round moves more. */
const maxRounds = 16

const moveAll = (options: RotationPlan, now: number) =>
  Effect.gen(function* () {
    const pool = yield* SqlitePool
    const database = yield* pool.open(options.db)
    yield* EventArchive.recover(database, options.archive)
    const before = yield* sizeOf(database)
    const archives: Array<string> = []
    let after = before
    let events = 0
    for (let round = 0; round < maxRounds; round++) {
      const old = yield* oldEvents(database, options, now, after, true, 2 ** round)
      if (old === undefined) break
      archives.push(yield* EventArchive.move(database, options.archive, old, now))
      events += old.events
      yield* shrink(database)
      after = yield* sizeOf(database)
      if (options.maxBytes === undefined || after <= options.maxBytes) break
    }
    if (archives.length === 0 && (yield* isMostlyFree(database))) yield* shrink(database)
    const tooLarge = options.maxBytes !== undefined && after > options.maxBytes
    const note = tooLarge ? yield* excessNote(database) : undefined
    const rotated: Rotated = { of: options.db, events, archives, before, after, note }
    return rotated
  }).pipe(Effect.scoped)

const oldEvents = (
  database: Sqlite.Database,
  { maxAge, maxBytes }: RotationPlan,
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
    // SQLite orders texts after all numbers, so an event whose time is a text never counts as old.
    const where = "rowid <= ? AND (ts < ? OR rowid <= ?)"
    const values = [newest.value, until, Option.getOrElse(excess, () => Number.MIN_SAFE_INTEGER)]
    const [row] = yield* database.rows(
      `SELECT count(*) AS events, min(CAST(ts AS REAL)) AS first, max(CAST(ts AS REAL)) AS last
       FROM session_events WHERE ${where}`,
      values
    )
    const events = Number(row!.events)
    if (events === 0) return undefined
    return {
      where,
      values,
      events,
      first: finite(row!.first),
      last: finite(row!.last)
    } satisfies EventArchive.OldEvents
  }).pipe(Effect.mapError(explain))

const finite = (value: Sqlite.Value | undefined): number =>
  typeof value === "number" && Number.isFinite(value) ? value : 0

/**
 * SQL for the newest event to move, for a database to lose the first value's bytes out of the second's. The share of an event in the
 * file is estimated by the length of its texts plus 100 bytes for the rest of the row and its index entries.
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

/** Why the database is still larger than requested. */
const excessNote = (database: Sqlite.Database) =>
  Effect.map(number(database, "SELECT count(*) AS n FROM session_events").pipe(Effect.mapError(explain)), (left) =>
    Option.contains(left, 0)
      ? "The log is empty; it and other tables in the file take this much."
      : "Events were written meanwhile. Run the rotation again."
  )

/** Returns the free space to the file system, unless other processes prevent it; then new events reuse it. */
const shrink = (database: Sqlite.Database) =>
  Effect.zipRight(
    Effect.retry(database.rows("VACUUM"), { times: 20, schedule: whileBusy }),
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
  ).pipe(
    Effect.catchAll((fault) =>
      fault.reason === "Busy"
        ? Effect.void
        : Effect.logWarning(`The space of the archived events could not be freed. ${fault.message}`)
    )
  )

/** As after a rotation that could not shrink the file. */
const isMostlyFree = (database: Sqlite.Database) =>
  number(database, "SELECT freelist_count * 2 > page_count AS n FROM pragma_freelist_count, pragma_page_count").pipe(
    Effect.map(Option.contains(1)),
    Effect.mapError(explain)
  )

/** Bytes in use, without free pages. */
const sizeOf = (database: Sqlite.Database) =>
  database
    .rows(
      `SELECT (page_count - freelist_count) * page_size AS n
       FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
    )
    .pipe(
      Effect.map(([row]) => Number(row!.n)),
      Effect.mapError(explain)
    )
