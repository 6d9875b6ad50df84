/**
 * Files and directories that appear whole: a reader sees the old content or the new, whatever happens to the writer.
 *
 *     yield* AtomicFiles.writeFile("manifest.json", text)
 *     yield* AtomicFiles.writeDirectory("step-00000100", (temporary) => …)
 *
 * Content is written under a temporary sibling name, synced and renamed; then the parent is synced. POSIX cannot exchange
 * two directories, so one that is replaced is first moved aside: for the moment between the two renames only `current` finds it.
 * It is removed when the new one is in place and synced. The next writer to the same parent removes or restores what killed ones left.
 *
 *     .step-00000100.0a1b2c3d.codex-new     being written
 *     .step-00000100.0a1b2c3d.codex-old     moved aside
 */
import { randomBytes } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { FileError } from "./FileError.ts"

/** What is written piece by piece under a temporary name. It is removed with the scope unless it was published. */
export interface Staged {
  /** The temporary sibling to write to. A directory exists already, a file does not. */
  readonly path: string
  /**
   * Syncs what was written and gives it its name, in place of what has it. Where `keep` says of a directory in its place
   * that it is good, that one stays and the new one is dropped. An interruption waits for the end.
   */
  readonly publish: (options?: { readonly keep?: Effect.Effect<boolean> }) => Effect.Effect<void, FileError>
}

/** Stages a file. A symbolic link is kept; the file that it points to is replaced. */
export const stageFile = (
  path: string
): Effect.Effect<Staged, FileError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const target = yield* Effect.orElseSucceed(fs.realPath(path), () => path)
    yield* removeAbandoned(paths.dirname(target))
    const temporary = yield* acquire(sibling(paths, target, "new"), () => Effect.void)
    const publish = Effect.gen(function* () {
      yield* sync(fs, temporary)
      yield* fs.rename(temporary, target)
      yield* syncDirectory(fs, paths.dirname(target))
    })
    return {
      path: temporary,
      publish: () => publish.pipe(Effect.uninterruptible, Effect.mapError(FileError.from(path, "write")))
    }
  })

/** Stages a directory; its parents are created. Only files directly inside are expected to be synced by the caller. */
export const stageDirectory = (
  path: string
): Effect.Effect<Staged, FileError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const parent = paths.dirname(paths.resolve(path))
    const temporary = yield* acquire(sibling(paths, path, "new"), (temporary) =>
      fs
        .makeDirectory(parent, { recursive: true })
        .pipe(Effect.zipRight(removeAbandoned(parent)), Effect.zipRight(fs.makeDirectory(temporary)))
    ).pipe(Effect.mapError(FileError.from(path, "write")))

    /** What was moved aside and is not back in its place. */
    const asides = new Set<string>()
    /** Puts the new directory in place of another one, which is moved aside first and comes back if that fails. */
    const replace = Effect.gen(function* () {
      const aside = sibling(paths, path, "old")
      // A rename does not change times, so this sets the time from which the age of the directory is counted.
      const now = (yield* Clock.currentTimeMillis) / 1000
      yield* fs.utimes(path, now, now)
      yield* fs.rename(path, aside)
      asides.add(aside)
      // It cannot come back if another writer was faster, and then it need not.
      const restore = Effect.map(fs.rename(aside, path), () => asides.delete(aside))
      yield* Effect.onError(fs.rename(temporary, path), () => Effect.ignore(restore))
      yield* syncDirectory(fs, parent)
    })
    const publish = (keep: Effect.Effect<boolean>) =>
      Effect.matchEffect(fs.rename(temporary, path), {
        onSuccess: () => syncDirectory(fs, parent),
        onFailure: (error) =>
          Effect.gen(function* () {
            if (!(yield* fs.exists(path))) return yield* error
            if (!(yield* keep)) yield* replace
          })
      }).pipe(
        // Another writer may move a directory away or put its own there in between: there may be many.
        Effect.retry({ times: 50 }),
        Effect.zipRight(
          Effect.suspend(() =>
            Effect.forEach(asides, (aside) => Effect.ignore(fs.remove(aside, { recursive: true, force: true })))
          )
        )
      )
    return {
      path: temporary,
      publish: ({ keep = Effect.succeed(false) } = {}) =>
        Effect.zipRight(syncDirectory(fs, temporary), publish(keep)).pipe(
          Effect.uninterruptible,
          Effect.mapError(FileError.from(path, "write"))
        )
    }
  })

