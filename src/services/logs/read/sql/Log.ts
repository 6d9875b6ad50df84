/**
 * A table of a SQLite database as a log.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Sqlite from "../../Sqlite.ts"
import type { Log, LogReadError, Options } from "../Log.ts"
import { follow } from "./Follow.ts"
import { events } from "./Order.ts"
import { asking, refused, type SqlSource } from "./Source.ts"
import { sessions, stats } from "./Summary.ts"
import { find, show } from "./TableShape.ts"

/** As long as a person waits without wondering. */
const BUSY_MILLIS = 3000
/** Who follows looks again anyway; SQLite waits with the thread asleep. */
const LOOK_MILLIS = 20

export const open = (options: Options): Effect.Effect<Log, LogReadError, Scope.Scope | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { path } = options
    const fs = yield* FileSystem.FileSystem
    const source = yield* sourceOf(options, BUSY_MILLIS)
    const followed = { fs, path, reopen: sourceOf(options, LOOK_MILLIS) }
    return {
      path,
      shape: show(source.shape),
      events: (query) => events(source, query),
      follow: (query, options) => follow(followed, query, options),
      sessions: (query) => sessions(source, query),
      stats: (query) => stats(source, query),
      skipped: Effect.succeed(0)
    }
  })

const sourceOf = (options: Options, busyMillis: number): Effect.Effect<SqlSource, LogReadError, Scope.Scope> =>
  Effect.gen(function* () {
    const { path } = options
    const database = yield* Effect.mapError(Sqlite.open({ path, readonly: true, busyMillis }), refused)
    const ask = asking(database)
    const shape = yield* find(options, ask)
    let tables = 0
    const temporary = () => {
      tables += 1
      return `temp.codex_log_${tables}`
    }
    return { path, shape, ask, temporary }
  })
