/**
 * Prints the last events that were written, and goes on with those that come where that is asked for.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Filter, Format, Source } from "../LogOptions.ts"
import { colour } from "../Process.ts"
import * as LogOutput from "../render/LogOutput.ts"
import { lines } from "../render/LogText.ts"
import * as Logs from "./logs-open.ts"
import { printerOf } from "./logs-show.ts"

export type Options = Source &
  Filter & { readonly last: Option.Option<number>; readonly follow: boolean; readonly format: Format }

export const run = (options: Options) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const query = { ...Logs.queryOf(options), last: Option.getOrElse(options.last, () => 20) }
      const text = () => lines({ colour: colour(process) })
      if (options.follow) {
        // An array has no end here.
        const printer = printerOf(options.format === "json" ? "ndjson" : options.format, text)
        yield* LogOutput.print(log.follow(query), printer, LogOutput.toStdout, { eager: true })
      } else {
        const printer = printerOf(options.format, text)
        const events = yield* LogOutput.print(log.follow(query, { once: true }), printer, LogOutput.toStdout)
        if (options.format === "text") yield* Logs.noteEmpty(events)
      }
    })
  )
