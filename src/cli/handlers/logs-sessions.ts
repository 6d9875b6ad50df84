/**
 * Lists the sessions of a log.
 */
import * as Effect from "effect/Effect"
import type { Filter, Format, Page, Source } from "../LogOptions.ts"
import { toStdout } from "../render/LogOutput.ts"
import { sessionsText } from "../render/LogReport.ts"
import * as Logs from "./logs-open.ts"

export type Options = Source & Filter & Page & { readonly format: Format }

export const run = (options: Options) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const sessions = yield* log.sessions(Logs.queryOf(options))
      yield* toStdout(sessionsText(sessions, options.format), sessions.length)
      if (options.format === "text") yield* Logs.noteEmpty(sessions.length)
    })
  )
