/**
 * What a rotation is to do and has done, and the archives it writes: gzipped NDJSON, which `codex logs` reads as well.
 *
 * An archive is written under a temporary name, synced, and renamed when the caller says so. The temporary name is not one of
 * AtomicFiles, because it must be found again: after a crash the next rotation completes or removes this archive.
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
import { FileError, type FileOperation } from "../../files/FileError.ts"

/** Which logs to rotate, and what to move to the archive. */
export interface RotateOptions {
  /** The database, or the one NDJSON file that CODEX_LOG_DB_PATH may name. */
  readonly db: string
  /** The directory of the sessions' NDJSON files, to rotate them as well. */
  readonly sessions?: string | undefined
  /** The directory of the archives. Default: `archive` next to the log. */
  readonly archive?: string | undefined
  /** Events older than this, in seconds, are moved. Default: 30 days, unless `maxBytes` is given. */
  readonly maxAge?: number | undefined
  /** The oldest events are moved until the database has at most this many bytes; the same for the files of the directory. */
  readonly maxBytes?: number | undefined
  /** Only report what would be moved. Default false. */
  readonly dryRun?: boolean | undefined
}

/** The options with their defaults. */
export interface RotationPlan {
  readonly db: string
  readonly archive: string
  readonly maxAge: number | undefined
  readonly maxBytes: number | undefined
  readonly dryRun: boolean
}

/** What a rotation moved, or would move, from a database, a file or a directory. */
export interface Rotated {
  /** The path of the log. */
  readonly of: string
  /** How many events were moved from a database. */
  readonly events?: number
  /** How many files were moved from a directory. */
  readonly files?: number
  /** The archives that were written: usually one for a database, one per file for a directory. */
  readonly archives: ReadonlyArray<string>
  /** Bytes in use before and after. */
  readonly before: number
  readonly after: number
  /** Why more than `maxBytes` is left. */
  readonly note?: string | undefined
}

/** Calls Node's file system. */
export const attempt = <A>(path: string, operation: FileOperation, use: () => A) =>
  Effect.try({ try: use, catch: FileError.from(path, operation) })

/** The temporary name of an archive; with the time of the rotation, in seconds, it belongs to one rotation only. */
export const partialPath = (path: string, seconds?: number): string =>
  seconds === undefined ? `${path}.partial` : `${path}.${Math.round(seconds * 1000)}.partial`

/** Errors name the archive, which the user knows. */
const unwritable = (path: string) => FileError.from(path.replace(/(\.\d+)?\.partial$/, ""), "write")

/** Writes texts to a file, compressed and synced; returns the SHA-256 of the file, in hexadecimal. */
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
      catch: (cause) => (failure.cause === undefined ? unwritable(path)(cause) : failure.cause)
    })
    return sha256
  })

/** Compresses a file that no process writes to any more; returns the SHA-256 of the archive, in hexadecimal. */
export const writeFile = (from: string, path: string) =>
  Effect.tryPromise({
    try: (signal) => compress(createReadStream(from), path, signal),
    catch: unwritable(path)
  })

/** The SHA-256 of a file, in hexadecimal. */
export const digest = (path: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const hash = createHash("sha256")
      await pipeline(createReadStream(path), hash, { signal })
      return hash.digest("hex")
    },
    catch: FileError.from(path, "read")
  })

/** Renames a complete archive to its final name. */
export const publish = (temporary: string, path: string) =>
  Effect.tryPromise({
    try: async () => {
      await rename(temporary, path)
      await syncDirectory(path)
    },
    catch: FileError.from(path, "write")
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
  await syncDirectory(path)
  return hash.digest("hex")
}

/** The name of a file is on disk when its directory is synced. Some file systems cannot do that; then the name is less safe. */
const syncDirectory = async (path: string): Promise<void> => {
  try {
    const directory = await open(dirname(path))
    await directory.sync().finally(() => directory.close())
  } catch {}
}
