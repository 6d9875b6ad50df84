/**
 * codex logs tail [-n 20] [--follow] …
 *
 *     $ codex logs tail -n 1 --follow
 *     2026-11-24T13:08:34.123Z INFO  user      s1  Hello!
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { outsideSession } from "../Handler.ts"
import { filter, format, last, source } from "../LogOptions.ts"
import { eventPrinter, noteEmpty, printerOf, queryOf, withLog } from "../ReadLog.ts"

const follow = Options.boolean("follow").pipe(
  Options.withAlias("f"),
  Options.withDescription("Continue with each new event until Ctrl-C. Then json prints one object per line.")
)

export const tail = Command.make(
  "tail",
  {
    ...source,
    ...filter,
    last: last("The number of last events. Default: 20", "n"),
    follow,
    format: format("text", "one line per event, line feeds as ↵.")
  },
  outsideSession((options) =>
    withLog(options, (log) =>
      Effect.gen(function* () {
        const { print, toStdout } = yield* eventPrinter
        const query = { ...queryOf(options), last: Option.getOrElse(options.last, () => 20) }
        if (options.follow) {
          // An endless JSON array would not be a document.
          const printer = yield* printerOf(options.format === "json" ? "ndjson" : options.format, "lines")
          yield* print(log.follow(query), printer, toStdout, { eager: true })
        } else {
          const printer = yield* printerOf(options.format, "lines")
          const events = yield* print(log.follow(query, { once: true }), printer, toStdout)
          if (options.format === "text") yield* noteEmpty(events)
        }
      })
    )
  )
).pipe(
  Command.withDescription(
    "Print the last events, and with --follow each new one. Example: codex logs tail --follow --session-id s1"
  )
)
