/**
 * codex logs record [--event start|message|end] [--role user] [--metadata key=value …] [-- <message>]
 *
 *     $ codex logs record --session-id shell-7 --role tool --metadata status=0 -- "make test"
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import { Level, Role } from "../../services/logs/SessionEvent.ts"
import { lazyUnrecorded } from "../Lazy.ts"
import { text } from "../LogOptions.ts"

const event = Options.choice("event", ["start", "message", "end"]).pipe(
  Options.withDescription("start and end are the events that enclose a session. Default: message"),
  Options.withDefault("message")
)
const sessionId = text("session-id", "The session. Default: CODEX_SESSION_ID", "id")
const db = text("db", "Where to write. Default: CODEX_LOG_DB_PATH, else .codex/session_logs.db", "file")
const role = Options.choice("role", Role.literals).pipe(
  Options.withDescription("Who speaks. Default: user; system for start and end"),
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
  Options.withDescription("When it happened, in seconds since 1970. Default: now"),
  Options.withPseudoName("seconds"),
  Options.optional
)
const metadata = Options.text("metadata").pipe(
  Options.withDescription("key=value, the value as JSON where it is JSON; may be repeated."),
  Options.repeated
)
const stdin = Options.boolean("stdin").pipe(Options.withDescription("Read the message from stdin."))
const message = Args.text({ name: "message" }).pipe(
  Args.withDescription("The message; after -- where it begins with a dash."),
  Args.optional
)

export const record = Command.make(
  "record",
  { event, sessionId, db, role, level, at, metadata, stdin, message },
  lazyUnrecorded(() => import("../handlers/logs-record.ts"))
).pipe(
  Command.withDescription(
    "Write one event of a session, from a script or a shell. " +
      "Example: codex logs record --session-id deploy-7 --role tool --metadata status=0 -- 'make test'"
  )
)
