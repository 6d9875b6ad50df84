/**
 * Moves a database's old events to an archive.
 */
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Archive from "../../services/logs/Archive.ts"
import { SessionLogError } from "../../services/logs/Sink.ts"
import type { Database } from "../../services/logs/Sqlite.ts"
import { explain, SqlitePool, whileBusy } from "../../services/logs/SqlitePool.ts"
import type { Rotated, RotateOptions } from "../rotateLogs.ts"

export const rotate = (options: RotateOptions, now: number) =>
  Effect.gen(function* () {
    const pool = yield* SqlitePool
    const database = yield* pool.open(options.db)
    if (!options.dryRun) yield* recover(database, options.archive)
    const before = yield* sizeOf(database)
    const old = yield* oldEvents(database, options, now, before)
    const nothing: Rotated = { of: options.db, events: 0, before, after: before }
    if (old === undefined) return nothing
    const planned: Rotated = { ...nothing, events: old.events }
    if (options.dryRun) return planned
    const archive = yield* move(database, options.archive, old, now)
    yield* shrink(database)
    return { ...planned, archive, after: yield* sizeOf(database) }
  }).pipe(Effect.scoped)

/** A set of events that stays the same while others write. */
interface Old {
  /** A condition on rows, and its values. */
  readonly where: string
  readonly values: ReadonlyArray<number>
  readonly events: number
  readonly first: number
  readonly last: number
}

const oldEvents = (database: Database, { maxAge, maxBytes }: RotateOptions, now: number, bytes: number) =>
  Effect.gen(function* () {
    const newest = yield* number(database, "SELECT max(rowid) AS n FROM session_events")
    if (Option.isNone(newest)) return undefined
    const until = maxAge === undefined ? Number.NEGATIVE_INFINITY : now - maxAge
    const excess =
      maxBytes === undefined || bytes <= maxBytes
        ? Option.none()
        : yield* number(database, beyond, [bytes - maxBytes, bytes])
    const where = "rowid <= ? AND (ts < ? OR rowid <= ?)"
    const values = [newest.value, Math.max(until, -1e300), Option.getOrElse(excess, () => -1)]
    const [row] = yield* database.rows(
      `SELECT count(*) AS events, min(ts) AS first, max(ts) AS last FROM session_events WHERE ${where}`,
      values
    )
    const events = Number(row?.events ?? 0)
    if (events === 0) return undefined
    return { where, values, events, first: Number(row?.first), last: Number(row?.last) } satisfies Old
  }).pipe(Effect.mapError(explain))

/**
 * The newest event that has to go for a database of `?2` bytes to lose `?1` of them: an event's share of the file is taken to be
 * its share of all text and, for what else a row and its index entries take, 100 bytes.
 */
const beyond = `WITH costs AS (
  SELECT rowid AS event, 100 + octet_length(message) + coalesce(octet_length(metadata), 0) AS cost FROM session_events
), sums AS (
  SELECT event, sum(cost) OVER (ORDER BY event) - cost AS older FROM costs
)
SELECT max(event) AS n FROM sums WHERE older < ?1 * 1.0 / ?2 * (SELECT sum(cost) FROM costs)`

const number = (database: Database, sql: string, values: ReadonlyArray<number> = []) =>
  Effect.map(database.rows(sql, values), ([row]) => (typeof row?.n === "number" ? Option.some(row.n) : Option.none()))

const move = (database: Database, folder: string, old: Old, now: number) =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => mkdirSync(folder, { recursive: true }),
      catch: (cause) => Archive.unwritable(folder, cause)
    })
    const name = nameOf(folder, old)
    const path = join(folder, name)
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(Archive.partial(path), { force: true })))
    let count = 0
    const lines = Stream.tap(linesOf(database, old), (page) =>
      Effect.sync(() => {
        count += page.length
      })
    )
    const sha256 = yield* Archive.write(
      path,
      Stream.map(lines, (page) => page.map((line) => `${line}\n`).join(""))
    ).pipe(Effect.mapError((error) => (error._tag === "SqliteFault" ? explain(error) : error)))
    // From here on the archive is the only place of the events: a crash must leave it, and an interruption waits.
    yield* Effect.uninterruptible(
      Effect.zipRight(remove(database, { old, name, sha256, count, now }), Archive.finish(path))
    )
    return path
  }).pipe(Effect.scoped)

