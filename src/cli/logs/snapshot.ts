/**
 * codex logs snapshot [--db file] [--out file] [--force]
 *
 *     $ codex logs snapshot --out log.db
 *     log.db: 1.2 MB (the log has 1.9 MB)
 */
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load, outsideSession } from "../Handler.ts"
import { source, text } from "../LogOptions.ts"
import { force } from "../Options.ts"
import { bytes } from "../render/Format.ts"
import { usageError } from "../UsageError.ts"

const out = text("out", "The copy. Default: <log>-<UTC time>.db next to the log", "file")

export const snapshot = Command.make(
  "snapshot",
  { db: source.db, out, force: force("Replace an existing file.") },
  outsideSession((options) =>
    Effect.gen(function* () {
      const [LogEnvironment, LogReader, LogSnapshot] = yield* load(() =>
        Promise.all([
          import("../../services/logs/LogEnvironment.ts"),
          import("../../services/logs/LogReader.ts"),
          import("../../services/logs/LogSnapshot.ts")
        ])
      )
      const given = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.readPath })
      const { kind, path: db } = yield* LogReader.find(given)
      if (kind !== "sqlite") {
        return yield* usageError(`${db} is NDJSON: copy the file, or use \`codex logs export --db ${db}\`.`)
      }
      const { after, before, path } = yield* LogSnapshot.create({
        db,
        out: Option.getOrUndefined(options.out),
        force: options.force
      })
      yield* Console.log(`${path}: ${bytes(after)} (the log has ${bytes(before)})`)
    })
  )
).pipe(
  Command.withDescription(
    "Copy a SQLite log, as it is now, to one compact read-only file, which SQLite opens with immutable=1. " +
      "Example: codex logs snapshot --out monday.db"
  )
)
