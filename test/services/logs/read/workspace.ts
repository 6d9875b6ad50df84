/**
 * A directory for tests of the reader, and databases made by plain SQL in it.
 */
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../../../src/services/logs/LogQuery.ts"
import * as LogReader from "../../../../src/services/logs/LogReader.ts"
import type { LogEvent } from "../../../../src/services/logs/SessionEvent.ts"

export type Value = string | number | bigint | Uint8Array | null

/** What tests use of better-sqlite3, which has no types. */
export interface Database {
  readonly exec: (sql: string) => void
  readonly prepare: (sql: string) => { readonly run: (...values: ReadonlyArray<Value>) => unknown }
  readonly close: () => void
}
type Opened = new (path: string) => Database
const Sqlite: Opened = createRequire(import.meta.url)("better-sqlite3")

export interface Workspace {
  readonly path: (name: string) => string
  readonly write: (name: string, content: string | Uint8Array) => string
  /** Runs SQL in a database, which is made where it is not there; leaves it open. */
  readonly database: (name: string, sql: string) => Database
  /** The same, and closes it; gives its path. */
  readonly made: (name: string, sql: string) => string
  readonly hash: (name: string) => string
}

export const workspace: Effect.Effect<Workspace, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-reader-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  ),
  (folder) => {
    const path: Workspace["path"] = (name) => join(folder, name)
    const database: Workspace["database"] = (name, sql) => {
      const opened = new Sqlite(path(name))
      opened.exec(sql)
      return opened
    }
    return {
      path,
      database,
      write: (name, content) => {
        mkdirSync(dirname(path(name)), { recursive: true })
        writeFileSync(path(name), content)
        return path(name)
      },
      made: (name, sql) => {
        database(name, sql).close()
        return path(name)
      },
      hash: (name) =>
        createHash("sha256")
          .update(readFileSync(path(name)))
          .digest("hex")
    }
  }
)

/** Opens a log. */
export const open = (path: string, options: Omit<LogReader.Options, "path"> = {}) =>
  Effect.provide(LogReader.open({ path, ...options }), NodeContext.layer)

/** All events of a query. */
export const all = (log: LogReader.Log, query: LogQuery = {}): Effect.Effect<Array<LogEvent>, LogReader.LogReadError> =>
  Effect.map(Stream.runCollect(log.events(query)), (chunk) => [...chunk])

/** What opening it, or reading all of it, fails with. */
export const failure = (path: string, options: Omit<LogReader.Options, "path"> = {}) =>
  Effect.flip(Effect.scoped(Effect.flatMap(open(path, options), all)))

/** An event of which only some things are known. */
export const event = (known: Partial<LogEvent>): LogEvent => ({
  ts: null,
  time: null,
  session_id: null,
  role: null,
  level: null,
  message: "",
  metadata: null,
  ...known
})
