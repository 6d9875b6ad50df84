/**
 * Reads anybody's log: a SQLite database of any schema that has a column for messages, or a file of NDJSON, also gzipped.
 * Nothing is ever written.
 *
 *     const log = yield* LogReader.open({ path: ".codex/session_logs.db" })
 *     yield* log.events({ sessionId: "s1", last: 20 }).pipe(Stream.runForEach((event) => Console.log(event.message)))
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Log, LogReadError, Options } from "./read/Log.ts"
import * as LogFile from "./read/LogFile.ts"
import * as NdjsonLog from "./read/ndjson/Log.ts"
import * as SqlLog from "./read/sql/Log.ts"

export { type Columns, type Log, LogReadError, type Options } from "./read/Log.ts"

/**
 * Opens a log until the scope ends. The table and its columns are found by their names, unless they are given.
 *
 * @example
 *   LogReader.open({ path: "agent.sqlite", table: "turns", columns: { message: "said" } })
 */
export const open = (options: Options): Effect.Effect<Log, LogReadError, Scope.Scope | FileSystem.FileSystem> =>
  Effect.flatMap(LogFile.find(options.path), (file) =>
    file.kind === "sqlite" ? SqlLog.open({ ...options, path: file.path }) : NdjsonLog.open(file, options)
  )
