/**
 * An NDJSON file as a log. Sessions and statistics take one pass.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  byCount,
  byName,
  isEnd,
  isStart,
  type LogQuery,
  type LogStats,
  type SessionSummary,
  selectSessions,
  sessionOutcome
} from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import { checkNames } from "../EventColumns.ts"
import { type Log, type LogFile, LogReadError, type Options } from "../Log.ts"
import { isoOf } from "../Timestamp.ts"
import { events, matching } from "./NdjsonEvents.ts"
import { follow } from "./NdjsonFollow.ts"
import { type NdjsonFile, parser } from "./NdjsonLines.ts"

/** Opens a file as a log. */
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
        remedy: "Remove --table."
      })
    let skipped = 0
    // A file is read several times; each skipped line counts once.
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

interface SessionState {
  first: number | null
  last: number | null
  events: number
  starts: number
  ends: number
  end: { readonly ts: number; readonly message: string; readonly metadata: unknown } | undefined
  position: number
}

const earlier = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)
const later = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b)

const each = (file: NdjsonFile, query: LogQuery, use: (event: LogEvent) => void) =>
  Stream.runForEachChunk(matching(file, query), (chunk) =>
    Effect.sync(() => {
      for (const event of chunk) use(event)
    })
  )

/** The sessions of the selected events. */
export const sessions = (
  file: NdjsonFile,
  query: LogQuery
): Effect.Effect<ReadonlyArray<SessionSummary>, LogReadError> =>
  Effect.suspend(() => {
    const states = new Map<string | null, SessionState>()
    let position = 0
    const add = ({ ts, session_id, message, metadata }: LogEvent): void => {
      position += 1
      const state = states.get(session_id) ?? { ...initial }
      states.set(session_id, state)
      state.first = earlier(state.first, ts)
      state.last = later(state.last, ts)
      state.events += 1
      state.position = position
      if (isStart(message)) state.starts += 1
      if (!isEnd(message)) return
      state.ends += 1
      const when = ts ?? Number.NEGATIVE_INFINITY
      if (state.end === undefined || when >= state.end.ts) state.end = { ts: when, message, metadata }
    }
    const summary = ([session_id, state]: readonly [string | null, SessionState]) => ({
      summary: {
        session_id,
        first: state.first,
        last: state.last,
        events: state.events,
        outcome: sessionOutcome(state)
      },
      position: state.position
    })
    return Effect.map(each(file, query, add), () => selectSessions([...states].map(summary), query))
  })

const initial: SessionState = { first: null, last: null, events: 0, starts: 0, ends: 0, end: undefined, position: 0 }

/** Statistics of the selected events. */
export const stats = (file: NdjsonFile, query: LogQuery): Effect.Effect<LogStats, LogReadError> =>
  Effect.suspend(() => {
    const sessions = new Set<string>()
    const roles = new Map<string | null, number>()
    const levels = new Map<string | null, number>()
    const days = new Map<string | null, number>()
    let events = 0
    let first: number | null = null
    let last: number | null = null
    const count = (counts: Map<string | null, number>, name: string | null): void => {
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const add = ({ ts, session_id, role, level }: LogEvent): void => {
      events += 1
      first = earlier(first, ts)
      last = later(last, ts)
      if (session_id !== null) sessions.add(session_id)
      count(roles, role)
      count(levels, level)
      count(days, ts === null ? null : (isoOf(ts).split("T")[0] ?? null))
    }
    return Effect.map(each(file, query, add), () => ({
      events,
      sessions: sessions.size,
      first,
      last,
      roles: [...roles].sort(byCount),
      levels: [...levels].sort(byCount),
      days: [...days].sort(byName)
    }))
  })