/** Writes a file whose directory exists. The pieces are written one after the other. */
export const writeFile = (
  path: string,
  content: string | ReadonlyArray<Uint8Array>
): Effect.Effect<void, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const staged = yield* stageFile(path)
    yield* Effect.mapError(writeSynced(staged.path, content), FileError.from(path, "write"))
    yield* staged.publish()
  }).pipe(Effect.scoped, Effect.uninterruptible)

/** Fills a directory under a temporary name, with `write` and `writeSynced`, and puts it in place. Parents are created. */
export const writeDirectory = <A, E, R>(
  path: string,
  write: (temporary: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | FileError, Exclude<R, Scope.Scope> | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const staged = yield* stageDirectory(path)
    const result = yield* write(staged.path)
    yield* staged.publish()
    return result
  }).pipe(Effect.scoped)

/**
 * Writes a set of files into a directory, which need not exist; a symbolic link to one stays a link. A reader sees all of the
 * new files or none, wherever that is possible: a directory that holds nothing else is replaced as a whole. One that holds
 * other files keeps them, and each file is renamed into it, as into one that cannot be moved: a mount point, the working
 * directory, or one whose parent is not writable. Nothing else is removed. An interruption waits for the end.
 */
export const writeFiles = (
  directory: string,
  files: { readonly [fileName: string]: string }
): Effect.Effect<void, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const fill = (place: string) =>
      Effect.forEach(Object.entries(files), ([name, content]) => writeSynced(paths.join(place, name), content), {
        discard: true
      })
    if (!(yield* fs.exists(directory))) return yield* writeDirectory(directory, fill)
    const place = yield* fs.realPath(directory)
    const [first] = paths.relative(place, paths.resolve(".")).split(paths.sep)
    const holdsWorkingDirectory = first !== ".."
    const present = yield* fs.readDirectory(place)
    const others = present.some((name) => !Object.hasOwn(files, name) && !temporaryName.test(name))
    // Inside the directory: from elsewhere, a rename might cross file systems.
    const renameEach = Effect.gen(function* () {
      const { path } = yield* stageDirectory(paths.join(place, "files"))
      yield* fill(path)
      for (const name of Object.keys(files)) yield* fs.rename(paths.join(path, name), paths.join(place, name))
      yield* syncDirectory(fs, place)
    }).pipe(Effect.scoped)
    yield* others || holdsWorkingDirectory ? renameEach : Effect.orElse(writeDirectory(place, fill), () => renameEach)
  }).pipe(Effect.uninterruptible, Effect.mapError(FileError.from(directory, "write")))

/** Fails if a directory cannot be created or written, before there is anything to write. */
export const checkWritable = (directory: string): Effect.Effect<void, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    let place = paths.resolve(directory)
    // For a path through a file, the system reports an error instead of `false`.
    const exists = (place: string) => Effect.orElseSucceed(fs.exists(place), () => false)
    while (!(yield* exists(place)) && paths.dirname(place) !== place) place = paths.dirname(place)
    if ((yield* fs.stat(place)).type !== "Directory") {
      const details = `${place} is not a directory`
      return yield* new FileError({ path: directory, operation: "write", details, remedy: "Choose another directory." })
    }
    yield* fs.access(place, { writable: true })
  }).pipe(Effect.mapError(FileError.from(directory, "write")))

/** Writes a new file and syncs it: for the files of a staged directory. */
export const writeSynced = (path: string, content: string | ReadonlyArray<Uint8Array>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(path, { flag: "wx" })
    const pieces = typeof content === "string" ? [new TextEncoder().encode(content)] : content
    // writeAll treats an empty piece as a disk that accepts nothing.
    for (const piece of pieces) if (piece.length > 0) yield* file.writeAll(piece)
    yield* file.sync
  }).pipe(Effect.scoped)

