/**
 * A query on a log, its answers, and how it is applied to events in memory (SQL for tables is in read/sql).
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type LogEvent, normalizeLevel, Outcome, sessionEnd, sessionStart } from "./SessionEvent.ts"

/**
 * Selects events of a log and their order. It means the same for a SQLite table and for NDJSON.
 *
 * The order is by time, and for equal times the order of writing; `desc` is exactly the reverse. Events whose time could not be
 * parsed come first, and `since` and `until` exclude them.
 */
export interface LogQuery {
  /** Only this session. */
  readonly sessionId?: string | undefined
  /** Only these roles; an empty list means all. */
  readonly roles?: ReadonlyArray<string> | undefined
  /** Only these levels, by any of their common names; an empty list means all. */
  readonly levels?: ReadonlyArray<string> | undefined
  /** Only messages that contain this text, literally; upper and lower case of ASCII letters are the same. */
  readonly contains?: string | undefined
  /** Not before this time, in seconds since 1970. */
  readonly since?: number | undefined
  /** Not after this time, in seconds since 1970. */
  readonly until?: number | undefined
  /** Oldest first (`asc`, the default) or newest first. */
  readonly order?: "asc" | "desc" | undefined
  /** Of the events selected above, only the newest `last`. */
  readonly last?: number | undefined
  /** Of these, in the requested order: skip the first `offset`. */
  readonly offset?: number | undefined
  /** Then return at most `limit`. */
  readonly limit?: number | undefined
}

/** A session, computed from its events. */
export interface SessionSummary {
  readonly session_id: string | null
  /** Seconds since 1970 of the first and the last event. */
  readonly first: number | null
  readonly last: number | null
  /** The number of its events. */
  readonly events: number
  /** The outcome in its last `session_end`; `open` if more processes started than ended; null if there are no such events. */
  readonly outcome: string | null
}

/** Statistics of a log. */
export interface LogStats {
  readonly events: number
  readonly sessions: number
  /** Seconds since 1970 of the first and the last event. */
  readonly first: number | null
  readonly last: number | null
  /** Numbers of events by value, largest first; null is for events without one. */
  readonly roles: ReadonlyArray<readonly [string | null, number]>
  readonly levels: ReadonlyArray<readonly [string | null, number]>
  /** Numbers of events by UTC date, `2026-11-24`, in order. */
  readonly days: ReadonlyArray<readonly [string | null, number]>
}

/** As SQLite's `lower`: only A to Z change. A lone surrogate is U+FFFD, as in any UTF-8 file. */
const lowerAscii = (text: string): string => text.toWellFormed().replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** Whether an event is selected, apart from `last`, `offset` and `limit`. */
export const matcher = (query: LogQuery): ((event: LogEvent) => boolean) => {
  const { sessionId, since, until, contains } = query
  const roles = new Set(query.roles)
  const levels = new Set(query.levels?.map(normalizeLevel))
  const wanted = contains === undefined ? undefined : lowerAscii(contains)
  return ({ ts, session_id, role, level, message }) =>
    (sessionId === undefined || session_id === sessionId) &&
    (roles.size === 0 || (role !== null && roles.has(role))) &&
    (levels.size === 0 || (level !== null && levels.has(level))) &&
    (since === undefined || (ts !== null && ts >= since)) &&
    (until === undefined || (ts !== null && ts <= until)) &&
    (wanted === undefined || lowerAscii(message).includes(wanted))
}

/** The original kit adds to the end of a session how it ended, in parentheses. */
export const endPrefix = `${sessionEnd} (`
/** The same after a failure: `session_end (exc=…)`. */
export const failurePrefix = `${endPrefix}exc=`
/** Whether a message is the start of a session. */
export const isStart = (message: string): boolean => message === sessionStart
/** Whether a message is the end of a session. */
export const isEnd = (message: string): boolean => message === sessionEnd || message.startsWith(endPrefix)

/** What the starts and ends of a session say about it. */
export interface SessionEnds {
  readonly starts: number
  readonly ends: number
  /** The last end. */
  readonly end: { readonly message: string; readonly metadata: unknown } | undefined
}

const isOutcome = Schema.is(Outcome)

/** How a session ended; `open` if it has not, null if that is not known. */
export const sessionOutcome = ({ starts, ends, end }: SessionEnds): string | null => {
  if (starts > ends) return "open"
  if (end === undefined) return null
  const { metadata } = end
  if (Predicate.hasProperty(metadata, "outcome") && isOutcome(metadata.outcome)) return metadata.outcome
  return end.message.startsWith(failurePrefix) ? "failure" : "success"
}

/** A summary with the position of its last event in the log, for sessions of equal times. */
export interface PositionedSummary {
  readonly summary: SessionSummary
  readonly position: number
}

/** Newest first; sessions without a time last. */
const newestFirst = (a: PositionedSummary, b: PositionedSummary): number =>
  (b.summary.last ?? Number.NEGATIVE_INFINITY) - (a.summary.last ?? Number.NEGATIVE_INFINITY) || b.position - a.position

/** Applies `last`, order, `offset` and `limit` of a query to sessions. */
export const selectSessions = (
  found: ReadonlyArray<PositionedSummary>,
  { last, limit, offset = 0, order }: LogQuery
): ReadonlyArray<SessionSummary> => {
  const newest = [...found].sort(newestFirst).slice(0, last)
  const ordered = order === "asc" ? newest.reverse() : newest
  return ordered.slice(offset, limit === undefined ? undefined : offset + limit).map(({ summary }) => summary)
}

/** Numbers of events by name. */
export type Counts = ReadonlyArray<readonly [string | null, number]>

/** Adds the counts of equal names. */
export const sumByName = (counts: Counts): Counts => {
  const sums = new Map<string | null, number>()
  for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count)
  return [...sums]
}

/** Null first. */
export const byName = ([a]: Counts[number], [b]: Counts[number]): number => {
  if (a === null || b === null) return Number(b === null) - Number(a === null)
  return a < b ? -1 : Number(a > b)
}

/** Largest first. */
export const byCount = (a: Counts[number], b: Counts[number]): number => b[1] - a[1] || byName(a, b)
