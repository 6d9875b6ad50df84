/**
 * A file of NDJSON as a log.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import { type Log, LogReadError, type Options } from "../Log.ts"
import type { LogFile } from "../LogFile.ts"
import { checkNames } from "../sql/TableShape.ts"
import { parser } from "./Line.ts"
import { events } from "./Order.ts"
import type { NdjsonFile } from "./Records.ts"
import { sessions, stats } from "./Summary.ts"
import { follow } from "./Tail.ts"

export const open = (
  { path, kind }: LogFile,
  { table, columns = {} }: Options
): Effect.Effect<Log, LogReadError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* checkNames(path, { table, ...columns })
    if (table !== undefined)
      return yield* new LogReadError({
        reason: "Option",
        path,
        details: `--table is ${table}, but the file is NDJSON and has no tables.`,
        remedy: "Leave --table out."
      })
    let skipped = 0
    // A file is read several times; each line counts once.
    let counted = 0
    const file: NdjsonFile = {
      path,
      gzip: kind === "gzip",
      parse: parser(columns),
      note: ({ offset, length, event }) => {
        if (offset < counted) return
        counted = offset + length + 1
        if (event === undefined) skipped += 1
      }
    }
    return {
      path,
      shape: "NDJSON",
      events: (query) => events(fs, file, query),
      follow: (query, options) => follow(fs, file, query, options),
      sessions: (query) => sessions(file, query),
      stats: (query) => stats(file, query),
      skipped: Effect.sync(() => skipped)
    }
  })
