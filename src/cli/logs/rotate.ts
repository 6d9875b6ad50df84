/**
 * codex logs rotate [--max-age 30d] [--max-size 100MB] [--archive .codex/archive] [--dry-run]
 *
 *     $ codex logs rotate --max-age 30d
 *     log                            moved   before    after  archive
 *     .codex/session_logs.db  81204 events  31.2 MB  11.9 MB  .codex/archive/session_events-20261001T080000-….ndjson.gz
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Rotated } from "../../services/logs/rotation/LogRotation.ts"
import { load, outsideSession } from "../Handler.ts"
import { text, time } from "../LogOptions.ts"
import { json } from "../Options.ts"
import { bytes, plural } from "../render/Format.ts"
import { table } from "../render/Table.ts"
import { usageError } from "../UsageError.ts"

const db = text("db", "The log of codex. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db", "file")
const sessions = text(
  "sessions",
  "The directory of NDJSON files. Default: CODEX_SESSION_LOG_DIR, else .codex/sessions; none if --db is given",
  "directory"
)
const archive = text(
  "archive",
  "The directory of the archives (gzipped NDJSON). Default: `archive` next to the log",
  "directory"
)
const maxAge = time("max-age").pipe(
  Options.withDescription("Move older events: 30d, 12h, 2w, or a date. Default: 30d, unless --max-size is given"),
  Options.withPseudoName("duration"),
  Options.mapEffect(({ given, seconds }) =>
    Effect.flatMap(Clock.currentTimeMillis, (millis) => {
      const age = millis / 1000 - seconds
      return age >= 0 ? Effect.succeed(age) : usageError(`Option "--max-age": ${given} is in the future.`)
    })
  ),
  Options.optional
)

const units: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30
}

const maxSize = Options.text("max-size").pipe(
  Options.withDescription("Move the oldest events until at most this much is left: 100MB, 1GiB, or bytes"),
  Options.withPseudoName("size"),
  Options.filterMap((text) => {
    const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmg]?i?b)?$/i.exec(text.trim()) ?? []
    const factor = units[unit.toLowerCase()]
    return number === undefined || factor === undefined
      ? Option.none()
      : Option.some(Math.floor(Number(number) * factor))
  }, 'Option "--max-size" must be a size: 100MB, 1GiB, or a number of bytes.'),
  Options.optional
)
const dryRun = Options.boolean("dry-run").pipe(Options.withDescription("Only report what would be moved."))

export const rotate = Command.make(
  "rotate",
  { db, sessions, archive, maxAge, maxSize, dryRun, json },
  outsideSession((options) =>
    Effect.gen(function* () {
      const [LogEnvironment, LogRotation, { SqlitePool }] = yield* load(() =>
        Promise.all([
          import("../../services/logs/LogEnvironment.ts"),
          import("../../services/logs/rotation/LogRotation.ts"),
          import("../../services/logs/write/SqlitePool.ts")
        ])
      )
      const rotated = yield* LogRotation.rotate({
        db: Option.isSome(options.db) ? options.db.value : yield* LogEnvironment.databasePath,
        // A log that is named on the command line has nothing to do with the sessions of this directory.
        sessions:
          Option.getOrUndefined(options.sessions) ??
          (Option.isSome(options.db) ? undefined : yield* LogEnvironment.sessionsDirectory),
        archive: Option.getOrUndefined(options.archive),
        maxAge: Option.getOrUndefined(options.maxAge),
        maxBytes: Option.getOrUndefined(options.maxSize),
        dryRun: options.dryRun
      }).pipe(Effect.provide(SqlitePool.layer))
      yield* Console.log(options.json ? JSON.stringify(rotated) : render(rotated, options.dryRun))
      for (const { after, note, of } of rotated)
        if (note !== undefined) yield* Effect.logWarning(`${of} still has ${bytes(after)}. ${note}`)
      if (options.dryRun) yield* Effect.logInfo("This was a dry run: nothing was changed.")
    })
  )
).pipe(
  Command.withDescription(
    "Move old events and old NDJSON files to gzipped archives, which the other commands read with --db. " +
      "Example: codex logs rotate --max-age 30d --max-size 100MB"
  )
)

const render = (rotated: ReadonlyArray<Rotated>, dryRun: boolean): string =>
  table(
    [
      { title: "log" },
      { title: dryRun ? "to move" : "moved", align: "right" },
      { title: "before", align: "right" },
      { title: "after", align: "right" },
      { title: "archive" }
    ],
    rotated.map(({ after, archives, before, events, files, of }) => [
      of,
      [
        ...(events === undefined ? [] : [plural(events, "event")]),
        ...(files === undefined ? [] : [plural(files, "file")])
      ].join(", "),
      bytes(before),
      bytes(after),
      archives.length > 2 ? `${archives[0]} and ${archives.length - 1} more` : archives.join(", ")
    ])
  )
