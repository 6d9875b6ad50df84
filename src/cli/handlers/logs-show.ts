/**
 * Events that match, on stdout, in the format that is asked for; of text there are two sorts.
 */
import * as Effect from "effect/Effect"
import type { Filter, Format, Page, Source } from "../LogOptions.ts"
import { colour } from "../Process.ts"
import { csv, json, ndjson, type Printer } from "../render/LogFormat.ts"
import * as LogOutput from "../render/LogOutput.ts"
import type { Style } from "../render/LogText.ts"
import * as Logs from "./logs-open.ts"

export type Options = Source & Filter & Page & { readonly format: Format }

export const show = (options: Options, text: (style: Style) => Printer) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const printer = printerOf(options.format, () => text({ colour: colour(process) }))
      const events = yield* LogOutput.print(log.events(Logs.queryOf(options)), printer, LogOutput.toStdout)
      if (options.format === "text") yield* Logs.noteEmpty(events)
    })
  )

export const printerOf = (format: Format, text: () => Printer): Printer => ({ text, json, ndjson, csv })[format]()
