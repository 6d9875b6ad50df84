/**
 * codex logs init-sample [--db file] [--reset] [--seed]
 *
 *     $ codex logs init-sample --reset --seed
 *     .codex/session_logs.db: table session_events, 16 sample events, 16 new.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { load, outsideSession } from "../Handler.ts"
import { text } from "../LogOptions.ts"
import { plural } from "../render/Format.ts"
import { nextCommands, shellWord } from "../render/Table.ts"

const db = text(
  "db",
  "The database; it is created if necessary. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db",
  "file"
)
const reset = Options.boolean("reset").pipe(
  Options.withDescription("Remove an earlier sample. Other sessions are never changed.")
)
const seed = Options.boolean("seed").pipe(
  Options.withDescription("Add the events of the sample, unless they are there.")
)

export const initSample = Command.make(
  "init-sample",
  { db, reset, seed },
  outsideSession((options) =>
    Effect.gen(function* () {
      const [LogEnvironment, SampleLog, { SqlitePool }] = yield* load(() =>
        Promise.all([
          import("../../services/logs/LogEnvironment.ts"),
          import("../../services/logs/SampleLog.ts"),
          import("../../services/logs/write/SqlitePool.ts")
        ])
      )
      const db = yield* Option.match(options.db, {
        onSome: Effect.succeed,
        onNone: () => LogEnvironment.databasePath
      })
      const { added, others, present, removed } = yield* SampleLog.create({ ...options, db }).pipe(
        Effect.provide(SqlitePool.layer)
      )
      const counts = [
        plural(present, "sample event"),
        ...(added > 0 ? [`${added} new`] : []),
        ...(removed > 0 ? [`${removed} removed`] : []),
        ...(others > 0 ? [`${plural(others, "event")} of other sessions kept`] : [])
      ]
      yield* Console.log(`${db}: table session_events, ${counts.join(", ")}.\n`)
      const from = Option.isSome(options.db) ? ` --db ${shellWord(db)}` : ""
      yield* Console.log(
        present === 0
          ? nextCommands([`codex logs init-sample${from} --seed`])
          : nextCommands([
              `codex logs view${from} --session-id sample-chat`,
              `codex logs query${from} --level warn,error --since 1w`
            ])
      )
    })
  )
).pipe(
  Command.withDescription(
    "Create the table of session logs, with sample events to try the other commands on. " +
      "Example: codex logs init-sample --db sample.db --reset --seed"
  )
)
