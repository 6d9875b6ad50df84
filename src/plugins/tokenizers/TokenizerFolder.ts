/**
 * Finds and reads the files of a saved tokenizer. Every failure is a TokenizerFileError that says what to do.
 *
 * Text must be UTF-8: with U+FFFD in place of invalid bytes, a tokenizer would silently give other ids. A byte order mark is
 * removed.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FileFault from "../../core/data/FileFault.ts"
import * as Limits from "../../core/data/Limits.ts"
import * as Utf8 from "../../core/data/Utf8.ts"
import { TokenizerFileError } from "../../core/Tokenizer.ts"

const fail = (path: string, details: string, remedy: string) =>
  new TokenizerFileError({ path, key: "", details, remedy })

const unreadable = (path: string, error: PlatformError, remedy: string): TokenizerFileError =>
  error._tag === "SystemError" && error.reason === "NotFound"
    ? fail(path, "does not exist.", remedy)
    : fail(path, `cannot be read: ${FileFault.of(error).details}.`, remedy)

/** The path itself if it is a file. In a directory, the first of these files that exists. */
export const locate = (
  path: string,
  names: Arr.NonEmptyReadonlyArray<string>,
  remedy: string
): Effect.Effect<string, TokenizerFileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { join } = yield* Path.Path
    const info = yield* Effect.mapError(fs.stat(path), (error) => unreadable(path, error, remedy))
    if (info.type !== "Directory") return path
    for (const name of names) {
      if (yield* Effect.orElseSucceed(fs.exists(join(path, name)), () => false)) return join(path, name)
    }
    return yield* fail(path, `is a directory without ${names.join(" or ")}.`, remedy)
  })

/** The bytes of a file that is not empty. */
export const readBytes = (
  path: string,
  remedy: string
): Effect.Effect<Uint8Array, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { size } = yield* Effect.mapError(fs.stat(path), (error) => unreadable(path, error, remedy))
    if (size > Limits.tokenizerBytes) {
      return yield* fail(path, `is larger than ${Limits.tokenizerBytes / 2 ** 20} MiB.`, remedy)
    }
    const bytes = yield* Effect.mapError(fs.readFile(path), (error) => unreadable(path, error, remedy))
    return bytes.length === 0 ? yield* fail(path, "is empty.", remedy) : bytes
  })

/** The text of a file that is not empty. */
export const readText = (
  path: string,
  remedy: string
): Effect.Effect<string, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.flatMap(readBytes(path, remedy), (bytes) => {
    if (bytes.indexOf(0) >= 0) return fail(path, "is a binary file, not text.", remedy)
    return Either.match(Utf8.decode(bytes), {
      onLeft: (offset) => fail(path, `is not UTF-8 (byte ${offset}).`, remedy),
      onRight: (text) => Effect.succeed(text.replace(/^\uFEFF/, ""))
    })
  })

/** The text of a file, or undefined if it does not exist. */
export const readOptional = (
  path: string,
  remedy: string
): Effect.Effect<string | undefined, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = yield* Effect.mapError(fs.exists(path), (error) => unreadable(path, error, remedy))
    return exists ? yield* readText(path, remedy) : undefined
  })
