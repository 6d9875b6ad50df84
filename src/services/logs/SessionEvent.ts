/**
 * One line of a session's log, as codex writes it, and as it is read from anybody's log.
 *
 * Format: the table `session_events(ts REAL, session_id TEXT, role TEXT, message TEXT)` of the original kit, with columns
 * `level TEXT` and `metadata TEXT` (JSON) added; or a line of NDJSON with the same six keys. `ts` is in seconds since 1970
 * (UTC), with fractions. A session starts with the message `session_start` and ends with `session_end`, both of role
 * `system`.
 */
import * as Schema from "effect/Schema"

/** Who speaks. A log of somebody else may hold other roles. */
export const Role = Schema.Literal("user", "assistant", "system", "tool")
export type Role = typeof Role.Type

/** How grave it is, from least to most. */
export const Level = Schema.Literal("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
export type Level = typeof Level.Type

/**
 * The name of a session; also the name of its NDJSON file, so no separators and no leading dot.
 *
 * @example
 *   Schema.decodeUnknownSync(SessionId)("2026-11-24T13-00-00Z-4f1c")
 */
export const SessionId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/, {
    message: () => "a session id has 1 to 128 letters, digits, _, - or ., and starts with none of - and ."
  })
)

/** What else is known of an event: any JSON. */
export const Metadata = Schema.Record({ key: Schema.String, value: Schema.Unknown })
export type Metadata = typeof Metadata.Type

/** An event as codex writes it; keys as in the table and in NDJSON. */
export interface SessionEvent {
  /** Seconds since 1970. */
  readonly ts: number
  readonly session_id: string
  readonly role: Role
  readonly message: string
  readonly level: Level
  readonly metadata: Metadata
}

export const sessionStart = "session_start"
export const sessionEnd = "session_end"

/** How a session, or a process that takes part in one, ended. */
export const Outcome = Schema.Literal("success", "failure", "defect", "interrupted")
export type Outcome = typeof Outcome.Type

/** An event as it was found: what a log does not have, or what cannot be understood there, is null. */
export interface LogEvent {
  /** Seconds since 1970. */
  readonly ts: number | null
  /** ISO 8601 in UTC with milliseconds; where the log's time is not understood, its text. */
  readonly time: string | null
  readonly session_id: string | null
  readonly role: string | null
  /** In capitals; WARNING is WARN. Of a log without levels: the role, where that is one (INFO, WARN). */
  readonly level: string | null
  readonly message: string
  /** Parsed where it is JSON, else as it is. */
  readonly metadata: unknown
}

/** A level by any of its usual names, in capitals: `warning` is WARN; a name that is none of ours stays. */
export const levelOf = (name: string): string => {
  const level = name.trim().toUpperCase()
  return levelAliases[level] ?? level
}

/** Usual names of levels that are not ours. */
export const levelAliases: Readonly<Record<string, Level>> = {
  WARNING: "WARN",
  ERR: "ERROR",
  CRITICAL: "FATAL",
  INFORMATION: "INFO",
  NOTICE: "INFO",
  VERBOSE: "TRACE"
}
