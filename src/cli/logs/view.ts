/**
 * codex logs view [--session-id s1] [--since 2h] …
 *
 *     $ codex logs view --session-id s1
 *     ── s1 ── 2026-11-24 ──
 *     13:08:34.123Z INFO  user      Hello!
 *                                   How are you?
 */
import * as Command from "@effect/cli/Command"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, page, source } from "../LogOptions.ts"

export const view = Command.make(
  "view",
  { ...source, ...filter, ...page, format: format("text", "whole messages, by session and day.") },
  lazyUnrecorded(() => import("../handlers/logs-view.ts"))
).pipe(
  Command.withDescription(
    "Print events for reading: whole messages, with a heading for each session and day. " +
      "Example: codex logs view --since 2h --level warn,error"
  )
)
