/**
 * The job behind `codex logs snapshot`: a compact, read-only copy of a log, as it is at one moment, while others write to it.
 *
 * `VACUUM INTO` writes a database without free pages and without a write-ahead log, so the one file is all of it: SQLite opens it with
 * `immutable=1`, also from a medium that cannot be written. It appears under its name when it is whole and on the disk.
 */
import { randomUUID } from "node:crypto"
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Sqlite from "./Sqlite.ts"

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

export interface Options {
  /** Any SQLite database. */
  readonly db: string
  readonly out: string
  /** Replace what is there. */
  readonly force: boolean
}

/** Bytes of the log and of the copy. */
export const create = ({ db, force, out: given }: Options) =>
  Effect.gen(function* () {
    // `new/../log.db` is the log also before there is a folder `new`.
    const out = resolve(given)
    const before = yield* statOf(db)
    if (before === undefined) {
      return yield* new SnapshotError({
        reason: "Missing",
        path: db,
        details: "there is no such file.",
        remedy: "Name the log by --db, or by CODEX_LOG_DB_PATH."
      })
    }
    yield* refuse(db, out, force)
    const temporary = `${out}.${randomUUID()}.tmp`
    yield* Effect.addFinalizer(() => Effect.ignore(attempt(out, () => rmSync(temporary, { force: true }))))
    yield* attempt(out, () => {
      mkdirSync(dirname(out), { recursive: true })
      // SQLite takes an empty file; that one can be made is not for it to find out.
      closeSync(openSync(temporary, "wx"))
    })
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

/** Nothing that is there is replaced unasked, and the log, or what SQLite keeps beside a database in use, not even then. */
const refuse = (db: string, out: string, force: boolean) =>
  Effect.gen(function* () {
    const exists = (details: string, remedy = "Choose another name.") =>
      new SnapshotError({ reason: "Exists", path: out, details, remedy })
    const there = yield* statOf(out)
    const log = yield* statOf(db)
    if (there !== undefined && there.ino === log?.ino && there.dev === log.dev) {
      return yield* exists("this is the log itself.")
    }
    const real = yield* attempt(db, () => realpathSync(db))
    if (beside.some((end) => [`${resolve(db)}${end}`, `${real}${end}`].includes(out))) {
      return yield* exists("SQLite keeps a part of the log under that name.")
    }
    if (there !== undefined && !force) {
      return yield* exists("there is a file already.", "Choose another name, or replace it with --force.")
    }
    if (there?.isDirectory()) return yield* exists("there is a folder.")
    const used = beside.find((end) => existsSync(`${out}${end}`))
    if (used !== undefined) {
      return yield* exists(`the file ${out}${used} belongs to a database of that name, perhaps one in use.`)
    }
  })

/** How long to wait for a lock; a log in WAL mode needs none. */
const busyMillis = 2000

const beside = ["-wal", "-shm", "-journal"]

const copy = (db: string, to: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* Sqlite.open({ path: db, readonly: true, busyMillis })
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
