/**
 * Where session logs are, if nothing else is said: an environment variable, else `.codex` in the working directory.
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Effect from "effect/Effect"

export const defaultDatabase = ".codex/session_logs.db"
/** One file a session, `<id>.ndjson`. */
export const defaultSessions = ".codex/sessions"

/** Where codex writes: CODEX_LOG_DB_PATH. A name that ends in `.ndjson` means NDJSON alone, without a database. */
export const written: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString("CODEX_LOG_DB_PATH").pipe(
  Config.withDefault(defaultDatabase)
)

/** Where the NDJSON copies of sessions are: CODEX_SESSION_LOG_DIR. */
export const sessions: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString(
  "CODEX_SESSION_LOG_DIR"
).pipe(Config.withDefault(defaultSessions))

/** What the commands of `codex logs` read: CODEX_LOG_DB_PATH, else CODEX_DB_PATH. */
export const read: Effect.Effect<string, ConfigError.ConfigError> = Config.nonEmptyString("CODEX_LOG_DB_PATH").pipe(
  Config.orElse(() => Config.nonEmptyString("CODEX_DB_PATH")),
  Config.withDefault(defaultDatabase)
)
