/**
 * The job behind `codex logs snapshot`: a compact, read-only copy of a log, as it is at one moment, while others write to it.
 *
 * `VACUUM INTO` writes a database without free pages and without a write-ahead log, so the one file is all of it: SQLite opens it with
 * `immutable=1`, also from a medium that cannot be written. It appears under its name when it is whole and on the disk.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Sqlite from "../services/logs/Sqlite.ts"

/** A copy that was not made; nothing was changed. */
export class SnapshotError extends Schema.TaggedError<SnapshotError>()("SnapshotError", {
  reason: Schema.Literal("Missing", "Exists", "Source", "Unwritable"),
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

export interface SnapshotOptions {
  /** Any SQLite database. */
  readonly db: string
  readonly out: string
  /** Replace what is there. */
  readonly force: boolean
}

/** Bytes of the log and of the copy. */
export const snapshotLog = ({ db, force, out }: SnapshotOptions) =>
  Effect.gen(function* () {
    const before = yield* statOf(db)
    if (before === undefined) {
      return yield* new SnapshotError({
        reason: "Missing",
        path: db,
        details: "there is no such file.",
        remedy: "Name the log by --db, or by CODEX_LOG_DB_PATH."
      })
    }
    const there = yield* statOf(out)
    if (there !== undefined && (!force || there.ino === before.ino)) {
      return yield* new SnapshotError({
        reason: "Exists",
        path: out,
        details: there.ino === before.ino ? "this is the log itself." : "there is a file already.",
        remedy: there.ino === before.ino ? "Choose another name." : "Choose another name, or replace it with --force."
      })
    }
    const temporary = `${out}.${process.pid}.tmp`
    yield* Effect.addFinalizer(() => Effect.ignore(attempt(out, () => rmSync(temporary, { force: true }))))
    yield* attempt(out, () => mkdirSync(dirname(out), { recursive: true }))
    yield* copy(db, temporary)
    yield* attempt(out, () => {
      chmodSync(temporary, 0o444)
      const file = openSync(temporary, "r")
      fsyncSync(file)
      closeSync(file)
      renameSync(temporary, out)
    })
    return { before: before.size, after: (yield* statOf(out))?.size ?? 0 }
  }).pipe(Effect.scoped)

const copy = (db: string, to: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* Sqlite.open({ path: db, readonly: true })
      yield* source.rows("VACUUM INTO ?", [to])
    })
  ).pipe(
    Effect.mapError((cause) =>
      cause.reason === "Full"
        ? unwritable(to, cause)
        : new SnapshotError({
            reason: "Source",
            path: db,
            details: `cannot be copied: ${cause.message}`,
            remedy: "Check that it is a SQLite database, and that no program holds it locked.",
            cause
          })
    )
  )

const statOf = (path: string) => attempt(path, () => statSync(path, { throwIfNoEntry: false }))

const attempt = <A>(path: string, use: () => A) => Effect.try({ try: use, catch: (cause) => unwritable(path, cause) })

const unwritable = (path: string, cause: unknown) =>
  new SnapshotError({
    reason: "Unwritable",
    path,
    details: `the copy cannot be written (${cause instanceof Error ? cause.message : String(cause)}).`,
    remedy: "Choose another place by --out, or make room.",
    cause
  })
