/**
 * One event of a session log: as codex writes it, and as it is read from any log.
 *
 * Format: the table `session_events(ts REAL, session_id TEXT, role TEXT, message TEXT)` of the original kit, with columns
 * `level TEXT` and `metadata TEXT` (JSON) added; or a line of NDJSON with the same six keys. `ts` is in seconds since 1970
 * (UTC), with fractions. A session begins with the message `session_start` and ends with `session_end`, both of role
 * `system`.
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import * as Json from "../../core/data/Json.ts"
import * as Limits from "../../core/data/Limits.ts"

/** The source of an event. Logs of other programs may have other roles. */
export const Role = Schema.Literal("user", "assistant", "system", "tool")
/** One of the roles. */
export type Role = typeof Role.Type

/** How severe an event is, from least to most. */
export const Level = Schema.Literal("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
/** One of the levels. */
export type Level = typeof Level.Type

/**
 * The id of a session. It also names the NDJSON file, so it has no path separators and no leading dot.
 *
 * @example
 *   Schema.decodeUnknownSync(SessionId)("2026-11-24T13-00-00Z-4f1c")
 */
export const SessionId = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/, {
    message: () => "a session id has 1 to 128 letters, digits, _, - or ., and does not start with - or ."
  })
)

/** Further data of an event: any JSON object. */
export const Metadata = Schema.Record({ key: Schema.String, value: Schema.Unknown })
/** A JSON object. */
export type Metadata = typeof Metadata.Type

/** An event as codex writes it. The keys are those of the table and of NDJSON. */
export interface StoredEvent {
  /** Seconds since 1970. */
  readonly ts: number
  readonly session_id: string
  readonly role: Role
  readonly message: string
  readonly level: Level
  readonly metadata: Metadata
}

/** The message of the first event of a session. */
export const sessionStart = "session_start"
/** The message of the last event of a session; its metadata has the outcome and the duration. */
export const sessionEnd = "session_end"

/** How a session, or a process that took part in one, ended. `defect` is a bug: an Effect died. */
export const Outcome = Schema.Literal("success", "failure", "defect", "interrupted")
/** One of the outcomes. */
export type Outcome = typeof Outcome.Type

/** An event as it was read. What the log does not have, or what could not be parsed, is null. */
export interface LogEvent {
  /** Seconds since 1970. */
  readonly ts: number | null
  /** ISO 8601 in UTC with milliseconds; the original text where it could not be parsed as a time. */
  readonly time: string | null
  readonly session_id: string | null
  readonly role: string | null
  /** In capitals; WARNING is WARN. In a log without levels it is the role, if that is a level (INFO, WARN). */
  readonly level: string | null
  readonly message: string
  /** Parsed if it is JSON, else the text. */
  readonly metadata: unknown
}

/** The level of a name: `warning` is WARN. An unknown name is only put into capitals. */
export const normalizeLevel = (name: string): string => {
  const level = name.trim().toUpperCase()
  return levelAliases[level] ?? level
}

/** Common names of levels in other programs. */
export const levelAliases: Readonly<Record<string, Level>> = {
  WARNING: "WARN",
  ERR: "ERROR",
  CRITICAL: "FATAL",
  INFORMATION: "INFO",
  NOTICE: "INFO",
  VERBOSE: "TRACE"
}

/**
 * An event as one line of JSON without a line feed, from which both NDJSON and the table are written.
 *
 * Logging must not fail because of what is logged: values that JSON cannot hold become text, and a lone surrogate, which UTF-8
 * cannot hold, becomes U+FFFD.
 */
export const toLine = ({ level, message, metadata, role, session_id, ts }: StoredEvent): string => {
  // Concatenated by hand: three times as fast as JSON.stringify of the whole event.
  const known = `{"ts":${ts},"session_id":"${session_id}","role":"${role}","level":"${level}","message":${JSON.stringify(message)}`
  const line = isEmpty(metadata) ? `${known}}` : `${known},"metadata":${stringify(metadata)}}`
  return line.includes("\\ud")
    ? line.replace(surrogateEscapes, (found) => (found.length === 6 ? "\ufffd" : found))
    : line
}

const isEmpty = (metadata: Metadata): boolean => {
  for (const _ in metadata) return false
  return true
}

/** JSON.stringify escapes a surrogate only if its other half is missing. */
const surrogateEscapes = /\\(?:ud[89a-f][0-9a-f]{2}|.)/g

/** Maps and lists around the metadata in a line, which readers accept up to a depth. */
const around = 2

const stringify = (metadata: Metadata): string => {
  if (Limits.tooDeep(metadata, Limits.depth - around) !== undefined) return JSON.stringify(valuesAsText(metadata))
  try {
    const text = JSON.stringify(metadata)
    // Also what JSON.stringify makes of NaN and the infinities.
    if (!text.includes("null")) return text
  } catch {}
  try {
    return JSON.stringify(metadata, numbersAsText)
  } catch {}
  return JSON.stringify(valuesAsText(metadata))
}

/** Metadata as it reads back from JSON: objects with a `toJSON` are replaced by its result. */
export const plainMetadata = (metadata: Metadata): Metadata => decode(stringify(metadata))

const decode = Schema.decodeSync(Json.schema(Metadata))

/** For numbers that JSON does not have. */
const numbersAsText = (_: string, value: unknown): unknown =>
  typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : value

/** For metadata that JSON.stringify refuses, such as an object that contains itself. */
const valuesAsText = (metadata: Metadata): Metadata =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Inspectable.toStringUnknown(value, 0)]))
