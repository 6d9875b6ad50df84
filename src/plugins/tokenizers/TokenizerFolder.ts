/**
 * Files of a saved tokenizer: found in a folder, and read with every failure a TokenizerFileError that says what to do.
 *
 * Text is UTF-8 without exceptions: bytes that are not are refused, since a tokenizer read with U+FFFD in their place would
 * give other ids without a word. A byte order mark is left out.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { TokenizerFileError } from "../../core/Tokenizer.ts"

const fail = (path: string, details: string, remedy: string) =>
  new TokenizerFileError({ path, key: "", details, remedy })

const unreadable = (path: string, error: PlatformError, remedy: string): TokenizerFileError =>
  error._tag === "SystemError" && error.reason === "NotFound"
    ? fail(path, "does not exist.", remedy)
    : fail(path, `cannot be read (${error._tag === "SystemError" ? error.reason : error.message}).`, remedy)

/** The path itself when it is a file; in a folder the first of these files that is there. */
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
    return yield* fail(path, `is a folder without ${names.join(" or ")}.`, remedy)
  })

export const readBytes = (
  path: string,
  remedy: string
): Effect.Effect<Uint8Array, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
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
    return Effect.try({
      try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      catch: () => fail(path, `is not UTF-8 (${place(bytes)}).`, remedy)
    })
  })

const isUtf8 = (bytes: Uint8Array, options: { readonly stream: boolean }): boolean => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, options)
    return true
  } catch {
    return false
  }
}

/** Where the first bytes stand that are no UTF-8, by halving. */
const place = (bytes: Uint8Array): string => {
  let valid = 0
  let invalid = bytes.length
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1
    if (isUtf8(bytes.subarray(0, middle), { stream: true })) valid = middle
    else invalid = middle
  }
  // What may still have become a character, had it gone on, is part of the fault.
  while (!isUtf8(bytes.subarray(0, valid), { stream: false })) valid--
  return `byte ${valid}`
}

/** The text of a file, or undefined when there is none of that name. */
export const readOptional = (
  path: string,
  remedy: string
): Effect.Effect<string | undefined, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = yield* Effect.mapError(fs.exists(path), (error) => unreadable(path, error, remedy))
    return exists ? yield* readText(path, remedy) : undefined
  })
