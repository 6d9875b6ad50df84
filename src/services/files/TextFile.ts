/**
 * Text files that are read whole and that others may have written: manifests, saved configs, a package.json. One that would fill the
 * memory is refused before it is read.
 */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Limits from "../../core/data/Limits.ts"

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
