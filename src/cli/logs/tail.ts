/**
 * codex logs tail [-n 20] [--follow] …
 *
 *     $ codex logs tail -n 1 --follow
 *     2026-11-24T13:08:34.123Z INFO  user      s1  Hello!
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazyUnrecorded } from "../Lazy.ts"
import { filter, format, last, source } from "../LogOptions.ts"

const follow = Options.boolean("follow").pipe(
  Options.withAlias("f"),
  Options.withDescription("Go on with each event that is written, until Ctrl-C. json is one object a line then.")
)

export const tail = Command.make(
  "tail",
  {
    ...source,
    ...filter,
    last: last("The last so many. Default: 20", "n"),
    follow,
    format: format("text", "one line an event, line feeds as ↵.")
  },
  lazyUnrecorded(() => import("../handlers/logs-tail.ts"))
).pipe(
  Command.withDescription(
    "Print the last events that were written, and with --follow those that come. " +
      "Example: codex logs tail --follow --session-id s1"
  )
)
