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
