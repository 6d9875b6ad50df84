/**
 * What surrounds a handler: a session's log, the project's journal, and Effect's logs and spans as events.
 *
 * A log that cannot be written is a warning: the command goes on, and is in the journal. With logging turned off (CODEX_SESSION_LOGGING=0, or the
 * config's `logging.session: false`) nothing is written at all.
 */
import * as ValidationError from "@effect/cli/ValidationError"
import * as Config from "effect/Config"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { LoggingConfig } from "../core/config/RunConfig.ts"
import * as Redaction from "../core/data/Redaction.ts"
import { ChangeJournal } from "../services/logs/ChangeJournal.ts"
import { SessionLog } from "../services/logs/SessionLog.ts"
import { SqlitePool } from "../services/logs/write/SqlitePool.ts"
import { Invocation } from "./Invocation.ts"

const withoutSecrets = (text: string): string => Redaction.redact(text, Redaction.defaultRules)

const defaults = Schema.decodeSync(LoggingConfig)({})

/** A wrong line that only the handler could see is written down as it is told. */
const explaining =
  (explain: Context.Tag.Service<Invocation>["explain"]) =>
  <E>(error: E) =>
    ValidationError.isValidationError(error) ? explain(error) : error

/** Runs the handler in a session. `logging` says what the command's config has to say of it. */
export const recorded = <A, E, R, R2 = never>(
  handler: Effect.Effect<A, E, R>,
  logging: Effect.Effect<LoggingConfig, never, R2> = Effect.succeed(defaults)
) =>
  Effect.gen(function* () {
    const { explain, ...invocation } = yield* Invocation
    const settings = yield* logging
    const opened = yield* SessionLog.open({
      enabled: settings.session,
      ndjson: settings.ndjson ? undefined : false,
      redact: settings.redact ? true : undefined,
      metadata: invocation
    }).pipe(
      Effect.asSome,
      Effect.catchTag("SessionLogError", (error) =>
        Effect.as(Effect.logWarning(`This command is not in the session log. ${error.message}`), Option.none())
      )
    )
    const session = Option.getOrElse(opened, () => SessionLog.silent)
    // Without a session nobody says whether secrets may be written: they are not.
    const journal =
      Option.isNone(opened) || session.enabled
        ? yield* ChangeJournal.open({
            ...invocation,
            session: session.enabled ? session.id : undefined,
            redact: session.enabled ? session.redact : withoutSecrets
          })
        : ChangeJournal.silent
    return yield* handler.pipe(
      Effect.mapError(explaining(explain)),
      Effect.provide(SessionLog.recorder),
      Effect.provideService(SessionLog, session),
      Effect.provideService(ChangeJournal, {
        result: (text) => Effect.zipRight(journal.result(text), Effect.ignore(session.log("tool", text)))
      })
    )
  }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))

/** Runs a handler that reads or tends logs: in no session, which would change what it reads; a failure is in the journal. */
export const journalled = <A, E, R>(handler: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { explain, ...invocation } = yield* Invocation
    if (yield* SessionLog.isEnabled) {
      const redact = yield* Config.withDefault(Config.boolean("CODEX_LOG_REDACT"), false)
      yield* ChangeJournal.open({ ...invocation, successes: false, redact: redact ? withoutSecrets : undefined })
    }
    return yield* Effect.mapError(handler, explaining(explain))
  }).pipe(Effect.scoped)
