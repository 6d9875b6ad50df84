/**
 * What the commands that read logs share: the log that the options name, opened for as long as it is used, and notes on
 * stderr for what the user may not expect.
 */
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LogEnvironment from "../../services/logs/LogEnvironment.ts"
import type { LogQuery } from "../../services/logs/LogQuery.ts"
import * as LogReader from "../../services/logs/LogReader.ts"
import type { Filter, Page, Source } from "../LogOptions.ts"

/** Which events, and how many of them in which order. */
export const queryOf = (options: Filter & Partial<Page>): LogQuery => ({
  sessionId: Option.getOrUndefined(options.sessionId),
  roles: options.role,
  levels: options.level,
  contains: Option.getOrUndefined(options.contains),
  since: Option.getOrUndefined(options.period.since)?.seconds,
  until: Option.getOrUndefined(options.period.until)?.seconds,
  order: given(options.order),
  last: given(options.last),
  offset: given(options.offset),
  limit: given(options.limit)
})

const given = <A>(option: Option.Option<A> | undefined): A | undefined =>
  option === undefined ? undefined : Option.getOrUndefined(option)

/** Runs `use` on the open log. What was skipped is told at the end, also when that is a Ctrl-C. */
export const using = <A, E, R>(options: Source & Filter, use: (log: LogReader.Log) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const path = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.readPath })
    const log = yield* LogReader.open({ path, table: Option.getOrUndefined(options.table), columns: columns(options) })
    if (resolve(log.path) !== resolve(path)) yield* Effect.logInfo(`${path} is not there; ${log.path} is read instead.`)
    yield* noteZones(options)
    return yield* Effect.ensuring(use(log), noteSkipped(log))
  }).pipe(Effect.scoped)

const columns = (options: Source): LogReader.Columns => ({
  time: Option.getOrUndefined(options.timeColumn),
  session: Option.getOrUndefined(options.sessionColumn),
  role: Option.getOrUndefined(options.roleColumn),
  message: Option.getOrUndefined(options.messageColumn),
  level: Option.getOrUndefined(options.levelColumn),
  metadata: Option.getOrUndefined(options.metadataColumn)
})

const noteZones = ({ period }: Filter) =>
  Effect.forEach(["since", "until"] as const, (name) => {
    const moment = Option.getOrUndefined(period[name])
    return moment?.assumedUtc === true
      ? Effect.logInfo(`--${name} ${moment.given} has no time zone; taken as UTC.`)
      : Effect.void
  })

const noteSkipped = (log: LogReader.Log) =>
  Effect.flatMap(log.skipped, (lines) =>
    lines === 0
      ? Effect.void
      : Effect.logInfo(
          `${log.path}: skipped ${lines} ${lines === 1 ? "line that is no event" : "lines that are no events"}, torn perhaps.`
        )
  )

/** An empty result says nothing on stdout, which looks like a fault. */
export const noteEmpty = (events: number) => (events === 0 ? Effect.logInfo("No events match.") : Effect.void)