/** `session_events-20261101T120000-20261124T130834.ndjson.gz`, the times of its first and last event; with a number if that is taken. */
const nameOf = (folder: string, { first, last }: Old): string => {
  const stamp = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/[-:]|\.\d+Z/g, "")
  const stem = `session_events-${stamp(first)}-${stamp(last)}`
  for (let n = 1; ; n++) {
    const name = `${stem}${n === 1 ? "" : `.${n}`}.ndjson.gz`
    if (!existsSync(join(folder, name)) && !existsSync(Archive.partial(join(folder, name)))) return name
  }
}

const pageSize = 500

/** As they were written, by id. */
const linesOf = (database: Database, { values, where }: Old) =>
  Stream.paginateEffect(-1, (after) =>
    Effect.map(
      database.rows(
        `SELECT rowid AS event, json_object('ts', ts, 'session_id', session_id, 'role', role, 'level', level,
           'message', CAST(message AS TEXT), 'metadata', CASE WHEN json_valid(metadata) THEN json(metadata) ELSE metadata END) AS line
         FROM session_events WHERE rowid > ? AND ${where} ORDER BY rowid LIMIT ${pageSize}`,
        [after, ...values]
      ),
      (rows) => {
        const last = rows[rows.length - 1]
        const next = rows.length < pageSize || last === undefined ? Option.none() : Option.some(Number(last.event))
        return [rows.map(({ line }) => String(line)), next] as const
      }
    )
  )

interface Archived {
  readonly old: Old
  readonly name: string
  readonly sha256: string
  readonly count: number
  readonly now: number
}

/** Deletes what is in the archive and notes it, both or neither. The first statement writes, so that waiting for the lock works. */
const remove = (database: Database, { count, name, now, old, sha256 }: Archived) =>
  database
    .transaction(
      Effect.gen(function* () {
        yield* database.rows(`DELETE FROM session_events WHERE ${old.where}`, old.values)
        const [row] = yield* database.rows("SELECT changes() AS n")
        if (Number(row?.n) !== count) return yield* concurrent(database.path)
        yield* database.rows(
          "INSERT INTO session_archives(file, created_ts, events, first_ts, last_ts, sha256) VALUES (?, ?, ?, ?, ?, ?)",
          [name, now, count, old.first, old.last, sha256]
        )
      })
    )
    .pipe(
      Effect.retry(whileBusy),
      Effect.mapError((error) => (error._tag === "SqliteFault" ? explain(error) : error))
    )

const concurrent = (path: string) =>
  new SessionLogError({
    reason: "Busy",
    path,
    details: "another process removed events at the same time.",
    remedy: "Nothing was changed here: run the rotation again."
  })

/** Gives archives their names whose rotation was killed between the two last steps. */
const recover = (database: Database, folder: string) =>
  Effect.gen(function* () {
    for (const { file } of yield* Effect.mapError(database.rows("SELECT file FROM session_archives"), explain)) {
      const path = join(folder, String(file))
      if (!existsSync(path) && existsSync(Archive.partial(path))) yield* Archive.finish(path)
    }
  })

/** Gives the space back, where no other process stands in the way; the next rotation tries again. */
const shrink = (database: Database) =>
  Effect.zipRight(database.rows("VACUUM"), database.rows("PRAGMA wal_checkpoint(TRUNCATE)")).pipe(
    Effect.catchIf(
      (fault) => fault.reason === "Busy",
      () => Effect.void
    ),
    Effect.mapError(explain)
  )

/** Bytes in use; free pages are the next events' space. */
const sizeOf = (database: Database) =>
  number(
    database,
    `SELECT (page_count - freelist_count) * page_size AS n
     FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
  ).pipe(
    Effect.map((found) => Option.getOrElse(found, () => 0)),
    Effect.mapError(explain)
  )
