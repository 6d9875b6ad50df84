/**
 * codex logs view | query | tail | export | stats | sessions | record | rotate | snapshot | init-sample | hook
 *
 * Each command's options stand in a file of its own under logs/; those that all share are in LogOptions.ts.
 */
import * as Command from "@effect/cli/Command"
import { exportCommand } from "./logs/export.ts"
import { hook } from "./logs/hook.ts"
import { initSample } from "./logs/init-sample.ts"
import { query } from "./logs/query.ts"
import { record } from "./logs/record.ts"
import { rotate } from "./logs/rotate.ts"
import { sessions } from "./logs/sessions.ts"
import { snapshot } from "./logs/snapshot.ts"
import { stats } from "./logs/stats.ts"
import { tail } from "./logs/tail.ts"
import { view } from "./logs/view.ts"

export const logs = Command.make("logs").pipe(
  Command.withDescription(
    "Read session logs: those of codex, and anybody's SQLite database or NDJSON. " +
      "Example: codex logs view --since 2h --level warn,error"
  ),
  Command.withSubcommands([
    view,
    query,
    tail,
    exportCommand,
    stats,
    sessions,
    record,
    rotate,
    snapshot,
    initSample,
    hook
  ])
)
