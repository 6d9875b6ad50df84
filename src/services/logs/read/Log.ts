/**
 * An open log, the options to open one, and the error when it cannot be read. Public through LogReader.ts.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as ExitCode from "../../../core/ExitCode.ts"
import { FileError } from "../../files/FileError.ts"
import type { LogQuery, LogStats, SessionSummary } from "../LogQuery.ts"
import type { LogEvent } from "../SessionEvent.ts"

/**
 * A log that cannot be read; nothing was changed. It is not a FileError, because callers decide by the reason: a reader that follows
 * a log waits while it is locked.
 */
export class LogReadError extends Schema.TaggedError<LogReadError>()("LogReadError", {
  /**
   * `Option`: a table or column in the options does not exist or is not a valid name. `Schema`: no table looks like a log.
   * `Unavailable`: it is a SQLite database, and better-sqlite3 is not installed.
   */
  reason: Schema.Literal("Missing", "NotALog", "Corrupt", "Locked", "Unreadable", "Option", "Schema", "Unavailable"),
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  get [ExitCode.symbol]() {
    return this.reason === "Option" ? ExitCode.usage : ExitCode.failure
  }
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** Names of columns that are not detected automatically. In NDJSON they are keys. */
export interface Columns {
  readonly time?: string | undefined
  readonly session?: string | undefined
  readonly role?: string | undefined
  readonly message?: string | undefined
  readonly level?: string | undefined
  readonly metadata?: string | undefined
}

/** Which log to open. */
export interface Options {
  /** A database (`.db` and `.sqlite` are both tried, then `.ndjson`) or a file of NDJSON (`.ndjson`, `.jsonl`, and either with `.gz`). */
  readonly path: string
  /** The table or view. Default: the one that looks most like a log. NDJSON has none. */
  readonly table?: string | undefined
  /** Names that take precedence over the detected ones. */
  readonly columns?: Columns | undefined
}

/** The file that a path means, and what is in it. */
export interface LogFile {
  readonly path: string
  readonly kind: "sqlite" | "ndjson" | "gzip"
}

/** How many events `follow` begins with by default. */
export const defaultLast = 10
/** How often `follow` checks for new events by default. */
export const defaultEvery = Duration.millis(250)

/** An open log. */
export interface Log {
  /** The file that is read: `logs.sqlite` or `logs.ndjson` if `logs.db` was given and does not exist. */
  readonly path: string
  /** What is read: `session_events(ts, session_id, role, message)`, or `NDJSON`. */
  readonly shape: string
  /** The selected events, in order. Memory use does not depend on their number. */
  readonly events: (query: LogQuery) => Stream.Stream<LogEvent, LogReadError>
  /**
   * The last events, in the order of writing, then each new one. It never ends, unless `once` is set, which leaves out the new
   * ones. `last` of the query is how many come first (default 10); its order, limit and offset have no effect. `every` is how
   * often to check for new events (default 250 ms).
   */
  readonly follow: (
    query: LogQuery,
    options?: { readonly every?: Duration.DurationInput | undefined; readonly once?: boolean | undefined }
  ) => Stream.Stream<LogEvent, LogReadError>
  /**
   * The sessions, newest first unless the order is `asc`. Session, roles, levels, text and times select events; last, order, offset
   * and limit apply to sessions.
   */
  readonly sessions: (query: LogQuery) => Effect.Effect<ReadonlyArray<SessionSummary>, LogReadError>
  /** Counts the selected events by role, level and day. */
  readonly stats: (query: LogQuery) => Effect.Effect<LogStats, LogReadError>
  /** How many lines were skipped so far, because they are not events (torn by a crash, for example). */
  readonly skipped: Effect.Effect<number>
}

/** Translates a failure of the file system or of gzip. */
export const unreadable =
  (path: string) =>
  (cause: unknown): LogReadError => {
    const { code, details, remedy } = FileError.from(path, "read")(cause)
    const error = (reason: LogReadError["reason"], details: string, remedy: string) =>
      new LogReadError({ reason, path, details, remedy, cause })
    if (code?.startsWith("Z_") === true)
      return error(
        "Corrupt",
        `its gzip data is damaged or cut off (${details}).`,
        "What came before is complete; restore the rest from a copy."
      )
    if (code === "ENOENT")
      return error("Missing", "the file is gone.", "If it was moved or rotated, name it again with --db.")
    return error("Unreadable", `the file cannot be read: ${details}.`, remedy)
  }
