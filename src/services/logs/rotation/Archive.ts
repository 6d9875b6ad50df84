/**
 * Gzipped NDJSON that appears under its name whole and on the disk, or not at all; `codex logs` reads it as it is.
 */
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { open, rename } from "node:fs/promises"
import { dirname } from "node:path"
import { Readable, Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { SessionLogError } from "../write/Sink.ts"

export interface RotateOptions {
  /** The database, or the one NDJSON file that CODEX_LOG_DB_PATH may name. */
  readonly db: string
  /** Folder of the sessions' NDJSON, where that is rotated too. */
  readonly sessions: string | undefined
  readonly archive: string
  /** Older events go, in seconds. */
  readonly maxAge: number | undefined
  /** The oldest events go until the database has at most so many bytes; the same for the folder. */
  readonly maxBytes: number | undefined
  /** Only say what would go. */
  readonly dryRun: boolean
}

/** What a rotation did, or would do, to a database, a file or a folder. */
export interface Rotated {
  readonly of: string
  /** Events that went from a database. */
  readonly events?: number
  /** Files that went from a folder. */
  readonly files?: number
  /** What was written: of a database one file as a rule, of a folder one for each of its files. */
  readonly archives: ReadonlyArray<string>
  /** Bytes in use. */
  readonly before: number
  readonly after: number
  /** Why there is more left than was asked for. */
  readonly note?: string | undefined
}

export const unwritable = (path: string, cause: unknown) =>
  new SessionLogError({
    reason:
      typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOSPC" ? "Full" : "Unwritable",
    path,
    details: `cannot be written (${cause instanceof Error ? cause.message : String(cause)}).`,
    remedy: "Choose another folder by --archive, or make room. The log is as it was.",
    cause
  })

/** Calls of the file system around an archive. */
export const attempt = <A>(path: string, use: () => A) =>
  Effect.try({ try: use, catch: (cause) => unwritable(path, cause) })

/** The name of an archive that is not whole yet; with a mark, one that no other has. */
export const partial = (path: string, mark?: number): string =>
  mark === undefined ? `${path}.partial` : `${path}.${Math.round(mark * 1000)}.partial`

/** Writes the texts to the path, compressed and synced; returns the SHA-256 of the file, in hexadecimal. */
export const write = <E, R>(path: string, texts: Stream.Stream<string, E, R>) =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<R>()
    const failure: { cause?: E } = {}
    const source = texts.pipe(
      Stream.tapError((cause) =>
        Effect.sync(() => {
          failure.cause = cause
        })
      )
    )
    const sha256 = yield* Effect.tryPromise({
      try: (signal) => compress(Readable.from(Stream.toAsyncIterableRuntime(source, runtime)), path, signal),
      catch: (cause) => (failure.cause === undefined ? unwritable(path, cause) : failure.cause)
    })
    return sha256
  })

/** The same for a file that nobody writes any more. */
export const file = (from: string, path: string) =>
  Effect.tryPromise({
    try: (signal) => compress(createReadStream(from), path, signal),
    catch: (cause) => unwritable(path, cause)
  })

/** The SHA-256 of a file, in hexadecimal. */
export const digest = (path: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const hash = createHash("sha256")
      await pipeline(createReadStream(path), hash, { signal })
      return hash.digest("hex")
    },
    catch: (cause) => unwritable(path, cause)
  })

/** Gives the archive its name. */
export const finish = (temporary: string, path: string) =>
  Effect.tryPromise({
    try: async () => {
      await rename(temporary, path)
      await syncFolder(path)
    },
    catch: (cause) => unwritable(path, cause)
  })

const compress = async (source: Readable, path: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash("sha256")
  const hashed = new Transform({
    transform: (chunk: Buffer, _, done) => {
      hash.update(chunk)
      done(null, chunk)
    }
  })
  await pipeline(source, createGzip(), hashed, createWriteStream(path), { signal })
  const written = await open(path, "r+")
  await written.sync().finally(() => written.close())
  await syncFolder(path)
  return hash.digest("hex")
}

/** The name of a file is on the disk when its folder is. Not every file system can do that: then it is as safe as it gets. */
const syncFolder = async (path: string): Promise<void> => {
  try {
    const folder = await open(dirname(path))
    await folder.sync().finally(() => folder.close())
  } catch {}
}
