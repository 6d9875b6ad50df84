/**
 * An open log, the options to open one, and the error when it cannot be read. Public through LogReader.ts.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as ExitCode from "../../../core/ExitCode.ts"
import type { LogQuery, LogStats, SessionSummary } from "../LogQuery.ts"
import type { LogEvent } from "../SessionEvent.ts"

/** A log that cannot be read; nothing was changed. `remedy` says what to do. */
export class LogReadError extends Schema.TaggedError<LogReadError>()("LogReadError", {
  /** `Option`: a table or column that was named is not there or is no name. `Schema`: no table can be read as a log. */
  reason: Schema.Literal("Missing", "NotALog", "Corrupt", "Locked", "Unreadable", "Option", "Schema"),
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

/** Names of columns, where they are not found by themselves. */
export interface Columns {
  readonly time?: string | undefined
  readonly session?: string | undefined
  readonly role?: string | undefined
  readonly message?: string | undefined
  readonly level?: string | undefined
  readonly metadata?: string | undefined
}

export interface Options {
  /** A database (`.db` and `.sqlite` are both tried) or a file of NDJSON (`.ndjson`, `.jsonl`, and either with `.gz`). */
  readonly path: string
  /** The table or view. Default: the one that looks most like a log. */
  readonly table?: string | undefined
  /** Of NDJSON: keys. */
  readonly columns?: Columns | undefined
}

/** The file that a path means, and what is in it. */
export interface LogFile {
  readonly path: string
  readonly kind: "sqlite" | "ndjson" | "gzip"
}

/** How many events `follow` begins with, and how often it looks for more. */
export const defaultLast = 10
export const defaultEvery = Duration.millis(250)

/** An open log. */
export interface Log {
  /** The file that is read: where `logs.db` is not there and `logs.sqlite` is, the latter. */
  readonly path: string
  /** What is read: `session_events(ts, session_id, role, message)`, or `NDJSON`. */
  readonly shape: string
  /** Events one after the other, however many: memory does not grow with them. */
  readonly events: (query: LogQuery) => Stream.Stream<LogEvent, LogReadError>
  /**
   * The last events that were written, in the order of writing, then each further one as it comes; never ends, but for
   * `once`, which leaves the further ones out. `last` of the query says how many come first (default 10); order, limit and
   * offset of the query mean nothing here.
   */
  readonly follow: (
    query: LogQuery,
    options?: { readonly every?: Duration.DurationInput | undefined; readonly once?: boolean | undefined }
  ) => Stream.Stream<LogEvent, LogReadError>
  /**
   * Newest session first, unless the order is `asc`. Session, roles, levels, text and times choose the events that are looked at;
   * last, order, offset and limit count sessions.
   */
  readonly sessions: (query: LogQuery) => Effect.Effect<ReadonlyArray<SessionSummary>, LogReadError>
  readonly stats: (query: LogQuery) => Effect.Effect<LogStats, LogReadError>
  /** Lines that are no events (torn by a crash, say) and were skipped so far. */
  readonly skipped: Effect.Effect<number>
}

/** A failure of the file system or of gzip, as an error of the reader. */
export const unreadable =
  (path: string) =>
  (cause: unknown): LogReadError => {
    const message = cause instanceof Error ? cause.message : String(cause)
    const code = codeOf(cause)
    if (code.startsWith("Z_"))
      return new LogReadError({
        reason: "Corrupt",
        path,
        details: `its gzip data is damaged or cut off (${message}).`,
        remedy: "What came before is complete; restore the rest from a copy.",
        cause
      })
    if (code === "ENOENT" || code === "NotFound")
      return new LogReadError({
        reason: "Missing",
        path,
        details: "the file is gone.",
        remedy: "If it was moved or rotated, name it again with --db.",
        cause
      })
    return new LogReadError({
      reason: "Unreadable",
      path,
      details: `the file cannot be read (${message}).`,
      remedy: "Check its permissions and those of its directory.",
      cause
    })
  }

/** Node's code, or the reason of a SystemError of @effect/platform. */
const codeOf = (cause: unknown): string => {
  if (Predicate.hasProperty(cause, "code")) return String(cause.code)
  return Predicate.hasProperty(cause, "reason") ? String(cause.reason) : ""
}
