/**
 * codex logs view [--session-id s1] [--since 2h] …
 *
 *     $ codex logs view --session-id s1
 *     ── s1 ── 2026-11-24 ──
 *     13:08:34.123Z INFO  user      Hello!
 *                                   How are you?
 */
import * as Command from "@effect/cli/Command"
import { outsideSession } from "../Handler.ts"
import { filter, format, page, source } from "../LogOptions.ts"
import { printEvents } from "../ReadLog.ts"

export const view = Command.make(
  "view",
  { ...source, ...filter, ...page, format: format("text", "whole messages, by session and day.") },
  outsideSession((options) => printEvents(options, "blocks"))
).pipe(
  Command.withDescription(
    "Print events for reading: whole messages, with a heading for each session and day. " +
      "Example: codex logs view --since 2h --level warn,error"
  )
)
