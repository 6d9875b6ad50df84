/**
 * codex logs sessions [--last 10] …
 *
 *     $ codex logs sessions --last 1
 *     session  first                     last                      duration  events  outcome
 *     s1       2026-11-24T13:08:34.123Z  2026-11-24T13:09:04.123Z  30.0 s        12  success
 */
import * as Command from "@effect/cli/Command"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, sessionPage, source } from "../LogOptions.ts"

export const sessions = Command.make(
  "sessions",
  { ...source, ...filter, ...sessionPage, format: format("text", "a table.") },
  lazyUnrecorded(() => import("../handlers/logs-sessions.ts"))
).pipe(
  Command.withDescription(
    "List sessions, newest first: when, how many events, how they ended. " +
      "Example: codex logs sessions --last 10 --contains error"
  )
)
