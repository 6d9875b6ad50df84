/**
 * The log of a session: what happened, who said it, how it ended. It is a scoped resource: opening it writes `session_start`, and
 * when the scope closes, for whatever reason, `session_end` with outcome and duration is written last.
 *
 *     const program = Effect.gen(function* () {
 *       const session = yield* SessionLog
 *       yield* session.log("user", "hello")          // returns when it is on disk
 *       yield* Effect.log("also an event").pipe(Effect.annotateLogs({ step: 3 }))
 *     })
 *     program.pipe(Effect.provide(SessionLog.layer()), Effect.provide(SqlitePool.layer))
 *
 * Events go to `.codex/session_logs.db` (CODEX_LOG_DB_PATH) and to `.codex/sessions/<id>.ndjson`; a database path that ends in
 * `.ndjson` means this file alone. Where SQLite is not installed, a warning says so, and `.codex/session_logs.ndjson` takes the
 * place of the database. CODEX_SESSION_ID names the session to take part in; processes that are started while a
 * session is open inherit it. CODEX_SESSION_LOGGING=0 turns logging off, =1 turns it on even if a config turned it off;
 * CODEX_LOG_REDACT=1 removes secrets from what is written.
 */
import { randomUUID } from "node:crypto"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Redaction from "../../core/data/Redaction.ts"
import { plural } from "../../core/Plural.ts"
import { version } from "../../core/Version.ts"
import * as LogEnvironment from "./LogEnvironment.ts"
import {
  Level,
  type Metadata,
  type Outcome,
  plainMetadata,
  Role,
  SessionId,
  type StoredEvent,
  sessionEnd,
  sessionStart,
  toLine
} from "./SessionEvent.ts"
import { ndjsonSink, SessionLogError, type Sink, withoutSqlite } from "./write/Sink.ts"
import { SqlitePool, sqliteSink } from "./write/SqlitePool.ts"
import * as Telemetry from "./write/Telemetry.ts"
import * as Writer from "./write/Writer.ts"

/**
 * The tag of an open session, and the ways to open one.
 *
 * @example
 *   yield* SessionLog.open({ db: "demo.db", ndjson: false })
 */
export class SessionLog extends Context.Tag("codex/SessionLog")<SessionLog, SessionLog.Service>() {
  /** A log that could not be opened or written. */
  static readonly Error = SessionLogError

  /**
   * Opens a session for the scope. A process may have several open; those of one database share a connection. Fails with
   * `SessionLogError` if the log cannot be opened.
   */
  static open(
    options: SessionLog.Options = {}
  ): Effect.Effect<SessionLog.Service, SessionLogError | ConfigError.ConfigError, Scope.Scope | SqlitePool> {
    return open(options)
  }

  /** Takes part in a session that another process begins and ends: as `open`, without these two events. */
  static attach(
    options: SessionLog.Options = {}
  ): Effect.Effect<SessionLog.Service, SessionLogError | ConfigError.ConfigError, Scope.Scope | SqlitePool> {
    return attach(options)
  }

  /** A session for the layer's scope that also records what is logged through Effect, and spans (`recorder`). */
  static layer(
    options: SessionLog.Options = {}
  ): Layer.Layer<SessionLog, SessionLogError | ConfigError.ConfigError, SqlitePool> {
    return Layer.provideMerge(SessionLog.recorder, Layer.scoped(SessionLog, open(options)))
  }

  /** Whether the environment allows logging: CODEX_SESSION_LOGGING. */
  static readonly isEnabled: Effect.Effect<boolean, ConfigError.ConfigError> = Effect.suspend(() => isEnabled())

  /** A session that writes nothing. */
  static readonly silent: SessionLog.Service = {
    id: "none",
    enabled: false,
    paths: [],
    redact: (text) => text,
    log: () => Effect.void,
    logAll: () => Effect.void,
    post: () => {},
    flush: Effect.void
  }

  /** Adds to the session what is logged through Effect, and spans when they end. Other loggers and tracers keep working. */
  static readonly recorder: Layer.Layer<never, never, SessionLog> = Layer.unwrapEffect(
    Effect.gen(function* () {
      const { post } = yield* SessionLog
      const before = yield* Effect.tracer
      return Layer.merge(Logger.add(Telemetry.logger(post)), Layer.setTracer(Telemetry.tracer(before, post)))
    })
  )
}

