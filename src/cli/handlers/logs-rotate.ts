/**
 * Rotates the session logs and says what went where.
 */
import { dirname, join } from "node:path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogEnvironment from "../../services/logs/LogEnvironment.ts"
import * as LogRotation from "../../services/logs/rotation/LogRotation.ts"
import { SqlitePool } from "../../services/logs/write/SqlitePool.ts"
import { bytes } from "../render/Format.ts"
import { table } from "../render/Table.ts"

export interface Options {
  readonly db: Option.Option<string>
  readonly sessions: Option.Option<string>
  readonly archive: Option.Option<string>
  readonly maxAge: Option.Option<number>
  readonly maxSize: Option.Option<number>
  readonly dryRun: boolean
  readonly json: boolean
}

const defaultAge = 30 * 24 * 3600

export const run = (options: Options) =>
  Effect.gen(function* () {
    const db = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.databasePath })
    const rotated = yield* LogRotation.rotate({
      db,
      // Who names a log means that one, not the sessions that happen to lie here.
      sessions:
        Option.getOrUndefined(options.sessions) ??
        (Option.isSome(options.db) ? undefined : yield* LogEnvironment.sessionsDirectory),
      archive: Option.getOrElse(options.archive, () => join(dirname(db), "archive")),
      maxAge: Option.match(options.maxAge, {
        onSome: (age) => age,
        onNone: () => (Option.isSome(options.maxSize) ? undefined : defaultAge)
      }),
      maxBytes: Option.getOrUndefined(options.maxSize),
      dryRun: options.dryRun
    })
    yield* Console.log(options.json ? JSON.stringify(rotated) : describe(rotated))
    for (const { after, note, of } of rotated)
      if (note !== undefined) yield* Effect.logWarning(`${of} still has ${bytes(after)}. ${note}`)
    if (options.dryRun) yield* Effect.logInfo("Nothing was changed: this was a dry run.")
  }).pipe(Effect.provide(SqlitePool.layer))

const describe = (rotated: ReadonlyArray<LogRotation.Rotated>): string =>
  table(
    [
      { title: "log" },
      { title: "went", align: "right" },
      { title: "before", align: "right" },
      { title: "after", align: "right" },
      { title: "archive" }
    ],
    rotated.map(({ after, archives, before, events, files, of }) => [
      of,
      events === undefined ? counted(files ?? 0, "file") : counted(events, "event"),
      bytes(before),
      bytes(after),
      archives.length > 2 ? `${archives[0]} and ${archives.length - 1} more` : archives.join(", ")
    ])
  )

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`
