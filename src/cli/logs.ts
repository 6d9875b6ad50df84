/**
 * codex logs view | query | tail | export | stats | sessions | record | rotate | snapshot | init-sample | hook
 *
 * One file per command in logs/. The options that they share are in LogOptions.ts, what they do with them in ReadLog.ts.
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
    "Read session logs of codex and of other programs: SQLite databases or NDJSON files. " +
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
