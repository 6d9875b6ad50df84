/**
 * `codex-ml/logs`: session logs for programs. What happened in a session, who said it, how it ended: written to SQLite and NDJSON,
 * read from any log, rotated, copied.
 *
 *     import { LogReader, SessionLog, SqlitePool } from "codex-ml/logs"
 *
 * docs/session-logs.md has a complete program, the tables and files that are written, and the environment variables.
 */
/** Rules that remove secrets, for the option `redact` of a session. */
export * as Redaction from "./core/data/Redaction.ts"
/** A journal of commands: `.codex/results.md` for people, `.codex/errors.ndjson` for programs. */
export { ChangeJournal } from "./services/logs/ChangeJournal.ts"
/** Which events to read, and what sessions and statistics are. */
export type { LogQuery, LogStats, SessionSummary } from "./services/logs/LogQuery.ts"
/** Opens any log for reading: SQLite or NDJSON, of codex or of another program. */
export * as LogReader from "./services/logs/LogReader.ts"
/** Copies a log, as it is at one moment, to a compact read-only file. */
export * as LogSnapshot from "./services/logs/LogSnapshot.ts"
/** Moves old events and files to gzipped archives. */
export * as LogRotation from "./services/logs/rotation/LogRotation.ts"
/** Creates a log with sample sessions. */
export * as SampleLog from "./services/logs/SampleLog.ts"
/** Events as they are written and read, and the schemas of their parts. */
export {
  Level,
  type LogEvent,
  Metadata,
  Outcome,
  Role,
  type SessionEvent,
  SessionId,
  sessionEnd,
  sessionStart
} from "./services/logs/SessionEvent.ts"
/** Opens a session for writing, as a scoped resource. */
export { SessionLog } from "./services/logs/SessionLog.ts"
/** Parses times as people type them: `2h`, `yesterday`, `2026-11-24T13:00+01:00`. */
export * as TimeExpression from "./services/logs/TimeExpression.ts"
/** A log that could not be opened or written. */
export { SessionLogError } from "./services/logs/write/Sink.ts"
/** The connections that sessions share. */
export { SqlitePool } from "./services/logs/write/SqlitePool.ts"
