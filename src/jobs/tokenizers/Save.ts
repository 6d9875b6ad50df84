/**
 * Writes the files of a tokenizer so that a reader sees all of them or none, wherever that can be done.
 *
 * A folder of its own comes into being by one renaming; one that holds nothing but these files changes place with the new
 * one. A folder that holds other files keeps them: each file is then renamed into it, as into one that cannot be moved: a
 * mounted one, the one that the process runs in, one in a folder of somebody else. Nothing else is ever taken away.
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

/** Saves the files in a folder, which need not exist; a link to one stays a link. An interruption waits for the end. */
export const saveTokenizer = (directory: string, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    if (!(yield* fs.exists(directory))) {
      const parent = paths.dirname(paths.resolve(directory))
      yield* fs.makeDirectory(parent, { recursive: true })
      return yield* fs.rename(yield* written(parent, files), directory)
    }
    const place = yield* fs.realPath(directory)
    const present = yield* fs.readDirectory(place)
    const movable = present.every((name) => Object.hasOwn(files, name)) && !within(place, paths.resolve("."), paths)
    yield* movable ? Effect.orElse(replace(place, files), () => fill(place, files)) : fill(place, files)
  }).pipe(
    Effect.scoped,
    Effect.uninterruptible,
    Effect.mapError((cause) => new TokenizerFilesError({ path: directory, cause }))
  )

/** A new folder with the files, below a temporary one in `parent`, which goes with the scope. */
const written = (parent: string, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const temporary = yield* Effect.acquireRelease(
      fs.makeTempDirectory({ directory: parent, prefix: ".tokenizer." }),
      (path) => Effect.ignore(fs.remove(path, { recursive: true, force: true }))
    )
    const fresh = paths.join(temporary, "new")
    yield* fs.makeDirectory(fresh)
    for (const [name, content] of Object.entries(files)) yield* fs.writeFileString(paths.join(fresh, name), content)
    return fresh
  })

const replace = (place: string, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const fresh = yield* written(paths.dirname(place), files)
    const old = paths.join(paths.dirname(fresh), "old")
    yield* fs.rename(place, old)
    yield* fs.rename(fresh, place).pipe(Effect.onError(() => Effect.ignore(fs.rename(old, place))))
  }).pipe(Effect.scoped)

const fill = (place: string, files: Files) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    // Inside the folder: from elsewhere, a renaming might cross from one file system to another.
    const fresh = yield* written(place, files)
    for (const name of Object.keys(files)) yield* fs.rename(paths.join(fresh, name), paths.join(place, name))
  }).pipe(Effect.scoped)

/** Whether `inner` is `folder` or lies in it. */
const within = (folder: string, inner: string, paths: Path.Path): boolean => {
  const [first] = paths.relative(folder, inner).split(paths.sep)
  return first !== ".."
}

/** Fails where a folder could not be written, before there is anything to write. */
export const checkWritable = (directory: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const failed = (cause: unknown) => new TokenizerFilesError({ path: directory, cause })
    const exists = (place: string) => Effect.mapError(fs.exists(place), failed)
    let place = paths.resolve(directory)
    while (!(yield* exists(place)) && paths.dirname(place) !== place) place = paths.dirname(place)
    const { type } = yield* Effect.mapError(fs.stat(place), failed)
    if (type !== "Directory") return yield* failed(`${place} is a ${kinds[type] ?? type}, not a folder`)
    yield* Effect.mapError(fs.access(place, { writable: true }), failed)
  })

const kinds: { readonly [type: string]: string } = { File: "file", CharacterDevice: "device", BlockDevice: "device" }
