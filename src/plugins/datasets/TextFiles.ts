/**
 * Text files on disk, for the datasets that are read from them: finding the files of paths and patterns, and reading their bytes.
 *
 * A path that exists is used literally, even if it contains pattern characters. A directory means the files with certain
 * extensions in it and below it. Anything else is a pattern (`*`, `**`, `?`, `[a-z]`, `{a,b}`). Patterns keep the order of the
 * list, files of one pattern come in natural order. A file counts once, at its first place, by whichever names it was found: two
 * patterns, a symbolic link to it or to a folder above it, a hard link.
 *
 * Files are read in full at every start: only their bytes decide whether they have changed, since sizes and times can stay the
 * same. Small files are read with one call each, several at a time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Dataset, DatasetError, type Document } from "../../core/Dataset.ts"
import * as FileFault from "../../core/data/FileFault.ts"
import { naturalOrder } from "../../core/data/NaturalOrder.ts"

/** A file of text that was found, with its size at that time. */
export interface TextFile extends Dataset.File {
  /** The same for all names of one file. */
  readonly key: string
}

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
    const files = distinct(yield* Effect.forEach(first.values(), measured, { concurrency: 16 }))
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

const measured = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* Effect.mapError(fs.stat(path), (cause) => unreadable(path, cause))
    const inode = Option.filter(info.ino, (inode) => inode > 0 && Number.isSafeInteger(inode))
    const key = yield* Option.match(inode, {
      // Slower: the system is asked for each folder of the path.
      onNone: () => Effect.mapError(fs.realPath(path), (cause) => unreadable(path, cause)),
      onSome: (inode) => Effect.succeed(`${info.dev}:${inode}`)
    })
    return { path, bytes: Number(info.size), key } satisfies TextFile
  })

/** The first of several names of one file. */
const distinct = (files: ReadonlyArray<TextFile>): ReadonlyArray<TextFile> => {
  const byKey = new Map<string, TextFile>()
  for (const file of files) if (!byKey.has(file.key)) byKey.set(file.key, file)
  return [...byKey.values()]
}

const unreadable = (path: string, cause: unknown): DatasetError =>
  new DatasetError({
    reason: "Unreadable",
    path,
    details: `cannot be read: ${FileFault.of(cause).details}.`,
    remedy: "Check that the file exists and that you have permission to read it."
  })

export const LINE_FEED = 0x0a
/** Bytes that are read at a time to count lines. */
const BLOCK = 1 << 20

/** A file of at most this many bytes is read with one call. */
const SMALL = 1 << 16
/** Small files that are read before their documents are taken. */
const TOGETHER = 256

/**
 * The documents of ranges, in order. A small file that is whole in its range is read at once and given to `whole`, others are read by
 * `parts`.
 */
export const documentsOf = <R>(
  ranges: ReadonlyArray<FileRange>,
  read: {
    readonly whole: (range: FileRange, bytes: Uint8Array) => Effect.Effect<ReadonlyArray<Document>, DatasetError, R>
    readonly parts: (range: FileRange) => Stream.Stream<Document, DatasetError, R>
  }
): Stream.Stream<Document, DatasetError, FileSystem.FileSystem | R> =>
  Stream.flatMap(Stream.fromIterable(batched(ranges)), (batch) =>
    batch.length === 1 && !isSmall(batch[0]!)
      ? read.parts(batch[0]!)
      : Stream.fromIterableEffect(
          Effect.map(
            Effect.forEach(
              batch,
              (range) => Effect.flatMap(readSmall(range.file), (bytes) => read.whole(range, bytes)),
              {
                concurrency: 16
              }
            ),
            (documents) => documents.flat()
          )
        )
  )

const isSmall = ({ end, file, start }: FileRange): boolean => start === 0 && end === file.bytes && file.bytes <= SMALL

/** Ranges in order: small ones together, each other one alone. */
const batched = (ranges: ReadonlyArray<FileRange>): ReadonlyArray<ReadonlyArray<FileRange>> => {
  const batches: Array<Array<FileRange>> = []
  let open: Array<FileRange> | undefined
  for (const range of ranges) {
    if (isSmall(range) && open !== undefined && open.length < TOGETHER) open.push(range)
    else {
      const batch = [range]
      batches.push(batch)
      open = isSmall(range) ? batch : undefined
    }
  }
  return batches
}

const readSmall = (file: TextFile) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const bytes = yield* Effect.mapError(fs.readFile(file.path), (cause) => unreadable(file.path, cause))
    return bytes.length < file.bytes ? yield* changed(file) : bytes.subarray(0, file.bytes)
  })

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
