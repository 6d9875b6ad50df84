/**
 * Finds the files that a list of paths and patterns names.
 *
 * A path that exists is taken as it stands, whatever characters it has; a folder stands for the files of certain extensions
 * (.txt) in it and below it; anything else is a pattern (`*`, `**`, `?`, `[a-z]`, `{a,b}`). Patterns keep the order of the list, files of one
 * pattern come in natural order, and a file that was named twice counts once, at its first place.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { DatasetError } from "../../../core/Dataset.ts"
import * as NaturalOrder from "./NaturalOrder.ts"

export interface TextFile {
  readonly path: string
  readonly bytes: number
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
      remedy: "Name files that hold text."
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
          details: `the folder has no ${extensions.join(" or ")} file in it or below it.`,
          remedy: `For other files name a pattern, such as '${path.join(pattern, "*.md")}'.`
        })
      }
      case "Pattern": {
        const matches = yield* glob(pattern)
        if (matches.length > 0) return matches
        return yield* new DatasetError({
          reason: "NotFound",
          path: pattern,
          details: `no file matches in ${path.resolve(".")}.`,
          remedy: "Check the spelling, or run the command in the folder that the path starts from."
        })
      }
      default:
        return yield* new DatasetError({
          reason: "Unreadable",
          path: pattern,
          details: `is a ${type}, not a file.`,
          remedy: "Save its text as a file first."
        })
    }
  })

/** Matches in natural order: relative to `folder` where it is given, else as the pattern is written. */
const glob = (pattern: string | ReadonlyArray<string>, folder?: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const matches = yield* Effect.tryPromise({
      try: async () => {
        const tinyglobby = await import("tinyglobby")
        return tinyglobby.glob(pattern, {
          cwd: path.resolve(folder ?? "."),
          absolute: typeof pattern === "string" && path.isAbsolute(pattern),
          expandDirectories: false
        })
      },
      catch: (cause) => unreadable(folder ?? String(pattern), cause)
    })
    return matches.sort(NaturalOrder.compare)
  })

const sized = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* Effect.mapError(fs.stat(path), (cause) => unreadable(path, cause))
    return { path, bytes: Number(info.size) }
  })

export const unreadable = (path: string, cause: unknown): DatasetError =>
  new DatasetError({
    reason: "Unreadable",
    path,
    details: `cannot be read (${reasonOf(cause)}).`,
    remedy: "Check that the file is there and that you may read it."
  })

const reasonOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "reason" in cause ? String(cause.reason) : String(cause)
