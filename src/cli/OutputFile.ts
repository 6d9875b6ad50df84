/**
 * A file that a command writes piece by piece. It appears when all of it is on disk; a command that fails or is interrupted leaves
 * nothing behind. A file that ends in `.gz` is compressed.
 */
import type { Stats } from "node:fs"
import { open as openFile, realpath, stat } from "node:fs/promises"
import { finished, pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AtomicFiles from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"

/** What may be replaced. */
export interface Options {
  /** Whether to replace an existing file. */
  readonly force: boolean
  /** Files that are never replaced: those of the log. */
  readonly keep: ReadonlyArray<string>
}

/** A file that is being written. */
export interface OutputFile {
  /** Returns when the text is accepted, which a slow disk delays. */
  readonly write: (text: string) => Effect.Effect<void, FileError>
  /** Gives the file its name. Without it nothing is kept. */
  readonly finish: Effect.Effect<void, FileError>
}

/** Fails for a path that may not be written: an existing file without `force`, a directory, a device, the log. */
export const create = (
  path: string,
  options: Options
): Effect.Effect<OutputFile, FileError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const failed = FileError.from(path, "write")
    yield* check(path, options)
    const { path: temporary, publish } = yield* AtomicFiles.stageFile(path)
    const target = yield* Effect.promise(() => realpath(path).catch(() => path))
    const { input, closed } = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => open(temporary, /\.gz$/i.test(target)), catch: failed }),
      ({ file, closed }) =>
        Effect.promise(async () => {
          file.destroy()
          await closed.catch(() => {})
        })
    )
    return {
      write: (text) =>
        Effect.async((resume) => {
          input.write(text, (error) => {
            if (!error) return resume(Effect.void)
            // The stream only knows that it was closed; the file knows why.
            closed.then(
              () => resume(failed(error)),
              (cause) => resume(failed(cause))
            )
          })
        }),
      finish: Effect.zipRight(
        Effect.tryPromise({
          try: async () => {
            input.end()
            await closed
          },
          catch: failed
        }),
        publish()
      )
    }
  })

const check = (path: string, { force, keep }: Options): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    const existing = yield* statOf(path)
    if (existing === undefined) return
    const refuse = (details: string, remedy: string) =>
      new FileError({ path, operation: "write", code: "EEXIST", details, remedy })
    if (existing.isDirectory()) return yield* refuse("it is a directory", "Name a file in it.")
    if (!existing.isFile()) {
      return yield* refuse("it is not a regular file", "Remove --output, and redirect stdout to it.")
    }
    const kept = yield* Effect.forEach(keep, statOf)
    if (kept.some((other) => other?.ino === existing.ino && other.dev === existing.dev))
      return yield* refuse("it is the log itself", "Choose another path.")
    if (!force) {
      return yield* refuse(
        "there is already a file of that name",
        "Choose another path, or replace the file with --force."
      )
    }
  })

/** Follows links; undefined if there is no file. */
const statOf = (path: string): Effect.Effect<Stats | undefined, FileError> =>
  Effect.tryPromise({ try: () => stat(path), catch: FileError.from(path, "write") }).pipe(
    Effect.catchIf(
      ({ code }) => code === "ENOENT",
      () => Effect.succeed(undefined)
    )
  )

/** The stream to write to, the file that it ends in, and a promise for the end of that file. */
const open = async (temporary: string, compressed: boolean) => {
  const file = (await openFile(temporary, "wx")).createWriteStream()
  const gzip = compressed ? createGzip() : undefined
  const closed = Promise.all([finished(file), gzip === undefined ? undefined : pipeline(gzip, file)])
  // `finish` and the release wait for it.
  closed.catch(() => {})
  return { file, input: gzip ?? file, closed }
}
