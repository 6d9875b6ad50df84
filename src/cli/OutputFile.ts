/**
 * A file that a command writes piece by piece: under a temporary name beside it, renamed when all of it is on the disk. With
 * `.gz` at its end it is compressed. What is interrupted or fails leaves nothing behind.
 */
import { randomBytes } from "node:crypto"
import type { Stats } from "node:fs"
import { open as openFile, realpath, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { finished, pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** A file that was not written; what was there is as it was. */
export class OutputFileError extends Schema.TaggedError<OutputFileError>()("OutputFileError", {
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
  /** Whether a file that is there already is replaced. */
  readonly force: boolean
  /** Files that never are. */
  readonly keep: ReadonlyArray<string>
}

export interface OutputFile {
  /** Ends when the text is taken; a full disk or a slow one is felt here. */
  readonly write: (text: string) => Effect.Effect<void, OutputFileError>
  /** Gives the file its name. Without it nothing is kept. */
  readonly finish: Effect.Effect<void, OutputFileError>
}

/** Never replaces what is no regular file. */
export const create = (path: string, options: Options): Effect.Effect<OutputFile, OutputFileError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* check(path, options)
    // A link goes on leading to its file, which is the one that is replaced.
    const target = yield* Effect.promise(() => realpath(path).catch(() => path))
    const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString("hex")}.tmp`)
    const { input, closed } = yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => open(temporary, target), catch: failed(path) }),
      ({ file, closed }) =>
        Effect.promise(async () => {
          file.destroy()
          await closed.catch(() => {})
          await rm(temporary, { force: true })
        })
    )
    return {
      write: (text) =>
        Effect.async((resume) => {
          input.write(text, (error) => {
            if (!error) return resume(Effect.void)
            // The stream that is written to knows only that it was closed; the file knows why.
            closed.then(
              () => resume(failed(path)(error)),
              (cause) => resume(failed(path)(cause))
            )
          })
        }),
      finish: Effect.tryPromise({
        try: async () => {
          input.end()
          await closed
          await rename(temporary, target)
        },
        catch: failed(path)
      })
    }
  })

const check = (path: string, { force, keep }: Options): Effect.Effect<void, OutputFileError> =>
  Effect.gen(function* () {
    const found = yield* look(path)
    if (found === undefined) return
    const refuse = (details: string, remedy: string) => new OutputFileError({ path, details, remedy })
    if (found.isDirectory()) return yield* refuse("is a folder.", "Name a file in it.")
    if (!found.isFile()) return yield* refuse("is no regular file.", "Leave --output out, and redirect stdout to it.")
    const kept = yield* Effect.forEach(keep, look)
    if (kept.some((other) => other?.ino === found.ino && other.dev === found.dev))
      return yield* refuse("is the log itself.", "Choose another --output.")
    if (!force) return yield* refuse("is there already.", "Choose another --output, or replace it with --force.")
  })

/** What the path leads to, links followed; undefined where that is nothing. */
const look = (path: string): Effect.Effect<Stats | undefined, OutputFileError> =>
  Effect.tryPromise({ try: () => stat(path), catch: failed(path) }).pipe(
    Effect.catchIf(
      (error) => codeOf(error.cause) === "ENOENT",
      () => Effect.succeed(undefined)
    )
  )

/** The stream to write to, the file that it ends in, and a promise of that file's end, on the disk. */
const open = async (temporary: string, target: string) => {
  const file = (await openFile(temporary, "wx")).createWriteStream({ flush: true })
  const gzip = /\.gz$/i.test(target) ? createGzip() : undefined
  const closed = Promise.all([finished(file), gzip === undefined ? undefined : pipeline(gzip, file)])
  // It is waited for later.
  closed.catch(() => {})
  return { file, input: gzip ?? file, closed }
}

const failed =
  (path: string) =>
  (cause: unknown): OutputFileError => {
    const [details, remedy] = sayings.get(codeOf(cause)) ?? [
      `cannot be written (${cause instanceof Error ? cause.message : String(cause)}).`,
      "Choose another --output."
    ]
    return new OutputFileError({ path, details, remedy, cause })
  }

const sayings: ReadonlyMap<string, readonly [details: string, remedy: string]> = new Map([
  ["ENOENT", ["its folder is not there.", "Make the folder, or choose another --output."]],
  ["ENOTDIR", ["its folder is no folder.", "Choose another --output."]],
  ["ENOSPC", ["the disk is full.", "Make room, or choose another --output."]],
  ["EACCES", ["may not be written.", "Check the permissions of its folder, or choose another --output."]],
  ["EROFS", ["may not be written.", "The file system is read-only; choose another --output."]]
])

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""
