/**
 * Reads any log: a SQLite database with a table that has a column for messages, or a file of NDJSON, also gzipped. It never writes.
 *
 *     const log = yield* LogReader.open({ path: ".codex/session_logs.db" })
 *     yield* log.events({ sessionId: "s1", last: 20 }).pipe(Stream.runForEach((event) => Console.log(event.message)))
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Log, type LogFile, LogReadError, type Options, unreadable } from "./read/Log.ts"
import * as NdjsonLog from "./read/ndjson/NdjsonLog.ts"
import * as SqlLog from "./read/sql/SqlLog.ts"
import { withoutSqlite } from "./write/Sink.ts"

export type { LogQuery as Query, LogStats as Stats, SessionSummary } from "./LogQuery.ts"
export { type Columns, type Log, type LogFile, LogReadError, type Options } from "./read/Log.ts"
export type { LogEvent as Event } from "./SessionEvent.ts"

/**
 * Opens a log for the scope. The table and its columns are detected by their names, unless they are given. Fails with
 * `LogReadError`.
 *
 * @example
 *   LogReader.open({ path: "agent.sqlite", table: "turns", columns: { message: "said" } })
 */
export const open = (options: Options): Effect.Effect<Log, LogReadError, Scope.Scope | FileSystem.FileSystem> =>
  Effect.flatMap(find(options.path), (file) =>
    file.kind === "sqlite" ? SqlLog.open({ ...options, path: file.path }) : NdjsonLog.open(file, options)
  )

const expected = "Name a SQLite database, or a file of NDJSON (.ndjson or .jsonl, also with .gz)."

/** Finds the file of a path, and what it contains by its first bytes. If there is none, other endings are tried. */
export const find = (path: string): Effect.Effect<LogFile, LogReadError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const tried = [path, ...others(path)]
    for (const candidate of tried) {
      const exists = yield* Effect.mapError(fs.exists(candidate), unreadable(candidate))
      if (exists) return yield* inspect(fs, candidate)
    }
    const further = tried.length > 1 ? ` Also tried: ${tried.slice(1).join(", ")}.` : ""
    return yield* new LogReadError({
      reason: "Missing",
      path,
      details: `there is no such file.${further}`,
      remedy: "Name the log with --db or CODEX_LOG_DB_PATH. codex creates its log when it first writes to it."
    })
  })

const others = (path: string): ReadonlyArray<string> => {
  if (/\.db$/i.test(path)) return [path.replace(/\.db$/i, ".sqlite"), withoutSqlite(path)]
  if (/\.sqlite$/i.test(path)) return [path.replace(/\.sqlite$/i, ".db"), withoutSqlite(path)]
  return /\.(ndjson|jsonl)(\.gz)?$/i.test(path) ? [] : [`${path}.db`, `${path}.sqlite`]
}

const inspect = (fs: FileSystem.FileSystem, path: string): Effect.Effect<LogFile, LogReadError> =>
  Effect.gen(function* () {
    const { type, size } = yield* fs.stat(path)
    const refuse = (details: string, remedy = expected) =>
      new LogReadError({ reason: "NotALog", path, details, remedy })
    if (type === "Directory") return yield* refuse("is a directory, not a log.", `${expected.slice(0, -1)} in it.`)
    if (type !== "File") return yield* refuse("is not a regular file.")
    const named = /\.(ndjson|jsonl)$/i.test(path)
    if (size === 0n && !named) return yield* refuse("is empty, so it has no table of events.")
    const start = yield* firstBytes(fs, path)
    if (start.startsWith("SQLite format 3\0")) return { path, kind: "sqlite" as const }
    if (start.startsWith("\x1f\x8b")) return { path, kind: "gzip" as const }
    if (named || /^(\xef\xbb\xbf)?\s*\{/.test(start)) return { path, kind: "ndjson" as const }
    return yield* refuse("is neither a SQLite database nor NDJSON.")
  }).pipe(Effect.catchAll((error) => (error._tag === "LogReadError" ? error : unreadable(path)(error))))

/** The first bytes, each as one character. */
const firstBytes = (fs: FileSystem.FileSystem, path: string) =>
  Effect.gen(function* () {
    const handle = yield* fs.open(path, { flag: "r" })
    const bytes = new Uint8Array(64)
    const count = Number(yield* handle.read(bytes))
    return String.fromCharCode(...bytes.subarray(0, count))
  }).pipe(Effect.scoped)
