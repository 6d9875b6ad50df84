/**
 * `codex-ml/logs`: session logs for programs. What happened in a session, who said it, how it ended: written to SQLite and NDJSON,
 * read from any log, rotated, copied.
 *
 *     import { LogReader, SessionLog, SqlitePool } from "codex-ml/logs"
 *
 * As in `codex-ml`, a name is a tag (`SessionLog`, `ChangeJournal`, `SqlitePool`) or a namespace of functions and types.
 * docs/session-logs.md has a complete program, the tables and files that are written, and the environment variables.
 */

/** Removes secrets from text: the rules for the option `redact` of a session. */
export * as Redaction from "./core/data/Redaction.ts"
/** A file that could not be read or written: what is wrong, and what to do. */
export { FileError, type FileOperation } from "./services/files/FileError.ts"
/** A journal of commands: `.codex/results.md` for people, `.codex/errors.ndjson` for programs. */
export { ChangeJournal } from "./services/logs/ChangeJournal.ts"
/** Opens any log for reading: SQLite or NDJSON, of codex or of another program. */
export * as LogReader from "./services/logs/LogReader.ts"
/** Copies a log, as it is at one moment, to a compact read-only file. */
export * as LogSnapshot from "./services/logs/LogSnapshot.ts"
/** Moves old events and files to gzipped archives. */
export * as LogRotation from "./services/logs/rotation/LogRotation.ts"
/** Creates a log with sample sessions. */
export * as SampleLog from "./services/logs/SampleLog.ts"
/** Events as they are written and read, with the schemas of roles, levels, outcomes and session ids. */
export * as SessionEvent from "./services/logs/SessionEvent.ts"
/** Opens a session for writing, as a scoped resource. */
export { SessionLog } from "./services/logs/SessionLog.ts"
/** Parses times as people type them: `2h`, `yesterday`, `2026-11-24T13:00+01:00`. */
export * as TimeExpression from "./services/logs/TimeExpression.ts"
/** The connections that sessions share. */
export { SqlitePool } from "./services/logs/write/SqlitePool.ts"
