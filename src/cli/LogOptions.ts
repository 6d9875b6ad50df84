/**
 * The one grammar of the commands that read logs: which log, which events of it, in which order, printed how.
 *
 * A command takes those of the groups below that mean something to it. What an option says is checked here, so that every
 * command refuses the same words; what a log holds is not known yet, so any role or level may be asked for.
 */
import * as Options from "@effect/cli/Options"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as TimeExpression from "../services/logs/TimeExpression.ts"
import { usageError } from "./UsageError.ts"

/** A time, and how it was typed. */
export interface Moment extends TimeExpression.ParsedTime {
  readonly given: string
}

/** Where events are read from. */
export interface Source {
  readonly db: Option.Option<string>
  readonly table: Option.Option<string>
  readonly timeColumn: Option.Option<string>
  readonly sessionColumn: Option.Option<string>
  readonly roleColumn: Option.Option<string>
  readonly messageColumn: Option.Option<string>
  readonly levelColumn: Option.Option<string>
  readonly metadataColumn: Option.Option<string>
}

/** Which events. */
export interface Filter {
  readonly sessionId: Option.Option<string>
  readonly role: ReadonlyArray<string>
  readonly level: ReadonlyArray<string>
  readonly contains: Option.Option<string>
  readonly period: { readonly since: Option.Option<Moment>; readonly until: Option.Option<Moment> }
}

/** How many of them, in which order. */
export interface Page {
  readonly last: Option.Option<number>
  readonly limit: Option.Option<number>
  readonly offset: Option.Option<number>
  readonly order: Option.Option<"asc" | "desc">
}

export type Format = "text" | "json" | "ndjson" | "csv"

/** An optional word. `what` stands for it in the help. */
export const text = (name: string, description: string, what: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.withPseudoName(what), Options.optional)

const column = (name: string, what: string) =>
  text(`${name}-column`, `The column of ${what}. Default: found by its name`, "name")

export const source = {
  db: text(
    "db",
    "A SQLite database or a file of NDJSON, of codex or of anybody; .db and .sqlite are both tried. " +
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

/** A time in any of the forms of TimeExpression.ts. */
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
    `Not before this time. One of: ${TimeExpression.forms}. A date is its first moment; a span counts back from now.`
  ),
  until: moment("until", "before", "Not after this time.")
}).pipe(
  Options.mapEffect((period) => {
    const [since, until] = [Option.getOrUndefined(period.since), Option.getOrUndefined(period.until)]
    return since !== undefined && until !== undefined && since.seconds > until.seconds
      ? usageError(`--since ${since.given} is after --until ${until.given}: no event can lie between them.`)
      : Effect.succeed(period)
  })
)

export const filter = {
  sessionId: text("session-id", "Only this session.", "id"),
  role: Options.text("role").pipe(
    Options.withDescription("Only this role: user, assistant, system, tool, or another that the log has. Repeatable."),
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
    "Only messages with this text, taken literally; capital and small letters are the same.",
    "text"
  ),
  period
}

/** A whole number from 0 on, in digits. */
const whole = (name: string, aliases: ReadonlyArray<string>, description: string) =>
  aliases
    .reduce((option, alias) => Options.withAlias(option, alias), Options.text(name))
    .pipe(
      Options.withDescription(description),
      Options.withPseudoName("n"),
      Options.filterMap(
        (digits) =>
          /^\d+$/.test(digits) && Number.isSafeInteger(Number(digits)) ? Option.some(Number(digits)) : Option.none(),
        `Option "--${name}" must be a whole number from 0 on.`
      ),
      Options.optional
    )

export const last = (description: string, ...aliases: ReadonlyArray<string>) =>
  whole("last", ["tail", ...aliases], description)

const limit = whole("limit", [], "At most so many.")
const offset = whole("offset", [], "Skip so many first.")

const order = (description: string) =>
  Options.choice("order", ["asc", "desc"]).pipe(Options.withDescription(description), Options.optional)

export const page = {
  last: last("Of all that match, the newest so many."),
  limit,
  offset,
  order: order("asc: oldest first. desc: newest first. Default: asc")
}

/** The same for sessions, of which the newest are asked for most. */
export const sessionPage = {
  last: last("The newest so many sessions."),
  limit,
  offset,
  order: order("asc: oldest first. desc: newest first. Default: desc")
}

export const format = (byDefault: Format, texts: string) =>
  Options.choice("format", ["text", "json", "ndjson", "csv"]).pipe(
    Options.withDescription(
      `text: ${texts} json: one document. ndjson: one JSON object a line. csv: RFC 4180. Default: ${byDefault}`
    ),
    Options.withDefault(byDefault)
  )
