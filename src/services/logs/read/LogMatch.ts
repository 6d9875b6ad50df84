/**
 * What a query asks of an event, without a database.
 */
import type { LogQuery } from "../LogQuery.ts"
import { type LogEvent, levelOf } from "../SessionEvent.ts"

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
