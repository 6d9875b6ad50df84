/**
 * What the events of a session say about its end, and orders of summaries.
 */
import type { LogQuery, SessionSummary } from "../LogQuery.ts"
import { Outcome, sessionEnd, sessionStart } from "../SessionEvent.ts"

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
export const outcomeOf = ({ starts, ends, end }: Course): string | null => {
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
