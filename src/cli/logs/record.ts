/**
 * codex logs record [--event start|message|end] [--role user] [--metadata key=value …] [-- <message>]
 *
 *     $ codex logs record --session-id shell-7 --role tool --metadata status=0 -- "make test"
 *
 * For scripts and shells. It returns when the event is on disk.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Json from "../../core/data/Json.ts"
import { Level, Role, sessionEnd, sessionStart } from "../../services/logs/SessionEvent.ts"
import { load, outsideSession } from "../Handler.ts"
import { text } from "../LogOptions.ts"
import { usageError } from "../UsageError.ts"

const event = Options.choice("event", ["start", "message", "end"]).pipe(
  Options.withDescription("start and end are the first and the last event of a session. Default: message"),
  Options.withDefault("message")
)
const sessionId = text("session-id", "The session. Default: CODEX_SESSION_ID", "id")
const db = text("db", "The log to write to. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db", "file")
const role = Options.choice("role", Role.literals).pipe(
  Options.withDescription("The role of the event. Default: user; system for start and end"),
  Options.optional
)
const level = Options.text("level").pipe(
  Options.withDescription(`${Level.literals.join(", ")}. Default: INFO`),
  Options.filterMap(
    (text) => Option.fromNullable(Level.literals.find((name) => name === text.toUpperCase())),
    `Option "--level" must be one of ${Level.literals.join(", ")}.`
  ),
  Options.optional
)
const at = Options.float("at").pipe(
  Options.withDescription("The time of the event, in seconds since 1970. Default: now"),
  Options.withPseudoName("seconds"),
  Options.optional
)
const metadata = Options.text("metadata").pipe(
  Options.withDescription("key=value; a value that is JSON is parsed. Repeatable."),
  Options.repeated
)
const stdin = Options.boolean("stdin").pipe(Options.withDescription("Read the message from stdin."))
const message = Args.text({ name: "message" }).pipe(
  Args.withDescription("The message, after -- if it begins with a dash."),
  Args.optional
)

export const record = Command.make(
  "record",
  { event, sessionId, db, role, level, at, metadata, stdin, message },
  outsideSession((options) =>
    Effect.gen(function* () {
      const [LogEnvironment, { SessionLog }, { SqlitePool }] = yield* load(() =>
        Promise.all([
          import("../../services/logs/LogEnvironment.ts"),
          import("../../services/logs/SessionLog.ts"),
          import("../../services/logs/write/SqlitePool.ts")
        ])
      )
      if (Option.isNone(options.sessionId) && Option.isNone(yield* LogEnvironment.inheritedSession)) {
        return yield* usageError("There is no session to write to: name it with --session-id, or set CODEX_SESSION_ID.")
      }
      if (Option.exists(options.at, (at) => !Number.isFinite(at))) {
        return yield* usageError("--at must be a finite number.")
      }
      const message = yield* messageOf(options)
      const metadata = yield* metadataOf(options)
      yield* SessionLog.attach({
        id: Option.getOrUndefined(options.sessionId),
        db: Option.getOrUndefined(options.db)
      }).pipe(
        Effect.flatMap((session) =>
          session.logAll([
            {
              role: Option.getOrElse(options.role, (): Role => (options.event === "message" ? "user" : "system")),
              message,
              metadata,
              level: Option.getOrUndefined(options.level),
              ts: Option.getOrUndefined(options.at)
            }
          ])
        ),
        Effect.scoped,
        Effect.provide(SqlitePool.layer)
      )
    })
  )
).pipe(
  Command.withDescription(
    "Write one event of a session, from a script or a shell. " +
      "Example: codex logs record --session-id deploy-7 --role tool --metadata status=0 -- 'make test'"
  )
)

interface MessageOptions {
  readonly event: "start" | "message" | "end"
  readonly stdin: boolean
  readonly message: Option.Option<string>
}

const messageOf = ({ event, message, stdin }: MessageOptions) =>
  Effect.gen(function* () {
    if (event === "message") {
      if (stdin && Option.isSome(message)) return yield* usageError("Give the message or --stdin, not both.")
      if (!stdin && Option.isNone(message)) {
        return yield* usageError("There is no message: give it as an argument, or use --stdin.")
      }
      const Input = yield* load(() => import("../Input.ts"))
      return yield* Input.read({ text: message, file: Option.none() }, "message")
    }
    if (stdin || Option.isSome(message)) return yield* usageError(`The event ${event} has no message.`)
    return event === "start" ? sessionStart : sessionEnd
  })

const metadataOf = ({ event, metadata }: { readonly event: string; readonly metadata: ReadonlyArray<string> }) =>
  Effect.gen(function* () {
    const found = new Map<string, unknown>(event === "end" ? [["outcome", "success"]] : [])
    for (const word of metadata) {
      const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(word) ?? []
      if (key === undefined || value === undefined) {
        return yield* usageError(`--metadata ${JSON.stringify(word)} must be key=value.`)
      }
      const parsed = Either.getOrElse(Json.parse(value), () => value)
      // JSON.parse makes an infinity of 1e400.
      found.set(key, Predicate.isNumber(parsed) && !Number.isFinite(parsed) ? value : parsed)
    }
    return Object.fromEntries(found)
  })
