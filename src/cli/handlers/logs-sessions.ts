/**
 * Lists the sessions of a log.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SessionSummary } from "../../core/LogQuery.ts"
import type { Filter, Format, Page, Source } from "../LogOptions.ts"
import { toStdout } from "../LogOutput.ts"
import { sessionsText } from "../LogReport.ts"
import * as Logs from "./logs-open.ts"

export type Options = Source & Filter & Page & { readonly format: Format }

export const run = (options: Options) =>
  Logs.using(options, (log) =>
    Effect.gen(function* () {
      const newestFirst = yield* log.sessions(Logs.queryOf({ ...options, ...everything }))
      const sessions = chosen(newestFirst, options)
      yield* toStdout(sessionsText(sessions, options.format), sessions.length)
      if (options.format === "text") yield* Logs.noteEmpty(sessions.length)
    })
  )

const everything = { last: Option.none(), limit: Option.none(), offset: Option.none(), order: Option.none() }

/** As a query of events has it: the newest, then in order, then those after the offset up to the limit. */
const chosen = (newestFirst: ReadonlyArray<SessionSummary>, page: Page): ReadonlyArray<SessionSummary> => {
  const newest = newestFirst.slice(0, Option.getOrUndefined(page.last))
  const ordered = Option.contains(page.order, "asc") ? newest.toReversed() : newest
  const from = Option.getOrElse(page.offset, () => 0)
  return ordered.slice(from, from + Option.getOrElse(page.limit, () => ordered.length))
}
