/**
 * Rotation of session logs (`codex logs rotate`): moves old events of the database, and old NDJSON files of the sessions, to archives
 * of gzipped NDJSON.
 *
 * At no moment is an event lost or stored twice: an archive is complete and synced under a temporary name before its events are
 * deleted, in one transaction with a row of the table `session_archives` that names it; then it gets its final name. If a rotation is
 * killed after the transaction, the next one completes it; if it is killed before, the next one removes the incomplete archive. Other
 * processes can log meanwhile.
 */
import { existsSync, mkdirSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileError } from "../../files/FileError.ts"
import * as Sqlite from "../Sqlite.ts"
import { SessionLogError } from "../write/Sink.ts"
import type { Rotated, RotateOptions, RotationPlan } from "./Archive.ts"
import * as Archive from "./Archive.ts"
import * as DatabaseRotation from "./DatabaseRotation.ts"
import * as FileRotation from "./FileRotation.ts"

export type { Rotated, RotateOptions } from "./Archive.ts"

const defaultMaxAge = 30 * 24 * 3600

/**
 * Rotates a log, and with `sessions` the files of that directory too. Returns what was moved from each. Fails with
 * `SessionLogError` for a database that is not a log or is locked, and with `FileError`.
 *
 * @example
 *   LogRotation.rotate({ db: ".codex/session_logs.db", sessions: ".codex/sessions", maxBytes: 100e6 })
 */
export const rotate = ({
  db,
  sessions,
  maxBytes,
  archive = join(dirname(db), "archive"),
  maxAge = maxBytes === undefined ? defaultMaxAge : undefined,
  dryRun = false
}: RotateOptions) =>
  Effect.gen(function* () {
    const plan: RotationPlan = { db, archive, maxAge, maxBytes, dryRun }
    const now = (yield* Clock.currentTimeMillis) / 1000
    if (!existsSync(db)) {
      return yield* new FileError({
        path: db,
        operation: "read",
        code: "ENOENT",
        details: "there is no such file",
        remedy: "Name the log with --db or CODEX_LOG_DB_PATH."
      })
    }
    const isFile = db.endsWith(".ndjson")
    if (!isFile) yield* DatabaseRotation.check(db)
    if (!dryRun) {
      yield* Archive.attempt(archive, "write", () => mkdirSync(archive, { recursive: true }))
      yield* lockAll([archive, ...(sessions === undefined ? [] : [sessions]), ...(isFile ? [dirname(db)] : [])])
    }
    const log = isFile ? yield* FileRotation.rotateFile(plan, now) : yield* DatabaseRotation.rotate(plan, now)
    const directory = sessions === undefined ? [] : [yield* FileRotation.rotateDirectory(plan, sessions, now)]
    const rotated: ReadonlyArray<Rotated> = [log, ...directory]
    return rotated
  }).pipe(Effect.scoped)

/** One rotation at a time in each of these directories: a second one would archive what the first has half done. */
const lockAll = (directories: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const real = yield* Effect.forEach(directories.filter(existsSync), (directory) =>
      Archive.attempt(directory, "read", () => realpathSync(directory))
    )
    // In a fixed order, so that two rotations cannot wait for each other.
    yield* Effect.forEach([...new Set(real)].sort(), lock, { discard: true })
  })

/** A lock that SQLite holds, so that it is released when this process ends for any reason. */
const lock = (directory: string) =>
  Effect.gen(function* () {
    const file = yield* Sqlite.open({ path: join(directory, ".rotation.lock"), busyMillis: 0 })
    yield* Effect.acquireRelease(file.rows("BEGIN EXCLUSIVE"), () => Effect.ignore(file.rows("ROLLBACK")))
  }).pipe(
    Effect.mapError((fault) =>
      fault.reason === "Busy"
        ? new SessionLogError({
            reason: "Busy",
            path: directory,
            details: "another rotation is running here.",
            remedy: "Wait until it ends.",
            cause: fault
          })
        : new FileError({
            path: directory,
            operation: "write",
            details: `its lock file cannot be opened, ${fault.description}`,
            remedy: fault.reason === "Unavailable" ? Sqlite.unavailable(fault).remedy : "Check its permissions.",
            cause: fault
          })
    )
  )
