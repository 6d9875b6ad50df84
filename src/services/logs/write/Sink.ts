/**
 * Where the lines of a log go: a file of NDJSON here, a SQLite table in SqlitePool.ts.
 */
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, statSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A log that could not be opened or written. What was acknowledged before stays. */
export class SessionLogError extends Schema.TaggedError<SessionLogError>()("SessionLogError", {
  /** `Id` and `Event` are the caller's to mend; the others tell of the file. */
  reason: Schema.Literal("Id", "Event", "Schema", "Unwritable", "Busy", "Full", "Corrupt"),
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

export interface Sink {
  readonly path: string
  /** All lines or none; in order. */
  readonly write: (lines: ReadonlyArray<string>) => Effect.Effect<void, SessionLogError>
}

export interface NdjsonOptions {
  readonly path: string
  /** Also survive a loss of power. Not for a copy of what a database holds. */
  readonly sync: boolean
}

interface Opened {
  readonly descriptor: number
  readonly inode: number
  /** Bytes when this process had written last: it then ended with a line feed. */
  end: number
}

/** Makes the folder and the file, and closes it with the scope. */
export const ndjsonSink = ({ path, sync }: NdjsonOptions): Effect.Effect<Sink, SessionLogError, Scope.Scope> =>
  Effect.gen(function* () {
    const attempt = <A>(use: () => A) => Effect.try({ try: use, catch: (cause) => unwritable(path, cause) })
    let opened: Opened | undefined
    const close = () => {
      if (opened !== undefined) closeSync(opened.descriptor)
      opened = undefined
    }
    const reopen = (): Opened => {
      close()
      const descriptor = openSync(path, "a+")
      opened = { descriptor, inode: fstatSync(descriptor).ino, end: 0 }
      return opened
    }
    yield* Effect.addFinalizer(() => Effect.sync(close))
    yield* attempt(() => {
      mkdirSync(dirname(path), { recursive: true })
      reopen()
    })
    return {
      path,
      write: (lines) =>
        attempt(() => {
          const found = statSync(path, { throwIfNoEntry: false })
          const file = opened !== undefined && opened.inode === found?.ino ? opened : reopen()
          const size = found?.size ?? 0
          const torn = size !== file.end && endsTorn(file.descriptor, size)
          const bytes = Buffer.from(`${torn ? "\n" : ""}${lines.join("\n")}\n`)
          // Unknown until all of it is written: a full disk takes a part.
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

const unwritable = (path: string, cause: unknown): SessionLogError => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
  return new SessionLogError({
    reason: code === "ENOSPC" || code === "EDQUOT" ? "Full" : "Unwritable",
    path,
    details: `cannot be written (${cause instanceof Error ? cause.message : String(cause)}).`,
    remedy: remedies[code] ?? "Choose another path, or turn the file off with `ndjson: false`.",
    cause
  })
}

const remedies: Record<string, string> = {
  ENOSPC: "Make room on the disk.",
  EDQUOT: "Make room within your quota.",
  EACCES: "Check that you may write there.",
  EROFS: "The disk is read-only: choose another path."
}
