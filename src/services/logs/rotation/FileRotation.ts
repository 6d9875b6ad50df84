/**
 * Moves old NDJSON files to the archive. Who writes one looks before each batch whether it still has its name, so a file that was
 * renamed gets no more lines but those that were on their way.
 *
 * A file is first renamed where it is, to `<its name in the archive>.rotating`, then compressed into the archive, which may be on
 * another disk, then removed. What a killed rotation left under such a name goes on from there in the next one.
 */
import { existsSync, linkSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Rotated, RotateOptions } from "./Archive.ts"
import * as Archive from "./Archive.ts"

interface Found {
  readonly path: string
  readonly bytes: number
  /** Of the last write, in seconds since 1970. */
  readonly written: number
}

/** A session that was written to since is likely to go on. */
const live = 3600

const rotating = ".rotating"

/** Files of the folder whose sessions are over: by age, and the oldest while there are too many bytes. */
export const rotateFolder = ({ archive, dryRun, maxAge, maxBytes }: RotateOptions, sessions: string, now: number) =>
  Effect.gen(function* () {
    const archives = dryRun ? [] : yield* recover(sessions, archive)
    const found = yield* Archive.attempt(sessions, () => filesIn(sessions, ".ndjson"))
    const before = found.reduce((sum, { bytes }) => sum + bytes, 0)
    let after = before
    let files = archives.length
    for (const file of found) {
      const age = now - file.written
      const tooOld = maxAge !== undefined && age > maxAge
      const tooMuch = maxBytes !== undefined && after > maxBytes && age > live
      if (!tooOld && !tooMuch) continue
      if (!dryRun) archives.push(yield* move(file.path, archive))
      after -= file.bytes
      files += 1
    }
    const note =
      !dryRun && maxBytes !== undefined && after > maxBytes
        ? "Sessions that were written to in the last hour stay."
        : undefined
    return { of: sessions, files, archives, before, after, note } satisfies Rotated
  })

/** The one file that all sessions share: as a whole. */
export const rotateFile = ({ archive, db, dryRun, maxAge, maxBytes }: RotateOptions, now: number) =>
  Effect.gen(function* () {
    const archives = dryRun ? [] : yield* recover(dirname(db), archive)
    const { mtimeMs, size } = yield* Archive.attempt(db, () => statSync(db))
    const tooOld = maxAge !== undefined && now - mtimeMs / 1000 > maxAge
    const goes = tooOld || (maxBytes !== undefined && size > maxBytes)
    const files = archives.length + (goes ? 1 : 0)
    if (goes && !dryRun) archives.push(yield* move(db, archive))
    return { of: db, files, archives, before: size, after: goes ? 0 : size } satisfies Rotated
  })

/** Oldest first. */
const filesIn = (folder: string, ending: string): ReadonlyArray<Found> =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .flatMap((name) => {
          const path = join(folder, name)
          const stat = statSync(path, { throwIfNoEntry: false })
          return stat?.isFile() ? [{ path, bytes: stat.size, written: stat.mtimeMs / 1000 }] : []
        })
        .sort((one, other) => one.written - other.written)
    : []

/** First out of the way of writers, then compressed. Where that fails the file comes back, unless there is a new one already. */
const move = (path: string, archive: string) =>
  Effect.gen(function* () {
    const moved = yield* Archive.attempt(path, () => {
      const free = join(dirname(path), `${freeName(archive, dirname(path), basename(path))}${rotating}`)
      renameSync(path, free)
      return free
    })
    return yield* compress(moved, archive).pipe(
      Effect.onError(() =>
        Effect.ignore(
          Archive.attempt(path, () => {
            linkSync(moved, path)
            rmSync(moved)
          })
        )
      )
    )
  })

/** Files that a rotation renamed before it was killed. */
const recover = (folder: string, archive: string) =>
  Effect.gen(function* () {
    const archives: Array<string> = []
    for (const { path } of yield* Archive.attempt(folder, () => filesIn(folder, `.ndjson${rotating}`)))
      archives.push(yield* compress(path, archive))
    return archives
  })

const compress = (path: string, folder: string) =>
  Effect.gen(function* () {
    const name = basename(path, rotating)
    const own = join(folder, `${name}.gz`)
    const before = existsSync(own)
    const archive = before ? join(folder, `${freeName(folder, dirname(path), name)}.gz`) : own
    const sha256 = yield* whole(path, archive)
    const remove = Archive.attempt(path, () => rmSync(path, { force: true }))
    if (before && (yield* Archive.digest(own)) === sha256) {
      // Killed between its two last steps.
      yield* Archive.attempt(folder, () => rmSync(Archive.partial(archive), { force: true }))
      yield* remove
      return own
    }
    yield* Effect.uninterruptible(Effect.zipRight(Archive.finish(Archive.partial(archive), archive), remove))
    return archive
  })

/** Again where the file grew: a writer that had opened it before it was renamed wrote after that. */
const whole = (path: string, archive: string): Effect.Effect<string, ReturnType<typeof Archive.unwritable>> =>
  Effect.gen(function* () {
    const { size } = yield* Archive.attempt(path, () => statSync(path))
    const sha256 = yield* Archive.file(path, Archive.partial(archive)).pipe(
      Effect.onError(() =>
        Effect.ignore(Archive.attempt(archive, () => rmSync(Archive.partial(archive), { force: true })))
      )
    )
    return (yield* Archive.attempt(path, () => statSync(path))).size === size ? sha256 : yield* whole(path, archive)
  })

/** `<session>.ndjson`, or with a number where a session of that name was archived before. */
const freeName = (archive: string, folder: string, name: string): string => {
  const stem = name.replace(/\.ndjson$/, "")
  for (let n = 1; ; n++) {
    const free = `${stem}${n === 1 ? "" : `.${n}`}.ndjson`
    if (!existsSync(join(archive, `${free}.gz`)) && !existsSync(join(folder, `${free}${rotating}`))) return free
  }
}
