/**
 * Moves old NDJSON files to the archive. Writers check before each batch whether the file still has its name, so a renamed file gets
 * at most the lines that were being written at that moment.
 *
 * A file is first renamed in its directory, to `<its name in the archive>.rotating`, then compressed into the archive, which may be
 * on another disk, then removed. The next rotation continues with files of such names that a killed one left.
 */
import { existsSync, linkSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { FileError } from "../../files/FileError.ts"
import type { Rotated, RotationPlan } from "./Archive.ts"
import * as Archive from "./Archive.ts"

interface SessionFile {
  readonly path: string
  readonly bytes: number
  /** Time of the last write, in seconds since 1970. */
  readonly written: number
}

/** A session with a write in the last hour is likely to be open. */
const liveSeconds = 3600

const rotating = ".rotating"

/** Moves files of sessions that have ended: by age, and the oldest while there are too many bytes. */
export const rotateDirectory = ({ archive, dryRun, maxAge, maxBytes }: RotationPlan, sessions: string, now: number) =>
  Effect.gen(function* () {
    const archives = dryRun ? [] : yield* recover(sessions, archive)
    const found = yield* Archive.attempt(sessions, "read", () => filesIn(sessions, ".ndjson"))
    const before = found.reduce((sum, { bytes }) => sum + bytes, 0)
    let after = before
    let files = archives.length
    for (const file of found) {
      const age = now - file.written
      const tooOld = maxAge !== undefined && age > maxAge
      const tooMuch = maxBytes !== undefined && after > maxBytes && age > liveSeconds
      if (!tooOld && !tooMuch) continue
      if (!dryRun) archives.push(yield* move(file.path, archive))
      after -= file.bytes
      files += 1
    }
    const note =
      !dryRun && maxBytes !== undefined && after > maxBytes
        ? "Sessions with events in the last hour are not moved."
        : undefined
    return { of: sessions, files, archives, before, after, note } satisfies Rotated
  })

/** Moves the file that all sessions share, as a whole. */
export const rotateFile = ({ archive, db, dryRun, maxAge, maxBytes }: RotationPlan, now: number) =>
  Effect.gen(function* () {
    const archives = dryRun ? [] : yield* recover(dirname(db), archive)
    const { mtimeMs, size } = yield* Archive.attempt(db, "read", () => statSync(db))
    const tooOld = maxAge !== undefined && now - mtimeMs / 1000 > maxAge
    const goes = tooOld || (maxBytes !== undefined && size > maxBytes)
    const files = archives.length + (goes ? 1 : 0)
    if (goes && !dryRun) archives.push(yield* move(db, archive))
    return { of: db, files, archives, before: size, after: goes ? 0 : size } satisfies Rotated
  })

/** Oldest first. */
const filesIn = (directory: string, ending: string): ReadonlyArray<SessionFile> =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith(ending))
        .flatMap((name) => {
          const path = join(directory, name)
          const stat = statSync(path, { throwIfNoEntry: false })
          return stat?.isFile() ? [{ path, bytes: stat.size, written: stat.mtimeMs / 1000 }] : []
        })
        .sort((one, other) => one.written - other.written)
    : []

/** Renames a file, so that writers begin a new one, then compresses it. If that fails, it gets its name back unless there is a new one. */
const move = (path: string, archive: string) =>
  Effect.gen(function* () {
    const moved = yield* Archive.attempt(path, "write", () => {
      const free = join(dirname(path), `${freeName(archive, dirname(path), basename(path))}${rotating}`)
      renameSync(path, free)
      return free
    })
    return yield* compress(moved, archive).pipe(
      Effect.onError(() =>
        Effect.ignore(
          Archive.attempt(path, "write", () => {
            linkSync(moved, path)
            rmSync(moved)
          })
        )
      )
    )
  })

/** Archives the files that a killed rotation has renamed. */
const recover = (directory: string, archive: string) =>
  Effect.gen(function* () {
    const archives: Array<string> = []
    for (const { path } of yield* Archive.attempt(directory, "read", () => filesIn(directory, `.ndjson${rotating}`)))
      archives.push(yield* compress(path, archive))
    return archives
  })

const compress = (path: string, directory: string) =>
  Effect.gen(function* () {
    const name = basename(path, rotating)
    const usual = join(directory, `${name}.gz`)
    const earlier = existsSync(usual)
    const archive = earlier ? join(directory, `${freeName(directory, dirname(path), name)}.gz`) : usual
    const sha256 = yield* compressComplete(path, archive)
    const remove = Archive.attempt(path, "remove", () => rmSync(path, { force: true }))
    if (earlier && (yield* Archive.digest(usual)) === sha256) {
      // The rotation was killed between its last two steps.
      yield* removePartial(archive)
      yield* remove
      return usual
    }
    yield* Effect.uninterruptible(Effect.zipRight(Archive.publish(Archive.partialPath(archive), archive), remove))
    return archive
  })

/** Compresses again if the file grew: a writer that had opened it before the rename wrote to it. */
const compressComplete = (path: string, archive: string): Effect.Effect<string, FileError> =>
  Effect.gen(function* () {
    const { size } = yield* Archive.attempt(path, "read", () => statSync(path))
    const sha256 = yield* Archive.writeFile(path, Archive.partialPath(archive)).pipe(
      Effect.onError(() => Effect.ignore(removePartial(archive)))
    )
    return (yield* Archive.attempt(path, "read", () => statSync(path))).size === size
      ? sha256
      : yield* compressComplete(path, archive)
  })

const removePartial = (archive: string) => {
  const partial = Archive.partialPath(archive)
  return Archive.attempt(partial, "remove", () => rmSync(partial, { force: true }))
}

/** `<session>.ndjson`, with a number if a session of that name was archived before. */
const freeName = (archive: string, directory: string, name: string): string => {
  const stem = name.replace(/\.ndjson$/, "")
  for (let n = 1; ; n++) {
    const free = `${stem}${n === 1 ? "" : `.${n}`}.ndjson`
    if (!existsSync(join(archive, `${free}.gz`)) && !existsSync(join(directory, `${free}${rotating}`))) return free
  }
}
