/**
 * Lines appended to a file, by any number of processes at once.
 *
 * A batch is one write to a file opened for appending, which the operating system does not mix with others. Before each it is
 * looked at: a file that a rotation has moved away is opened anew, and where another process died in the middle of a line,
 * the batch begins with a line feed, so that the torn line stays alone. The calls are synchronous: two of some microseconds
 * each, a tenth of what a round trip to the thread pool takes.
 */
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, statSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { SessionLogError, type Sink } from "./Sink.ts"

export interface Options {
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
export const make = ({ path, sync }: Options): Effect.Effect<Sink, SessionLogError, Scope.Scope> =>
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
