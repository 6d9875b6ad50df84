/**
 * What the commands that read logs do with their options: open the log, select events, print them. Notes about what a user may not
 * expect go to stderr.
 */
import { resolve } from "node:path"
import type * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LogQuery } from "../services/logs/LogQuery.ts"
import type * as LogReader from "../services/logs/LogReader.ts"
import { load } from "./Handler.ts"
import type { Format, filter, page, source } from "./LogOptions.ts"
import { colour } from "./Process.ts"
import type { Printer } from "./render/EventPrinter.ts"
import { plural } from "./render/Format.ts"

type Parsed<Config extends Command.Command.Config> = Command.Command.ParseConfig<Config>
type Filter = Parsed<typeof filter>

/** The query of the options. */
export const queryOf = (options: Filter & Partial<Parsed<typeof page>>): LogQuery => ({
  sessionId: Option.getOrUndefined(options.sessionId),
  roles: options.role,
  levels: options.level,
  contains: Option.getOrUndefined(options.contains),
  since: Option.getOrUndefined(options.period.since)?.seconds,
  until: Option.getOrUndefined(options.period.until)?.seconds,
  order: valueOf(options.order),
  last: valueOf(options.last),
  offset: valueOf(options.offset),
  limit: valueOf(options.limit)
})

const valueOf = <A>(option: Option.Option<A> | undefined): A | undefined =>
  option === undefined ? undefined : Option.getOrUndefined(option)

/** Opens the log and runs `use`. Skipped lines are reported at the end, also after Ctrl-C. */
export const withLog = <A, E, R>(
  options: Parsed<typeof source> & Filter,
  use: (log: LogReader.Log) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const [LogEnvironment, LogReader] = yield* load(() =>
      Promise.all([import("../services/logs/LogEnvironment.ts"), import("../services/logs/LogReader.ts")])
    )
    const path = yield* Option.match(options.db, { onSome: Effect.succeed, onNone: () => LogEnvironment.readPath })
    const log = yield* LogReader.open({
      path,
      table: Option.getOrUndefined(options.table),
      columns: {
        time: Option.getOrUndefined(options.timeColumn),
        session: Option.getOrUndefined(options.sessionColumn),
        role: Option.getOrUndefined(options.roleColumn),
        message: Option.getOrUndefined(options.messageColumn),
        level: Option.getOrUndefined(options.levelColumn),
        metadata: Option.getOrUndefined(options.metadataColumn)
      }
    })
    if (resolve(log.path) !== resolve(path)) {
      yield* Effect.logInfo(`There is no file ${path}. Reading ${log.path} instead.`)
    }
    yield* noteZones(options)
    return yield* Effect.ensuring(use(log), noteSkipped(log))
  }).pipe(Effect.scoped)

const noteZones = ({ period }: Filter) =>
  Effect.forEach(["since", "until"] as const, (name) =>
    Option.match(
      Option.filter(period[name], ({ assumedUtc }) => assumedUtc),
      {
        onNone: () => Effect.void,
        onSome: ({ given }) => Effect.logInfo(`--${name} ${given} has no time zone and is read as UTC.`)
      }
    )
  )

const noteSkipped = (log: LogReader.Log) =>
  Effect.flatMap(log.skipped, (lines) =>
    lines === 0
      ? Effect.void
      : Effect.logInfo(
          `${log.path}: skipped ${plural(lines, { one: "line that is not an event", other: "lines that are not events" })}, possibly torn by a crash.`
        )
  )

/** An empty result prints nothing to stdout, which looks like a fault. */
export const noteEmpty = (events: number) => (events === 0 ? Effect.logInfo("No events match.") : Effect.void)

/** Prints the selected events to stdout; `layout` is that of the format `text`. */
export const printEvents = (
  options: Parsed<typeof source> & Filter & Parsed<typeof page> & { readonly format: Format },
  layout: "lines" | "blocks"
) =>
  withLog(options, (log) =>
    Effect.gen(function* () {
      const { print, toStdout } = yield* eventPrinter
      const printer = yield* printerOf(options.format, layout)
      const events = yield* print(log.events(queryOf(options)), printer, toStdout)
      if (options.format === "text") yield* noteEmpty(events)
    })
  )

/** Loaded when a command runs: CSV needs a library. */
export const eventPrinter = load(() => import("./render/EventPrinter.ts"))

/** The printer of a format. Text for stdout is colored if that is a terminal. */
export const printerOf = (
  format: Format,
  layout: "lines" | "blocks",
  style = { colour: colour(process) }
): Effect.Effect<Printer> =>
  Effect.map(eventPrinter, ({ csv, json, ndjson, [layout]: text }) =>
    ({ csv, json, ndjson, text: () => text(style) })[format]()
  )
