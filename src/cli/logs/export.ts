/**
 * codex logs export [--format csv] [--output events.csv.gz] …
 *
 *     $ codex logs export --output events.ndjson.gz
 *     2481 events in events.ndjson.gz
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, page, source } from "../LogOptions.ts"
import { force } from "../Options.ts"

const output = Options.file("output").pipe(
  Options.withAlias("o"),
  Options.withDescription(
    "The file to write, whole or not at all; with .gz at its end it is compressed. Default: stdout"
  ),
  Options.optional
)

export const exportCommand = Command.make(
  "export",
  {
    ...source,
    ...filter,
    ...page,
    format: format("ndjson", "one line an event, line feeds as ↵."),
    output,
    force: force("Replace a file that is already there.")
  },
  lazyUnrecorded(() => import("../handlers/logs-export.ts"))
).pipe(
  Command.withDescription(
    "Write all events, or those that match, to stdout or a file. " +
      "Example: codex logs export --format csv --output events.csv.gz"
  )
)
