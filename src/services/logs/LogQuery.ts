/**
 * A query on a log, its answers, and how it is applied to events in memory (SQL for tables is in read/sql).
 */
import { type LogEvent, levelOf, Outcome, sessionEnd, sessionStart } from "./SessionEvent.ts"

/**
 * Which events of a log are asked for, and in which order. It means the same for a SQLite table and for NDJSON.
 *
 * The order is by time, and for equal times as they were written; `desc` is exactly the reverse. Events whose time is not
 * understood come first, and no bound of time lets them through.
 */
export interface LogQuery {
  /** Exactly this session. */
  readonly sessionId?: string | undefined
  /** One of these roles; empty takes all. */
  readonly roles?: ReadonlyArray<string> | undefined
  /** One of these levels, by any of their usual names; empty takes all. */
  readonly levels?: ReadonlyArray<string> | undefined
  /** The message has this text, taken literally; capital and small ASCII letters are the same. */
  readonly contains?: string | undefined
  /** Not before: seconds since 1970. */
  readonly since?: number | undefined
  /** Not after: seconds since 1970. */
  readonly until?: number | undefined
  readonly order?: "asc" | "desc" | undefined
  /** Of what the above lets through, the newest so many. */
  readonly last?: number | undefined
  /** Of what is left, in the order that is asked for: skip so many, */
  readonly offset?: number | undefined
  /** then give at most so many. */
  readonly limit?: number | undefined
}

/** A session as its events tell it. */
export interface SessionSummary {
  readonly session_id: string | null
  /** Seconds since 1970 of the first and the last event. */
  readonly first: number | null
  readonly last: number | null
  readonly events: number
  /** Of its last `session_end`, where codex wrote that; `open` where more processes began than ended; else null. */
  readonly outcome: string | null
}

/** A log in numbers. */
export interface LogStats {
  readonly events: number
  readonly sessions: number
  readonly first: number | null
  readonly last: number | null
  /** Counts by value, largest first; null for events that have none. */
  readonly roles: ReadonlyArray<readonly [string | null, number]>
  readonly levels: ReadonlyArray<readonly [string | null, number]>
  /** Counts by UTC date, `2026-11-24`, in order. */
  readonly days: ReadonlyArray<readonly [string | null, number]>
}

/** As SQLite's `lower`: other letters than A to Z stay. Half a surrogate pair is U+FFFD, as in any file of UTF-8. */
const small = (text: string): string => text.toWellFormed().replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** A test of events; order, last, limit and offset are not its business. */
export const matcher = (query: LogQuery): ((event: LogEvent) => boolean) => {
  const { sessionId, since, until, contains } = query
  const roles = new Set(query.roles)
  const levels = new Set(query.levels?.map(levelOf))
  const wanted = contains === undefined ? undefined : small(contains)
  return ({ ts, session_id, role, level, message }) =>
    (sessionId === undefined || session_id === sessionId) &&
    (roles.size === 0 || (role !== null && roles.has(role))) &&
    (levels.size === 0 || (level !== null && levels.has(level))) &&
    (since === undefined || (ts !== null && ts >= since)) &&
    (until === undefined || (ts !== null && ts <= until)) &&
    (wanted === undefined || small(message).includes(wanted))
}

/** A message of the start or the end of a session, in its first words; the original kit adds `(exc=…)` after a failure. */
export const endings = `${sessionEnd} (`
export const failing = `${endings}exc=`
export const isStart = (message: string): boolean => message === sessionStart
export const isEnd = (message: string): boolean => message === sessionEnd || message.startsWith(endings)

export interface Course {
  readonly starts: number
  readonly ends: number
  /** The last end: its message and metadata. */
  readonly end: { readonly message: string; readonly metadata: unknown } | undefined
}

const outcomes: ReadonlyArray<unknown> = Outcome.literals

/** How a session ended, or that it has not. */
export const sessionOutcome = ({ starts, ends, end }: Course): string | null => {
  if (starts > ends) return "open"
  if (end === undefined) return null
  const { metadata } = end
  if (typeof metadata === "object" && metadata !== null && "outcome" in metadata && outcomes.includes(metadata.outcome))
    return String(metadata.outcome)
  return end.message.startsWith(failing) ? "failure" : "success"
}

/** A summary with the place of its last event, for sessions of equal times. */
export interface Placed {
  readonly summary: SessionSummary
  readonly place: number
}

/** Newest first; sessions without a time last. */
const newestFirst = (a: Placed, b: Placed): number =>
  (b.summary.last ?? Number.NEGATIVE_INFINITY) - (a.summary.last ?? Number.NEGATIVE_INFINITY) || b.place - a.place

/** The sessions that a query asks for, as it asks for events: the newest, then in order, then those after the offset up to the limit. */
export const page = (
  found: ReadonlyArray<Placed>,
  { last, limit, offset = 0, order }: LogQuery
): ReadonlyArray<SessionSummary> => {
  const newest = [...found].sort(newestFirst).slice(0, last)
  const ordered = order === "asc" ? newest.reverse() : newest
  return ordered.slice(offset, limit === undefined ? undefined : offset + limit).map(({ summary }) => summary)
}

export type Counts = ReadonlyArray<readonly [string | null, number]>

/** Adds up what has the same name. */
export const gather = (counts: Counts): Counts => {
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
