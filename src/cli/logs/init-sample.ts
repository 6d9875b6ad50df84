/**
 * codex logs init-sample [--db file] [--reset] [--seed]
 *
 *     $ codex logs init-sample --reset --seed
 *     .codex/session_logs.db: 16 sample events in 3 sessions
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyUnrecorded } from "../Lazy.ts"
import { text } from "../LogOptions.ts"

const db = text(
  "db",
  "The database; made where it is not. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db",
  "file"
)
const reset = Options.boolean("reset").pipe(
  Options.withDescription("Remove the sample that is there. Other sessions are never touched.")
)
const seed = Options.boolean("seed").pipe(Options.withDescription("Put the sample's events there, unless they are."))

export const initSample = Command.make(
  "init-sample",
  { db, reset, seed },
  lazyUnrecorded(() => import("../handlers/logs-init-sample.ts"))
).pipe(
  Command.withDescription(
    "Make the table of session logs, with events to try the other commands on. " +
      "Example: codex logs init-sample --db sample.db --reset --seed"
  )
)
