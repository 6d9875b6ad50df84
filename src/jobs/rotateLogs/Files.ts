/**
 * Moves old NDJSON files to the archive. Who writes one opens it for each batch, so a file that was renamed gets no more lines.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Archive from "../../services/logs/Archive.ts"
import type { Rotated, RotateOptions } from "../rotateLogs.ts"

interface Found {
  readonly path: string
  readonly bytes: number
  /** Of the last write, in seconds since 1970. */
  readonly written: number
}

/** A session that was written to since is likely to go on. */
const live = 3600

/** Files of the folder whose sessions are over: by age, and the oldest while there are too many bytes. */
export const rotateFolder = (options: RotateOptions, now: number) =>
  Effect.gen(function* () {
    if (!options.dryRun) yield* recover(options.archive)
    const found = yield* attempt(options.sessions, () => filesIn(options.sessions))
    const before = found.reduce((sum, { bytes }) => sum + bytes, 0)
    let after = before
    let files = 0
    for (const file of found) {
      const age = now - file.written
      const tooOld = options.maxAge !== undefined && age > options.maxAge
      const tooMuch = options.maxBytes !== undefined && after > options.maxBytes && age > live
      if (!tooOld && !tooMuch) continue
      if (!options.dryRun) yield* move(file.path, options.archive)
      after -= file.bytes
      files += 1
    }
    return { of: options.sessions, files, before, after } satisfies Rotated
  })

/** The one file that all sessions share: as a whole. */
export const rotateFile = (options: RotateOptions, now: number) =>
  Effect.gen(function* () {
    if (!options.dryRun) yield* recover(options.archive)
    const { mtimeMs, size } = yield* attempt(options.db, () => statSync(options.db))
    const tooOld = options.maxAge !== undefined && now - mtimeMs / 1000 > options.maxAge
    const goes = tooOld || (options.maxBytes !== undefined && size > options.maxBytes)
    const archive = goes && !options.dryRun ? yield* move(options.db, options.archive) : undefined
    return { of: options.db, files: goes ? 1 : 0, before: size, after: goes ? 0 : size, archive } satisfies Rotated
  })

const filesIn = (folder: string): ReadonlyArray<Found> =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".ndjson"))
        .map((name) => {
          const { mtimeMs, size } = statSync(join(folder, name))
          return { path: join(folder, name), bytes: size, written: mtimeMs / 1000 }
        })
        .sort((one, other) => one.written - other.written)
    : []

/** First out of the way of writers, then compressed. */
const move = (path: string, archive: string) =>
  Effect.gen(function* () {
    const moved = yield* attempt(archive, () => {
      mkdirSync(archive, { recursive: true })
      const free = freeName(archive, basename(path))
      renameSync(path, free)
      return free
    })
    return yield* compress(moved)
  })

/** Files that a rotation moved before it was killed. */
const recover = (archive: string) =>
  Effect.gen(function* () {
    const left = existsSync(archive) ? yield* attempt(archive, () => filesIn(archive)) : []
    for (const { path } of left) yield* compress(path)
  })

const compress = (path: string) =>
  Effect.gen(function* () {
    const archive = `${path}.gz`
    yield* Archive.file(path, archive)
    yield* Effect.uninterruptible(
      Effect.zipRight(
        Archive.finish(archive),
        attempt(path, () => rmSync(path, { force: true }))
      )
    )
    return archive
  })

/** `<session>.ndjson`, or with a number where a session of that name was archived before. */
const freeName = (folder: string, name: string): string => {
  const stem = name.replace(/\.ndjson$/, "")
  for (let n = 1; ; n++) {
    const free = join(folder, `${stem}${n === 1 ? "" : `.${n}`}.ndjson`)
    if (!existsSync(free) && !existsSync(`${free}.gz`)) return free
  }
}

const attempt = <A>(path: string, use: () => A) =>
  Effect.try({ try: use, catch: (cause) => Archive.unwritable(path, cause) })
