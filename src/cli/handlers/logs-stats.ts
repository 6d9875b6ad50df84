/**
 * Prints a log in numbers.
 */
import * as Effect from "effect/Effect"
import type { Filter, Format, Source } from "../LogOptions.ts"
import { toStdout } from "../render/LogOutput.ts"
import { statsText } from "../render/LogReport.ts"
import * as Logs from "./logs-open.ts"

export type Options = Source & Filter & { readonly format: Format }

export const run = (options: Options) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const stats = yield* log.stats(Logs.queryOf(options))
      yield* toStdout(statsText(stats, log, options.format), stats.events)
      if (options.format === "text") yield* Logs.noteEmpty(stats.events)
    })
  )
