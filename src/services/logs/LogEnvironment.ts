/**
 * What the environment says about session logs: where they are, and which session to take part in.
 *
 * The defaults are in `.codex` in the working directory. A process that opens a session sets CODEX_SESSION_ID for the processes it
 * starts, and CODEX_SESSION_PID to its own id, so that a program that opens several sessions does not inherit from itself.
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

const defaultDatabase = ".codex/session_logs.db"
/** One file per session, `<id>.ndjson`. */
const defaultSessions = ".codex/sessions"

/** Where codex writes: CODEX_LOG_DB_PATH. A name that ends in `.ndjson` means this one file, without a database. */
export const databasePath: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString(
  "CODEX_LOG_DB_PATH"
).pipe(Config.withDefault(defaultDatabase))

/** The directory of the sessions' NDJSON files: CODEX_SESSION_LOG_DIR. */
export const sessionsDirectory: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString(
  "CODEX_SESSION_LOG_DIR"
).pipe(Config.withDefault(defaultSessions))

/** What `codex logs` reads: CODEX_LOG_DB_PATH, else CODEX_DB_PATH. */
export const readPath: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString("CODEX_LOG_DB_PATH").pipe(
  Config.orElse(() => Config.nonEmptyString("CODEX_DB_PATH")),
  Config.withDefault(defaultDatabase)
)

const ownPid = String(process.pid)

/** The id of the session to take part in, if another process began one: CODEX_SESSION_ID. */
export const inheritedSession = Effect.gen(function* () {
  const owner = yield* Config.option(Config.string("CODEX_SESSION_PID"))
  const found = yield* Config.option(Config.nonEmptyString("CODEX_SESSION_ID"))
  return Option.contains(owner, ownPid) ? Option.none<string>() : found
})

/** Sets CODEX_SESSION_ID for the processes that are started in this scope. Of several open sessions the last one counts. */
export const exportSession = (session: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = {
        CODEX_SESSION_ID: process.env.CODEX_SESSION_ID,
        CODEX_SESSION_PID: process.env.CODEX_SESSION_PID
      }
      Object.assign(process.env, { CODEX_SESSION_ID: session, CODEX_SESSION_PID: ownPid })
      return before
    }),
    (before) =>
      Effect.sync(() => {
        // A session that was opened later and is still open keeps the variable.
        if (process.env.CODEX_SESSION_ID !== session || process.env.CODEX_SESSION_PID !== ownPid) return
        for (const [name, value] of Object.entries(before))
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
      })
  )
