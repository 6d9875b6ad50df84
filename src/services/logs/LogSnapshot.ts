/**
 * A compact, read-only copy of a log as it is at one moment, while other processes write to it (`codex logs snapshot`).
 *
 * `VACUUM INTO` writes a database without free pages and without a write-ahead log, so one file is all of it: SQLite opens it with
 * `immutable=1`, even on a read-only medium. The file appears under its name when it is complete and on disk.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as AtomicFiles from "../files/AtomicFiles.ts"
import { FileError, type FileOperation } from "../files/FileError.ts"
import * as Sqlite from "./Sqlite.ts"

/** What to copy, and where to. */
export interface Options {
  /** The log, or any other SQLite database. */
  readonly db: string
  /** The copy; its directory is created. Default: `<log>-<UTC time>.db` next to the log. */
  readonly out?: string | undefined
  /** Replace an existing file. Default false. */
  readonly force?: boolean | undefined
}

/**
 * Copies a database. Returns the path of the copy, and the sizes of log and copy in bytes. Fails with `FileError`, and then has
 * changed nothing.
 */
export const create = ({ db, force = false, out: named }: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    // Resolved first: `new/../log.db` is the log even if the directory `new` does not exist.
    const path = named ?? (yield* defaultPath(db))
    const out = paths.resolve(path)
    const before = yield* statOf(db, "read")
    if (Option.isNone(before)) {
      return yield* new FileError({
        path: db,
        operation: "read",
        code: "ENOENT",
        details: "there is no such file",
        remedy: "Name the log with --db or CODEX_LOG_DB_PATH."
      })
    }
    yield* refuse(db, out, force)
    yield* Effect.mapError(fs.makeDirectory(paths.dirname(out), { recursive: true }), unwritable(out))
    const { path: temporary, publish } = yield* AtomicFiles.stageFile(out)
    // SQLite writes to an empty file, and its own error for one that it cannot create does not say why.
    yield* Effect.mapError(fs.writeFile(temporary, new Uint8Array(), { flag: "wx" }), unwritable(out))
    yield* copy(db, temporary, out)
    yield* Effect.mapError(fs.chmod(temporary, 0o444), unwritable(out))
    yield* publish()
    const after = yield* Effect.mapError(fs.stat(out), FileError.from(out, "read"))
    return { path, before: Number(before.value.size), after: Number(after.size) }
  }).pipe(Effect.scoped)

const defaultPath = (db: string) =>
  Effect.map(Clock.currentTimeMillis, (millis) => {
    const time = new Date(millis).toISOString().slice(0, 19).replace(/[-:]/g, "")
    return `${db.replace(/\.(db|sqlite)$/i, "")}-${time}Z.db`
  })

/** An existing file is replaced only with `force`; the log, and the files that SQLite keeps next to a database, never. */
const refuse = (db: string, out: string, force: boolean) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const exists = (details: string, remedy = "Choose another path.") =>
      new FileError({ path: out, operation: "write", code: "EEXIST", details, remedy })
    const existing = Option.getOrUndefined(yield* statOf(out, "write"))
    const log = Option.getOrUndefined(yield* statOf(db, "read"))
    if (existing !== undefined && log !== undefined && sameFile(existing, log)) {
      return yield* exists("it is the log itself")
    }
    const real = yield* Effect.mapError(fs.realPath(db), FileError.from(db, "read"))
    if (sqliteSuffixes.some((suffix) => [`${paths.resolve(db)}${suffix}`, `${real}${suffix}`].includes(out))) {
      return yield* exists("SQLite keeps a part of the log under this name")
    }
    if (existing !== undefined && !force) {
      return yield* exists(
        "there is already a file of that name",
        "Choose another path, or replace the file with --force."
      )
    }
    if (existing?.type === "Directory") return yield* exists("it is a directory", "Name a file in it.")
    for (const suffix of sqliteSuffixes) {
      const used = yield* Effect.orElseSucceed(fs.exists(`${out}${suffix}`), () => false)
      if (used) return yield* exists(`${out}${suffix} belongs to a database of that name, which may be in use`)
    }
  })

const sameFile = (one: FileSystem.File.Info, other: FileSystem.File.Info): boolean =>
  one.dev === other.dev && Option.getOrUndefined(one.ino) === Option.getOrUndefined(other.ino)

/** How long to wait for a lock; a log in WAL mode needs none. */
const busyMillis = 2000

/** Endings of the files that SQLite keeps next to a database in use. */
const sqliteSuffixes = ["-wal", "-shm", "-journal"]

const copy = (db: string, temporary: string, out: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const source = yield* Sqlite.open({ path: db, readonly: true, busyMillis })
      yield* source.rows("VACUUM INTO ?", [temporary])
    })
  ).pipe(
    Effect.mapError((fault) =>
      fault.reason === "Full"
        ? unwritable(out)({ code: "ENOSPC" })
        : new FileError({
            path: db,
            operation: "read",
            details: fault.description,
            remedy:
              fault.reason === "Unavailable"
                ? Sqlite.unavailable(fault).remedy
                : "Check that it is a SQLite database, and that no other program has locked it.",
            cause: fault
          })
    )
  )

const unwritable = (out: string) => FileError.from(out, "write")

/** None if there is no such file. */
const statOf = (path: string, operation: FileOperation) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.stat(path)).pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.succeedNone
    ),
    Effect.mapError(FileError.from(path, operation))
  )