/** The directory of this path or, where a writer was killed while it replaced it, the one that was moved aside. */
export const current = (
  path: string
): Effect.Effect<Option.Option<string>, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    if (yield* fs.exists(path)) return Option.some(path)
    const parent = paths.dirname(paths.resolve(path))
    const names = (yield* fs.exists(parent)) ? yield* fs.readDirectory(parent) : []
    const aside = names.find((name) => movedAside(name) === paths.basename(path))
    return Option.fromNullable(aside && paths.join(paths.dirname(path), aside))
  }).pipe(Effect.mapError(FileError.from(path, "read")))

/** The name that a directory had before it was moved aside; undefined for every other name. */
export const movedAside = (name: string): string | undefined => {
  const [, target, kind] = temporaryName.exec(name) ?? []
  return kind === "old" ? target : undefined
}

/** A writer that has not written for this long is considered dead. */
const ABANDONED_MILLIS = 3_600_000

/** Removes a directory that may not exist. It gets a temporary name first, so no reader sees a part of it. */
export const removeDirectory = (path: string): Effect.Effect<void, FileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const temporary = sibling(yield* Path.Path, path, "new")
    if (!(yield* fs.exists(path))) return
    yield* fs.rename(path, temporary)
    yield* fs.remove(temporary, { recursive: true, force: true })
  }).pipe(Effect.uninterruptible, Effect.mapError(FileError.from(path, "remove")))

/**
 * Removes what killed writers left in a directory an hour ago or earlier, and restores what they had moved aside and not
 * replaced. A writer that is at work writes more often than that; where there is none, `olderThan` may be any time, in
 * milliseconds. Nothing is reported.
 */
export const removeAbandoned = (
  directory: string,
  olderThan: number = ABANDONED_MILLIS
): Effect.Effect<void, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const now = yield* Clock.currentTimeMillis
    const tidy = (name: string) =>
      Effect.gen(function* () {
        const path = paths.join(directory, name)
        if (now - (yield* lastChange(fs, paths, path)) < olderThan) return
        const target = movedAside(name)
        if (target === undefined || (yield* fs.exists(paths.join(directory, target)))) {
          yield* fs.remove(path, { recursive: true, force: true })
        } else {
          yield* fs.rename(path, paths.join(directory, target))
        }
      }).pipe(Effect.ignore)
    const names = yield* fs.readDirectory(directory)
    yield* Effect.forEach(
      names.filter((name) => temporaryName.test(name)),
      tidy,
      { discard: true }
    )
  }).pipe(Effect.ignore)

const temporaryName = /^\.(.+)\.[0-9a-f]{8}\.codex-(new|old)$/

const sibling = (paths: Path.Path, path: string, kind: "new" | "old") =>
  paths.join(paths.dirname(path), `.${paths.basename(path)}.${randomBytes(4).toString("hex")}.codex-${kind}`)

/** A temporary path that is created with `create` and removed with the scope; once renamed there is nothing to remove. */
const acquire = <E, R>(temporary: string, create: (temporary: string) => Effect.Effect<void, E, R>) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.acquireRelease(Effect.as(create(temporary), temporary), () =>
      Effect.ignore(fs.remove(temporary, { recursive: true, force: true }))
    )
  )

const sync = (fs: FileSystem.FileSystem, path: string) =>
  Effect.scoped(Effect.flatMap(fs.open(path), (handle) => handle.sync))

/** Syncs the names in a directory, on the file systems where that is possible and allowed. */
const syncDirectory = (fs: FileSystem.FileSystem, path: string) =>
  Effect.catchIf(
    sync(fs, path),
    (error) => unsupported.has(FileError.from(path, "write")(error).code ?? ""),
    () => Effect.void
  )

const unsupported = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EISDIR", "EBADF", "EPERM", "EACCES"])

/** Time of the last change of a file, or of a directory and the files directly in it, in milliseconds. */
const lastChange = (fs: FileSystem.FileSystem, paths: Path.Path, path: string) =>
  Effect.gen(function* () {
    const { mtime, type } = yield* fs.stat(path)
    const inside = type === "Directory" ? yield* fs.readDirectory(path) : []
    const times = yield* Effect.forEach(inside, (name) =>
      Effect.map(fs.stat(paths.join(path, name)), (info) => info.mtime)
    )
    return Math.max(...[mtime, ...times].map(Option.match({ onNone: () => 0, onSome: (time) => time.getTime() })))
  })
