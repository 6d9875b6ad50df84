/**
 * One line of a session's log, as codex writes it, and as it is read from anybody's log.
 *
 * Format: the table `session_events(ts REAL, session_id TEXT, role TEXT, message TEXT)` of the original kit, with columns
 * `level TEXT` and `metadata TEXT` (JSON) added; or a line of NDJSON with the same six keys. `ts` is in seconds since 1970
 * (UTC), with fractions. A session starts with the message `session_start` and ends with `session_end`, both of role
 * `system`.
 */
import * as Inspectable from "effect/Inspectable"
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

/**
 * An event as one line of JSON, from which both NDJSON and the table are written.
 *
 * Logging must not fail because of what is logged: values that JSON cannot hold become text, and half a surrogate pair, which UTF-8
 * cannot hold, becomes U+FFFD.
 */
/** No line feed inside, none at the end. */
export const toLine = ({ level, message, metadata, role, session_id, ts }: SessionEvent): string => {
  // Put together by hand, which takes a third of the time that JSON.stringify takes for the whole.
  const known = `{"ts":${ts},"session_id":"${session_id}","role":"${role}","level":"${level}","message":${JSON.stringify(message)}`
  const line = isEmpty(metadata) ? `${known}}` : `${known},"metadata":${jsonOf(metadata)}}`
  return line.includes("\\ud") ? line.replace(escapes, (found) => (found.length === 6 ? "\ufffd" : found)) : line
}

const isEmpty = (metadata: Metadata): boolean => {
  for (const _ in metadata) return false
  return true
}

/** JSON escapes a surrogate only where its other half is missing. */
const escapes = /\\(?:ud[89a-f][0-9a-f]{2}|.)/g

const jsonOf = (metadata: Metadata): string => {
  for (const attempt of [() => JSON.stringify(metadata), () => JSON.stringify(metadata, plain)])
    try {
      return attempt()
    } catch {}
  return JSON.stringify(texts(metadata))
}

/** Metadata as JSON has it: what an object says of itself, not the object. */
export const plainMetadata = (metadata: Metadata): Metadata => decode(jsonOf(metadata))

const decode = Schema.decodeSync(Schema.parseJson(Metadata))

const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

/** What JSON refuses whole, such as what contains itself. */
const texts = (metadata: Metadata): Metadata =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Inspectable.toStringUnknown(value, 0)]))
