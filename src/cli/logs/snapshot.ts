/**
 * codex logs snapshot [--db file] [--out file] [--force]
 *
 *     $ codex logs snapshot --out log.db
 *     log.db: 1.2 MB (the log has 1.9 MB)
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyUnrecorded } from "../Lazy.ts"
import { source, text } from "../LogOptions.ts"

const out = text("out", "The copy. Default: <log>-<UTC time>.db beside the log", "file")
const force = Options.boolean("force").pipe(Options.withDescription("Replace the file that is there."))

export const snapshot = Command.make(
  "snapshot",
  { db: source.db, out, force },
  lazyUnrecorded(() => import("../handlers/logs-snapshot.ts"))
).pipe(
  Command.withDescription(
    "Copy a SQLite log, as it is now, to one compact file that nobody writes any more; it opens with immutable=1. " +
      "Example: codex logs snapshot --out monday.db"
  )
)
