/**
 * How a command's handler runs: with the caller's console, in a logged session or (commands on logs themselves) outside of one.
 *
 *     Command.make("list", { kind, json }, inSession(({ kind, json }) => …))
 *
 * A handler imports what it computes with by `load`: every start of the command loads all files of commands, and what they
 * import statically.
 */
import * as ValidationError from "@effect/cli/ValidationError"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { LoggingConfig } from "../core/config/RunConfig.ts"
import type { Metadata, Role } from "../services/logs/SessionEvent.ts"
import * as ParserConsole from "./ParserConsole.ts"
import type { UsageError } from "./UsageError.ts"

/** The command line that is being run, as session logs and the journal record it. */
export class Invocation extends Context.Tag("codex/cli/Invocation")<
  Invocation,
  {
    /** With its groups: `codex tokenizer train`. */
    readonly command: string
    /** The words after that. */
    readonly arguments: ReadonlyArray<string>
    /** The message for a fault of this line. */
    readonly explain: (error: ValidationError.ValidationError) => UsageError
  }
>() {}

/** Modules that only the running command needs: `yield* load(() => import("../jobs/Run.ts"))`. */
export const load = <A>(modules: () => Promise<A>): Effect.Effect<A> => Effect.promise(modules)

/** Records in one line what a command did: in the project's journal and in the session. */
export const recordResult = (text: string) =>
  Effect.flatMap(
    load(() => import("../services/logs/ChangeJournal.ts")),
    ({ ChangeJournal }) => ChangeJournal.result(text)
  )

/** Records an event in the session. If it cannot be written, a warning says so when the session ends. */
export const recordEvent = (role: Role, message: string, metadata?: Metadata) =>
  Effect.flatMap(
    load(() => import("../services/logs/SessionLog.ts")),
    ({ SessionLog }) => Effect.ignore(Effect.flatMap(SessionLog, (session) => session.log(role, message, metadata)))
  )

/** Runs a handler in a session, logged with the default settings. */
export const inSession =
  <Options, A, E, R>(run: (options: Options) => Effect.Effect<A, E, R>) =>
  (options: Options) =>
    withSession(Effect.succeed({}), () => run(options))

/**
 * Runs a handler in a session with the settings of a config. `prepare` finds them, and whatever else it returns is done once
 * and passed on. If it fails, the session has the default settings, and the failure is the command's.
 */
export const inPreparedSession =
  <Options, P extends { readonly logging: LoggingConfig }, E, R, A, E2, R2>(
    prepare: (options: NoInfer<Options>) => Effect.Effect<P, E, R>,
    run: (prepared: P, options: Options) => Effect.Effect<A, E2, R2>
  ) =>
  (options: Options) =>
    withSession(prepare(options), (prepared) => run(prepared, options))

/** Runs a handler that reads or changes logs: a session would change what it reads. A failure is recorded in the journal. */
export const outsideSession =
  <Options, A, E, R>(run: (options: Options) => Effect.Effect<A, E, R>) =>
  (options: Options) =>
    Effect.gen(function* () {
      const { ChangeJournal, SessionLog, withoutSecrets } = yield* logging
      const { explain, ...invocation } = yield* Invocation
      if (yield* SessionLog.isEnabled) {
        const redact = yield* Config.withDefault(Config.boolean("CODEX_LOG_REDACT"), false)
        yield* ChangeJournal.open({ ...invocation, successes: false, redact: redact ? withoutSecrets : undefined })
      }
      return yield* Effect.mapError(run(options), explaining(explain))
    }).pipe(Effect.scoped, ParserConsole.without)

/**
 * A session log, the project's journal, and Effect's logs and spans as events. A log that cannot be written is a warning, and
 * the command runs without it. With logging turned off (CODEX_SESSION_LOGGING=0, or the config's `logging.session: false`)
 * nothing is written at all.
 */
const withSession = <P extends { readonly logging?: LoggingConfig }, E, R, A, E2, R2>(
  prepare: Effect.Effect<P, E, R>,
  run: (prepared: P) => Effect.Effect<A, E2, R2>
) =>
  Effect.gen(function* () {
    const { ChangeJournal, defaults, SessionLog, withoutSecrets } = yield* logging
    const { explain, ...invocation } = yield* Invocation
    const prepared = yield* Effect.exit(prepare)
    const settings = (Exit.isSuccess(prepared) ? prepared.value.logging : undefined) ?? defaults
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
    // Without a session nothing says whether secrets may be written, so they are not.
    const journal =
      Option.isNone(opened) || session.enabled
        ? yield* ChangeJournal.open({
            ...invocation,
            session: session.enabled ? session.id : undefined,
            redact: session.enabled ? session.redact : withoutSecrets
          })
        : ChangeJournal.silent
    return yield* prepared.pipe(
      Effect.flatMap(run),
      Effect.mapError(explaining(explain)),
      Effect.provide(SessionLog.recorder),
      Effect.provideService(SessionLog, session),
      Effect.provideService(ChangeJournal, {
        result: (text) => Effect.zipRight(journal.result(text), Effect.ignore(session.log("tool", text)))
      })
    )
  }).pipe(
    Effect.scoped,
    (effect) => Effect.flatMap(logging, ({ SqlitePool }) => Effect.provide(effect, SqlitePool.layer)),
    ParserConsole.without
  )

/** A wrong line that only a handler can detect is recorded with the message that stderr shows. */
const explaining =
  (explain: Context.Tag.Service<Invocation>["explain"]) =>
  <E>(error: E) =>
    ValidationError.isValidationError(error) ? explain(error) : error

const logging = Effect.map(
  load(() =>
    Promise.all([
      import("../core/config/RunConfig.ts"),
      import("../core/data/Redaction.ts"),
      import("../services/logs/ChangeJournal.ts"),
      import("../services/logs/SessionLog.ts"),
      import("../services/logs/write/SqlitePool.ts")
    ])
  ),
  ([{ LoggingConfig }, { defaultRules, redact }, { ChangeJournal }, { SessionLog }, { SqlitePool }]) => ({
    ChangeJournal,
    SessionLog,
    SqlitePool,
    defaults: Schema.decodeSync(LoggingConfig)({}),
    withoutSecrets: (text: string) => redact(text, defaultRules)
  })
)