/** The types of a session. */
export declare namespace SessionLog {
  type Error = SessionLogError
  type Posted = Telemetry.Posted
  /** Where a session is written, and how. */
  interface Options {
    /** The id. Default: CODEX_SESSION_ID, else a new one. */
    readonly id?: string | undefined
    /** The database; a path that ends in `.ndjson` is written as NDJSON; `false` writes none. Default: CODEX_LOG_DB_PATH. */
    readonly db?: string | false | undefined
    /** The copy as NDJSON; `false` writes none. Default: `.codex/sessions/<id>.ndjson`. */
    readonly ndjson?: string | false | undefined
    /** Whether to remove secrets, with the default rules or with these. Default: CODEX_LOG_REDACT. */
    readonly redact?: boolean | ReadonlyArray<Redaction.Rule> | undefined
    /** Whether to write at all; CODEX_SESSION_LOGGING takes precedence. Default true. */
    readonly enabled?: boolean | undefined
    /** Metadata of `session_start`, in addition to process id, directory and versions. */
    readonly metadata?: Metadata | undefined
  }

  /** An open session. */
  interface Service {
    readonly id: string
    /** False if logging is off: then nothing is written. */
    readonly enabled: boolean
    /** The files that are written. */
    readonly paths: ReadonlyArray<string>
    /** Removes secrets from a text by the rules of the session. */
    readonly redact: (text: string) => string
    /** Returns when the event is written: from then on no crash loses it. Waits while writing is behind. */
    readonly log: (
      role: Role,
      message: string,
      metadata?: Metadata,
      level?: Level
    ) => Effect.Effect<void, SessionLogError>
    /** Writes several events in order, in one commit. */
    readonly logAll: (events: ReadonlyArray<Event>) => Effect.Effect<void, SessionLogError>
    /** For callers that cannot wait, such as a Logger: written soon, and at the latest when the session ends. Role `system`. */
    readonly post: (event: Telemetry.Posted) => void
    /** Waits until all events so far are written. */
    readonly flush: Effect.Effect<void, SessionLogError>
  }

  /** An event to write. */
  interface Event {
    readonly role: Role
    readonly message: string
    readonly metadata?: Metadata | undefined
    /** Default INFO. */
    readonly level?: Level | undefined
    /** The time, in seconds since 1970. Default: now. */
    readonly ts?: number | undefined
  }
}

const attach = (options: SessionLog.Options) =>
  Effect.gen(function* () {
    const id = yield* idOf(options.id)
    if (!(yield* isEnabled(options.enabled))) return { ...SessionLog.silent, id }

    const sinks = yield* sinksOf(id, options)
    const writer = yield* Writer.make(sinks)
    const rules = yield* rulesOf(options.redact)
    const clock = yield* Effect.clock

    let last = 0
    /** Never earlier than the previous event: time order is the order of writing, even if the clock is set back. */
    const now = () => {
      last = Math.max(last, clock.unsafeCurrentTimeMillis() / 1000)
      return last
    }
    const lineOf = ({ level = "INFO", message, metadata = {}, role, ts = now() }: SessionLog.Event): string => {
      const event: StoredEvent = { ts, session_id: id, role, level, message, metadata }
      return toLine(rules.length === 0 ? event : redacted(event, rules))
    }
    const logAll: SessionLog.Service["logAll"] = (events) =>
      Effect.suspend(() => {
        for (const event of events) {
          const error = invalid(event)
          if (error !== undefined) return error
        }
        return events.length === 0 ? Effect.void : writer.append(events.map(lineOf))
      })

    yield* Effect.addFinalizer(() =>
      Effect.flatMap(writer.lost, ({ error, lines }) =>
        error === undefined || lines === 0
          ? Effect.void
          : Effect.logWarning(`Lost ${plural(lines, "event")} of session ${id}. ${error.message}`)
      )
    )
    return SessionLog.of({
      id,
      enabled: true,
      redact: (text) => Redaction.redact(text, rules),
      paths: sinks.map(({ path }) => path),
      log: (role, message, metadata, level) => logAll([{ role, message, metadata, level }]),
      logAll,
      post: ({ level, message, metadata }) => writer.post(lineOf({ role: "system", level, message, metadata })),
      flush: writer.flush
    })
  })

const open = (options: SessionLog.Options) =>
  Effect.gen(function* () {
    const session = yield* attach(options)
    if (!session.enabled) return session
    const started = yield* Clock.currentTimeMillis
    yield* session.log("system", sessionStart, { ...facts(), ...options.metadata })
    yield* Effect.addFinalizer((exit) =>
      Effect.gen(function* () {
        const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
        yield* session.logAll([endOf(exit, seconds)])
      }).pipe(
        Effect.catchAll((error) =>
          Effect.logWarning(`The end of session ${session.id} could not be logged. ${error.message}`)
        )
      )
    )
    yield* LogEnvironment.exportSession(session.id)
    return session
  })

/** CODEX_SESSION_LOGGING, else the option. */
const isEnabled = (given = true): Effect.Effect<boolean, ConfigError.ConfigError> =>
  Config.withDefault(Config.boolean("CODEX_SESSION_LOGGING"), given)

