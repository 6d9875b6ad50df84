/**
 * Text files on disk, for the datasets that are read from them: finding the files of paths and patterns, and reading their bytes.
 *
 * A path that exists is used literally, even if it contains pattern characters. A directory means the files with certain
 * extensions in it and below it. Anything else is a pattern (`*`, `**`, `?`, `[a-z]`, `{a,b}`). Patterns keep the order of the
 * list, files of one pattern come in natural order, and a file that is named twice counts once, at its first place.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Dataset, DatasetError } from "../../core/Dataset.ts"
import { naturalOrder } from "../../core/data/NaturalOrder.ts"

/** A file of text that was found, with its size at that time. */
export type TextFile = Dataset.File

/** A part of a file: bytes from `start` up to `end`. */
export interface FileRange {
  readonly file: TextFile
  readonly start: number
  readonly end: number
}

/** The files with at least one byte, in order. Fails when a pattern finds nothing or all that was found is empty. */
export const find = (
  patterns: ReadonlyArray<string>,
  extensions: ReadonlyArray<string> = [".txt"]
): Effect.Effect<ReadonlyArray<TextFile>, DatasetError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const found = (yield* Effect.forEach(patterns, (pattern) => findOne(pattern, extensions))).flat()
    const first = new Map<string, string>()
    for (const file of found) {
      const absolute = path.resolve(file)
      if (!first.has(absolute)) first.set(absolute, file)
    }
    const files = yield* Effect.forEach(first.values(), sized, { concurrency: 16 })
    const full = files.filter((file) => file.bytes > 0)
    if (full.length > 0) return full
    return yield* new DatasetError({
      reason: "Empty",
      path: patterns.join(", "),
      details: files.length === 1 ? "the file is empty." : `all ${files.length} files are empty.`,
      remedy: "Give files that contain text."
    })
  })

const findOne = (pattern: string, extensions: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const type = yield* fs.stat(pattern).pipe(
      Effect.map((info) => info.type),
      Effect.catchIf(
        (cause) => cause._tag === "SystemError" && cause.reason === "NotFound",
        () => Effect.succeed("Pattern" as const)
      ),
      Effect.mapError((cause) => unreadable(pattern, cause))
    )
    switch (type) {
      case "File":
        return [pattern]
      case "Directory": {
        const patterns = extensions.map((extension) => `**/*${extension}`)
        const inside = yield* glob(patterns, pattern)
        if (inside.length > 0) return inside.map((file) => path.join(pattern, file))
        return yield* new DatasetError({
          reason: "NotFound",
          path: pattern,
          details: `the directory has no ${extensions.join(" or ")} file in it or below it.`,
          remedy: `For other files give a pattern, such as '${path.join(pattern, "*.md")}'.`
        })
      }
      case "Pattern": {
        const matches = yield* glob(pattern)
        if (matches.length > 0) return matches
        return yield* new DatasetError({
          reason: "NotFound",
          path: pattern,
          details: `no file matches in ${path.resolve(".")}.`,
          remedy: "Check the spelling, or run the command in the directory that the path is relative to."
        })
      }
      default:
        return yield* new DatasetError({
          reason: "Unreadable",
          path: pattern,
          details: `is not a regular file (${type}).`,
          remedy: "Save its text to a regular file first."
        })
    }
  })

/** Matches in natural order: relative to `directory` where it is given, else as the pattern is written. */
const glob = (pattern: string | ReadonlyArray<string>, directory?: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const matches = yield* Effect.tryPromise({
      try: async () => {
        const tinyglobby = await import("tinyglobby")
        return tinyglobby.glob(pattern, {
          cwd: path.resolve(directory ?? "."),
          absolute: typeof pattern === "string" && path.isAbsolute(pattern),
          expandDirectories: false
        })
      },
      catch: (cause) => unreadable(directory ?? String(pattern), cause)
    })
    return matches.sort(naturalOrder)
  })

const sized = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* Effect.mapError(fs.stat(path), (cause) => unreadable(path, cause))
    return { path, bytes: Number(info.size) }
  })

const unreadable = (path: string, cause: unknown): DatasetError =>
  new DatasetError({
    reason: "Unreadable",
    path,
    details: `cannot be read (${reasonOf(cause)}).`,
    remedy: "Check that the file exists and that you have permission to read it."
  })

const reasonOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "reason") ? String(cause.reason) : String(cause)

export const LINE_FEED = 0x0a
/** Bytes that are read at a time to count lines. */
const BLOCK = 1 << 20

/** The bytes [start, end) of a file. */
export const readBytes = (file: TextFile, start: number, end: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const handle = yield* fs.open(file.path, { flag: "r" })
      yield* handle.seek(start, "start")
      const bytes = new Uint8Array(end - start)
      for (let filled = 0; filled < bytes.length; ) {
        const count = Number(yield* handle.read(bytes.subarray(filled)))
        if (count === 0) return yield* changed(file)
        filled += count
      }
      return bytes
    })
  ).pipe(Effect.mapError((cause) => (cause._tag === "DatasetError" ? cause : unreadable(file.path, cause))))

const changed = (file: TextFile) =>
  new DatasetError({
    reason: "Unreadable",
    path: file.path,
    details: `the file had ${file.bytes} bytes and became shorter while it was read.`,
    remedy: "Run again when no other program writes to it."
  })

/** The error for a byte that is not UTF-8, with its line. */
export const invalidText = (file: TextFile, offset: number, byte: number) =>
  Effect.gen(function* () {
    const line = 1 + (yield* countLineFeeds(file, offset))
    const first = yield* readBytes(file, 0, Math.min(2, file.bytes))
    const wide = (first[0] === 0xff && first[1] === 0xfe) || (first[0] === 0xfe && first[1] === 0xff)
    return yield* new DatasetError({
      reason: "InvalidText",
      path: file.path,
      line,
      details: `byte ${offset} (0x${byte.toString(16).padStart(2, "0")}) is not UTF-8 text.`,
      remedy: wide
        ? "The file is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`."
        : "Convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`, or leave it out."
    })
  })

/** Line feeds before a byte of a file. */
export const countLineFeeds = (file: TextFile, before: number) =>
  Effect.gen(function* () {
    let count = 0
    for (let start = 0; start < before; start += BLOCK) {
      for (const byte of yield* readBytes(file, start, Math.min(before, start + BLOCK)))
        if (byte === LINE_FEED) count += 1
    }
    return count
  })
