/**
 * Where the lines of a log go: a file of NDJSON here, a SQLite table in SqlitePool.ts.
 */
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, statSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { FileError } from "../../files/FileError.ts"

/**
 * A log that could not be opened or written. Events that were acknowledged before are not affected. It is not a FileError, because
 * a caller decides differently: a command continues without its log.
 */
export class SessionLogError extends Schema.TaggedError<SessionLogError>()("SessionLogError", {
  /** `Id` and `Event` are mistakes of the caller, `Unavailable` means that SQLite is not installed; the others concern the file. */
  reason: Schema.Literal("Id", "Event", "Schema", "Unwritable", "Busy", "Full", "Corrupt", "Unavailable"),
  /** The file, or the option. */
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** Lines that `write` has returned for survive the death of the process. */
export interface Sink {
  readonly path: string
  /** Writes all lines, in order, or none. */
  readonly write: (lines: ReadonlyArray<string>) => Effect.Effect<void, SessionLogError>
}

interface OpenFile {
  readonly descriptor: number
  readonly inode: number
  /** The size after the last write of this process, when it ended with a line feed. */
  end: number
}

/**
 * Appends lines to a file, which any number of processes may do at once. `sync`: lines also survive a loss of power, which a copy of
 * a database need not. Creates the directory and the file, and closes the file with the scope.
 *
 * A batch is one write to a file opened for appending, which the operating system does not mix with others. Before each write the
 * file is checked: if a rotation has moved it away, a new one is opened, and if another process died in the middle of a line, the
 * batch begins with a line feed, so that the torn line stays separate. The calls are synchronous: two of some microseconds each,
 * a tenth of a round trip to the thread pool.
 */
export const ndjsonSink = ({
  path,
  sync
}: {
  readonly path: string
  readonly sync: boolean
}): Effect.Effect<Sink, SessionLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const attempt = <A>(use: () => A, target = path) =>
      Effect.try({ try: use, catch: (cause) => unwritable(target, cause) })
    let opened: OpenFile | undefined
    const close = () => {
      if (opened !== undefined) closeSync(opened.descriptor)
      opened = undefined
    }
    const reopen = (): OpenFile => {
      close()
      const descriptor = openSync(path, "a+")
      opened = { descriptor, inode: fstatSync(descriptor).ino, end: 0 }
      return opened
    }
    yield* Effect.addFinalizer(() => Effect.sync(close))
    yield* attempt(() => mkdirSync(dirname(path), { recursive: true }), dirname(path))
    yield* attempt(reopen)
    return {
      path,
      write: (lines) =>
        attempt(() => {
          const found = statSync(path, { throwIfNoEntry: false })
          const file = opened !== undefined && opened.inode === found?.ino ? opened : reopen()
          const size = found?.size ?? 0
          const torn = size !== file.end && endsTorn(file.descriptor, size)
          const bytes = Buffer.from(`${torn ? "\n" : ""}${lines.join("\n")}\n`)
          // Unknown until all is written: a full disk accepts a part.
          file.end = -1
          for (let at = 0; at < bytes.length; ) at += writeSync(file.descriptor, bytes, at)
          if (sync) fdatasyncSync(file.descriptor)
          file.end = size + bytes.length
        })
    }
  })

const endsTorn = (file: number, size: number): boolean => {
  const last = Buffer.alloc(1)
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a
}

/** The file of NDJSON that takes the place of a database where SQLite is not installed: `session_logs.ndjson`. */
export const withoutSqlite = (database: string): string => `${database.replace(/\.(db|sqlite)$/i, "")}.ndjson`

/** Translates an error of the file system. */
export const unwritable = (path: string, cause: unknown): SessionLogError => {
  const { code, details, remedy } = FileError.from(path, "write")(cause)
  return new SessionLogError({
    reason: code === "ENOSPC" || code === "EDQUOT" ? "Full" : "Unwritable",
    path,
    details: `cannot be written: ${details}.`,
    remedy,
    cause
  })
}
