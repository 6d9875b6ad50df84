/**
 * codex logs query [--contains text] [--role user] …
 *
 *     $ codex logs query --contains hello
 *     2026-11-24T13:08:34.123Z INFO  user      s1  Hello!↵How are you?
 */
import * as Command from "@effect/cli/Command"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, page, source } from "../LogOptions.ts"

export const query = Command.make(
  "query",
  { ...source, ...filter, ...page, format: format("text", "one line an event, line feeds as ↵.") },
  lazyUnrecorded(() => import("../handlers/logs-query.ts"))
).pipe(
  Command.withDescription(
    "Print events for searching: exactly one line each. " +
      "Example: codex logs query --role user --since yesterday | grep -c checkpoint"
  )
)
