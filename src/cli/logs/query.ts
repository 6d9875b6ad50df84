/**
 * codex logs query [--contains text] [--role user] …
 *
 *     $ codex logs query --contains hello
 *     2026-11-24T13:08:34.123Z INFO  user      s1  Hello!↵How are you?
 */
import * as Command from "@effect/cli/Command"
import { outsideSession } from "../Handler.ts"
import { filter, format, page, source } from "../LogOptions.ts"
import { printEvents } from "../ReadLog.ts"

export const query = Command.make(
  "query",
  { ...source, ...filter, ...page, format: format("text", "one line per event, line feeds as ↵.") },
  outsideSession((options) => printEvents(options, "lines"))
).pipe(
  Command.withDescription(
    "Print events for searching: exactly one line per event. " +
      "Example: codex logs query --role user --since yesterday | grep -c checkpoint"
  )
)
