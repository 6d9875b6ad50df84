/**
 * The job behind `codex logs rotate`: old events go from the database, and old NDJSON files from their folder, to gzipped NDJSON in
 * an archive that `codex logs` reads as well.
 *
 * Nothing is lost at any moment, and nothing is there twice: an archive is whole and synced under a temporary name before
 * its events are deleted, in one transaction with a row of the table `session_archives` that names it; then it gets its name.
 * A rotation that was killed after the transaction is finished by the next one; of one that was killed before, the next one
 * removes the unfinished archive. Other processes go on logging meanwhile.
 */
import { existsSync, mkdirSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Sqlite from "../Sqlite.ts"
import { SessionLogError } from "../write/Sink.ts"
import type { Rotated, RotateOptions } from "./Archive.ts"
import * as Archive from "./Archive.ts"
import * as RotateDatabase from "./DatabaseRotation.ts"
import * as RotateFiles from "./FileRotation.ts"

export type { Rotated, RotateOptions } from "./Archive.ts"

/** Rotates what there is of both. */
export const rotate = (options: RotateOptions) =>
  Effect.gen(function* () {
    const now = (yield* Clock.currentTimeMillis) / 1000
    if (!existsSync(options.db)) {
      return yield* new SessionLogError({
        reason: "Unwritable",
        path: options.db,
        details: "there is no such file.",
        remedy: "Name the log by --db, or by CODEX_LOG_DB_PATH."
      })
    }
    const alone = options.db.endsWith(".ndjson")
    if (!alone) yield* RotateDatabase.check(options.db)
    if (!options.dryRun) yield* exclusively(options, alone)
    const log = alone ? yield* RotateFiles.rotateFile(options, now) : yield* RotateDatabase.rotate(options, now)
    const folder =
      options.sessions === undefined ? [] : [yield* RotateFiles.rotateFolder(options, options.sessions, now)]
    const rotated: ReadonlyArray<Rotated> = [log, ...folder]
    return rotated
  }).pipe(Effect.scoped)

/** One rotation at a time in a folder that files go to or come from: two would archive what one of them left half done. */
const exclusively = ({ archive, db, sessions }: RotateOptions, alone: boolean) =>
  Effect.gen(function* () {
    const folders = yield* Archive.attempt(archive, () => {
      mkdirSync(archive, { recursive: true })
      return [
        archive,
        ...(sessions !== undefined && existsSync(sessions) ? [sessions] : []),
        ...(alone ? [dirname(db)] : [])
      ].map((folder) => realpathSync(folder))
    })
    yield* Effect.forEach([...new Set(folders)].sort(), lock, { discard: true })
  })

/** A lock that SQLite holds and that the end of this process frees, whichever way it ends. */
const lock = (folder: string) =>
  Effect.gen(function* () {
    const file = yield* Sqlite.open({ path: join(folder, ".rotation.lock"), busyMillis: 0 })
    yield* Effect.acquireRelease(file.rows("BEGIN EXCLUSIVE"), () => Effect.ignore(file.rows("ROLLBACK")))
  }).pipe(
    Effect.catchTag("SqliteFault", (fault) =>
      fault.reason === "Busy"
        ? new SessionLogError({
            reason: "Busy",
            path: folder,
            details: "another rotation is at work here.",
            remedy: "Wait for its end.",
            cause: fault
          })
        : Archive.unwritable(folder, fault)
    )
  )
