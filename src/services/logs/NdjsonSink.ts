/**
 * Lines appended to a file, by any number of processes at once.
 *
 * A batch is one write to a file opened for appending, which the operating system does not mix with others. The file is opened for
 * each batch, so that a rotation may move it away in between. Where another process died in the middle of a line, the batch
 * begins with a line feed: the torn line stays alone. The calls are synchronous: a few microseconds each, a tenth of what a
 * round trip to the thread pool takes.
 */
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { SessionLogError, type Sink } from "./Sink.ts"

export interface Options {
  readonly path: string
  /** Also survive a loss of power. Not for a copy of what a database holds. */
  readonly sync: boolean
}

/** Makes the folder and the file. */
export const make = ({ path, sync }: Options): Effect.Effect<Sink, SessionLogError> => {
  const attempt = (use: () => void) => Effect.try({ try: use, catch: (cause) => unwritable(path, cause) })
  return Effect.as(
    attempt(() => {
      mkdirSync(dirname(path), { recursive: true })
      closeSync(openSync(path, "a"))
    }),
    {
      path,
      write: (lines) =>
        attempt(() => {
          const file = openSync(path, "a+")
          try {
            const { size } = fstatSync(file)
            const bytes = Buffer.from(`${endsTorn(file, size) ? "\n" : ""}${lines.join("\n")}\n`)
            for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
            if (sync) fdatasyncSync(file)
          } finally {
            closeSync(file)
          }
        })
    }
  )
}

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
