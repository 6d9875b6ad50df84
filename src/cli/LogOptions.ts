/**
 * Options of the commands that read logs: which log, which of its events, in which order, printed how.
 *
 * A command takes the groups that it needs. Values are checked here, so that all commands refuse the same ones; any role or level is
 * accepted, because logs may have their own.
 */
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as TimeExpression from "../services/logs/TimeExpression.ts"
import { usageError } from "./UsageError.ts"

/** A time, and the text of the option. */
export interface Moment extends TimeExpression.ParsedTime {
  readonly given: string
}

/** How events are printed. */
export type Format = "text" | "json" | "ndjson" | "csv"

/** An optional text. Help shows `placeholder` as its value. */
export const text = (name: string, description: string, placeholder: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.withPseudoName(placeholder), Options.optional)

const column = (name: string, what: string) =>
  text(`${name}-column`, `The column of ${what}. Default: detected by its name`, "name")

/** Which log to read. */
export const source = {
  db: text(
    "db",
    "A SQLite database or an NDJSON file, of codex or another program; .db and .sqlite are both tried. " +
      "Default: CODEX_LOG_DB_PATH, CODEX_DB_PATH, else .codex/session_logs.db",
    "file"
  ),
  table: text("table", "The table or view to read. Default: the one that looks most like a log", "name"),
  timeColumn: column("time", "times"),
  sessionColumn: column("session", "sessions"),
  roleColumn: column("role", "roles"),
  messageColumn: column("message", "messages"),
  levelColumn: column("level", "levels"),
  metadataColumn: column("metadata", "metadata")
}

/** A time in any form of TimeExpression.ts. */
export const time = (name: string) =>
  Options.text(name).pipe(
    Options.withPseudoName("time"),
    Options.mapEffect((given) =>
      Effect.flatMap(Clock.currentTimeMillis, (millis) =>
        Either.match(TimeExpression.parse(given, millis / 1000), {
          onLeft: (error) => usageError(`Option "--${name}": ${error.message}`),
          onRight: (time) => Effect.succeed<Moment>({ ...time, given })
        })
      )
    )
  )

const moment = (name: string, alias: string, description: string) =>
  time(name).pipe(Options.withAlias(alias), Options.withDescription(description), Options.optional)

const period = Options.all({
  since: moment(
    "since",
    "after",
    `Only events at or after this time. One of: ${TimeExpression.forms}. A date means its first moment; a duration counts back from now.`
  ),
  until: moment("until", "before", "Only events at or before this time.")
}).pipe(
  Options.mapEffect((period) => {
    const [since, until] = [Option.getOrUndefined(period.since), Option.getOrUndefined(period.until)]
    return since !== undefined && until !== undefined && since.seconds > until.seconds
      ? usageError(`--since ${since.given} is after --until ${until.given}: no event can be between them.`)
      : Effect.succeed(period)
  })
)

/** Which events. */
export const filter = {
  sessionId: text("session-id", "Only this session.", "id"),
  role: Options.text("role").pipe(
    Options.withDescription("Only this role: user, assistant, system, tool, or another one of the log. Repeatable."),
    Options.withPseudoName("role"),
    Options.repeated
  ),
  level: Options.text("level").pipe(
    Options.withDescription("Only this level: trace, debug, info, warn, error, fatal. Repeatable, or with commas."),
    Options.withPseudoName("level"),
    Options.repeated,
    Options.map((words) => words.flatMap((word) => word.split(",")).filter((word) => word.trim() !== ""))
  ),
  contains: text(
    "contains",
    "Only messages that contain this text, literally; upper and lower case are the same.",
    "text"
  ),
  period
}

const wholeNumber = (name: string, aliases: ReadonlyArray<string>, description: string) =>
  aliases
    .reduce((option, alias) => Options.withAlias(option, alias), Options.text(name))
    .pipe(
      Options.withDescription(description),
      Options.withPseudoName("n"),
      Options.filterMap(
        (digits) =>
          /^\d+$/.test(digits) && Number.isSafeInteger(Number(digits)) ? Option.some(Number(digits)) : Option.none(),
        `Option "--${name}" must be a whole number, 0 or more.`
      ),
      Options.optional
    )

/** The number of newest events or sessions, with further aliases. */
export const last = (description: string, ...aliases: ReadonlyArray<string>) =>
  wholeNumber("last", ["tail", ...aliases], description)

const limit = wholeNumber("limit", [], "At most n of them.")
const offset = wholeNumber("offset", [], "Skip the first n.")

const order = (description: string) =>
  Options.choice("order", ["asc", "desc"]).pipe(Options.withDescription(description), Options.optional)

/** How many events, in which order. */
export const page = {
  last: last("Only the newest n of the matching events."),
  limit,
  offset,
  order: order("asc: oldest first. desc: newest first. Default: asc")
}

/** How many sessions, in which order; by default the newest come first. */
export const sessionPage = {
  last: last("Only the newest n sessions."),
  limit,
  offset,
  order: order("asc: oldest first. desc: newest first. Default: desc")
}

/** The format; `textDescription` says what `text` prints. */
export const format = (byDefault: Format, textDescription: string) =>
  Options.choice("format", ["text", "json", "ndjson", "csv"]).pipe(
    Options.withDescription(
      `text: ${textDescription} json: one document. ndjson: one JSON object per line. csv: RFC 4180. Default: ${byDefault}`
    ),
    Options.withDefault(byDefault)
  )