const idOf = (given: string | undefined) =>
  Effect.gen(function* () {
    const [source, id] =
      given !== undefined
        ? ["id", given]
        : ["CODEX_SESSION_ID", Option.getOrUndefined(yield* LogEnvironment.inheritedSession) ?? (yield* newId)]
    return yield* Effect.mapError(
      Schema.decode(SessionId)(id),
      () =>
        new SessionLogError({
          reason: "Id",
          path: source,
          details: `${JSON.stringify(id.slice(0, 200))} is not a valid session id.`,
          remedy: "Use 1 to 128 letters, digits, _, - and ., starting with a letter, a digit or _."
        })
    )
  })

/** Ids sort by the time of the start. */
const newId = Effect.map(
  Clock.currentTimeMillis,
  (now) => `${new Date(now).toISOString().slice(0, 19).replace(/:/g, "-")}Z-${randomUUID().slice(0, 8)}`
)

const sinksOf = (
  id: string,
  { db, ndjson }: SessionLog.Options
): Effect.Effect<ReadonlyArray<Sink>, SessionLogError | ConfigError.ConfigError, Scope.Scope | SqlitePool> =>
  Effect.gen(function* () {
    const path = db === false ? undefined : (db ?? (yield* LogEnvironment.databasePath))
    if (path?.endsWith(".ndjson")) return [yield* ndjsonSink({ path, sync: true })]
    const copy = ndjson === false ? undefined : (ndjson ?? `${yield* LogEnvironment.sessionsDirectory}/${id}.ndjson`)
    const database = path === undefined ? [] : [yield* databaseSink(path)]
    const file = copy === undefined ? [] : [yield* ndjsonSink({ path: copy, sync: path === undefined })]
    return [...database, ...file]
  })

/** The database, or the file of NDJSON that takes its place where SQLite is not installed. */
const databaseSink = (path: string) =>
  Effect.gen(function* () {
    const pool = yield* SqlitePool
    return yield* pool.open(path).pipe(
      Effect.map(sqliteSink),
      Effect.catchIf(
        ({ reason }) => reason === "Unavailable",
        ({ details, remedy }) =>
          Effect.zipRight(
            Effect.logWarning(`${details} The session log is ${withoutSqlite(path)}. ${remedy}`),
            ndjsonSink({ path: withoutSqlite(path), sync: true })
          )
      )
    )
  })

const rulesOf = (given: SessionLog.Options["redact"]) =>
  Effect.gen(function* () {
    const redact = given ?? (yield* Config.withDefault(Config.boolean("CODEX_LOG_REDACT"), false))
    return typeof redact === "boolean" ? (redact ? Redaction.defaultRules : []) : redact
  })

const redacted = (event: StoredEvent, rules: ReadonlyArray<Redaction.Rule>): StoredEvent => ({
  ...event,
  message: Redaction.redact(event.message, rules),
  metadata: Redaction.redactRecord(plainMetadata(event.metadata), rules)
})

const roles: ReadonlySet<string> = new Set(Role.literals)
const levels: ReadonlySet<string> = new Set(Level.literals)

/** Checks an event that TypeScript has not checked. An invalid one would fail the batch of others. */
const invalid = ({ level = "INFO", message, role, ts = 0 }: SessionLog.Event): SessionLogError | undefined => {
  const wrong = (path: string, found: unknown, remedy: string) =>
    new SessionLogError({
      reason: "Event",
      path,
      details: `${String(found)} is not a valid ${path} of an event.`,
      remedy
    })
  if (!roles.has(role)) return wrong("role", role, `Use ${Role.literals.join(", ")}.`)
  if (!levels.has(level)) return wrong("level", level, `Use ${Level.literals.join(", ")}.`)
  if (typeof message !== "string") return wrong("message", message, "Use a string.")
  return Number.isFinite(ts) ? undefined : wrong("ts", ts, "Use seconds since 1970.")
}

const facts = (): Metadata => ({ pid: process.pid, cwd: process.cwd(), codex: version, node: process.version })

const endOf = (exit: Exit.Exit<unknown, unknown>, seconds: number): SessionLog.Event => {
  const outcome = exitOutcome(exit)
  const error = Exit.isFailure(exit) && outcome !== "interrupted" ? { error: describe(Cause.squash(exit.cause)) } : {}
  return {
    role: "system",
    message: sessionEnd,
    level: outcome === "success" ? "INFO" : outcome === "interrupted" ? "WARN" : "ERROR",
    metadata: { outcome, duration_seconds: seconds, pid: process.pid, ...error }
  }
}

/** The outcome of a scope's exit. */
export const exitOutcome = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (Exit.isSuccess(exit)) return "success"
  if (Cause.isInterruptedOnly(exit.cause)) return "interrupted"
  return Cause.isFailure(exit.cause) ? "failure" : "defect"
}

const describe = (error: unknown): Metadata => {
  const tag = Predicate.hasProperty(error, "_tag") ? { tag: String(error._tag) } : {}
  return { ...tag, message: error instanceof Error ? error.message : String(error) }
}
