/**
 * codex logs sessions [--last 10] …
 *
 *     $ codex logs sessions --last 1
 *     session  first                     last                      duration  events  outcome
 *     s1       2026-11-24T13:08:34.123Z  2026-11-24T13:09:04.123Z  30.0 s        12  success
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { load, outsideSession } from "../Handler.ts"
import { filter, format, sessionPage, source } from "../LogOptions.ts"
import { eventPrinter, noteEmpty, queryOf, withLog } from "../ReadLog.ts"

export const sessions = Command.make(
  "sessions",
  { ...source, ...filter, ...sessionPage, format: format("text", "a table.") },
  outsideSession((options) =>
    withLog(options, (log) =>
      Effect.gen(function* () {
        const [{ toStdout }, { sessionsText }] = yield* Effect.all([
          eventPrinter,
          load(() => import("../render/LogReport.ts"))
        ])
        const sessions = yield* log.sessions(queryOf(options))
        yield* toStdout(sessionsText(sessions, options.format), sessions.length)
        if (options.format === "text") yield* noteEmpty(sessions.length)
      })
    )
  )
).pipe(
  Command.withDescription(
    "List sessions, newest first, with their times, numbers of events and outcomes.  " +
      "Example: codex logs sessions --last 10 --contains error"
  )
)
