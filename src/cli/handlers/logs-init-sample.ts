/**
 * Makes a sample log.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogEnvironment from "../../services/logs/LogEnvironment.ts"
import * as SampleLog from "../../services/logs/SampleLog.ts"
import { SqlitePool } from "../../services/logs/write/SqlitePool.ts"
import { nextCommands, shellWord } from "../render/Table.ts"

export interface Options {
  readonly db: Option.Option<string>
  readonly reset: boolean
  readonly seed: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const db = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.databasePath })
    const { added, others, present, removed } = yield* SampleLog.create({
      db,
      reset: options.reset,
      seed: options.seed
    })
    const counts = [
      `${present} sample events`,
      ...(added > 0 ? [`${added} new`] : []),
      ...(removed > 0 ? [`${removed} removed`] : []),
      ...(others > 0 ? [`${others} events of other sessions kept`] : [])
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
  }).pipe(Effect.provide(SqlitePool.layer))
