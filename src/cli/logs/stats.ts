/**
 * codex logs stats [--since 2026-11-01] …
 *
 *     $ codex logs stats
 *     events    2481
 *     sessions  12
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { load, outsideSession } from "../Handler.ts"
import { filter, format, source } from "../LogOptions.ts"
import { eventPrinter, noteEmpty, queryOf, withLog } from "../ReadLog.ts"

export const stats = Command.make(
  "stats",
  { ...source, ...filter, format: format("text", "tables.") },
  outsideSession((options) =>
    withLog(options, (log) =>
      Effect.gen(function* () {
        const [{ toStdout }, { statsText }] = yield* Effect.all([
          eventPrinter,
          load(() => import("../render/LogReport.ts"))
        ])
        const stats = yield* log.stats(queryOf(options))
        yield* toStdout(statsText(stats, log, options.format), stats.events)
        if (options.format === "text") yield* noteEmpty(stats.events)
      })
    )
  )
).pipe(
  Command.withDescription(
    "Count events by role, level and day. Example: codex logs stats --since 2026-11-01 --format json"
  )
)
