/**
 * Text files that are read whole and that others may have written: manifests, saved configs, a package.json. One that would fill the
 * memory is refused before it is read. A manifest that cannot be read is set aside: it must neither block work nor get lost.
 */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Limits from "../../core/data/Limits.ts"
import { FileError } from "./FileError.ts"

/** Reads a text file of at most `Limits.jsonBytes`. */
export const read = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string, PlatformError> =>
  Effect.gen(function* () {
    const { size } = yield* fs.stat(path)
    if (size > Limits.jsonBytes) {
      return yield* new SystemError({
        reason: "InvalidData",
        module: "FileSystem",
        method: "readFileString",
        pathOrDescriptor: path,
        description: `it is larger than ${Limits.jsonBytes / 2 ** 20} MiB`
      })
    }
    return yield* fs.readFileString(path)
  })

/** A time in a file name: `20261127-181530123`. */
export const stamp = (time: DateTime.DateTime): string =>
  DateTime.formatIso(time).replace(/[-:.]/g, "").replace("T", "-").slice(0, 18)

/** Renames a manifest to `manifest.<time>.json`, and names both files in a warning. `reason` says why it cannot be read. */
export const setAside = (
  path: string,
  reason: string
): Effect.Effect<void, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { ext, ...parsed } = (yield* Path.Path).parse(path)
    const aside = (yield* Path.Path).join(parsed.dir, `${parsed.name}.${stamp(yield* DateTime.now)}${ext}`)
    yield* Effect.mapError(fs.rename(path, aside), FileError.from(path, "write"))
    yield* Effect.logWarning(`${path} could not be read: ${reason}. It is now ${aside}, and a new manifest begins.`)
  })
