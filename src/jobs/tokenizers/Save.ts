/**
 * Writes the files of a tokenizer so that a reader sees all of them or none, wherever that can be done.
 *
 * A folder of its own comes into being by one renaming; one that holds nothing but these files changes place with the new
 * one. A folder that holds other files keeps them: each file is then renamed into it. Nothing else is ever taken away.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Files of a tokenizer that could not be written. */
export class TokenizerFilesError extends Schema.TaggedError<TokenizerFilesError>()("TokenizerFilesError", {
  path: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.path}: the tokenizer could not be written: ${reason}. Check space and permissions.`
  }
}

export type Files = { readonly [fileName: string]: string }

/** Saves the files in a folder, which need not exist. An interruption waits for the end. */
export const saveTokenizer = (directory: string, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const parent = paths.dirname(paths.resolve(directory))
    yield* fs.makeDirectory(parent, { recursive: true })
    const temporary = yield* Effect.acquireRelease(
      fs.makeTempDirectory({ directory: parent, prefix: ".tokenizer." }),
      (path) => Effect.ignore(fs.remove(path, { recursive: true, force: true }))
    )
    const fresh = paths.join(temporary, "new")
    yield* fs.makeDirectory(fresh)
    for (const [name, content] of Object.entries(files)) {
      yield* fs.writeFileString(paths.join(fresh, name), content)
    }
    if (!(yield* fs.exists(directory))) return yield* fs.rename(fresh, directory)
    const present = yield* fs.readDirectory(directory)
    if (present.every((name) => Object.hasOwn(files, name))) {
      const old = paths.join(temporary, "old")
      yield* fs.rename(directory, old)
      return yield* fs.rename(fresh, directory).pipe(Effect.onError(() => Effect.ignore(fs.rename(old, directory))))
    }
    for (const name of Object.keys(files)) {
      yield* fs.rename(paths.join(fresh, name), paths.join(directory, name))
    }
  }).pipe(
    Effect.scoped,
    Effect.uninterruptible,
    Effect.mapError((cause) => new TokenizerFilesError({ path: directory, cause }))
  )

/** Fails where a folder could not be written, before there is anything to write. */
export const checkWritable = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    let place = paths.resolve(directory)
    while (!(yield* fs.exists(place)) && paths.dirname(place) !== place) place = paths.dirname(place)
    const { type } = yield* fs.stat(place)
    if (type !== "Directory") return yield* Effect.fail(new Error(`${place} is a ${kinds[type] ?? type}, not a folder`))
    yield* fs.access(place, { writable: true })
  }).pipe(Effect.mapError((cause) => new TokenizerFilesError({ path: directory, cause })))

const kinds: { readonly [type: string]: string } = { File: "file", CharacterDevice: "device", BlockDevice: "device" }
