/**
 * codex logs stats [--since 2026-11-01] …
 *
 *     $ codex logs stats
 *     events    2481
 *     sessions  12
 */
import * as Command from "@effect/cli/Command"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, source } from "../LogOptions.ts"

export const stats = Command.make(
  "stats",
  { ...source, ...filter, format: format("text", "tables.") },
  lazyUnrecorded(() => import("../handlers/logs-stats.ts"))
).pipe(
  Command.withDescription(
    "Count events by role, level and day. Example: codex logs stats --since 2026-11-01 --format json"
  )
)
