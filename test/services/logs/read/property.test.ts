/**
 * Any query gives the same events from SQLite (with and without indexes, without rowids, as a view) and from NDJSON (in any
 * order, also gzipped).
 *
 * Oracle: a straightforward filter, sort and slice of the events in memory, written here from the words of LogQuery.ts.
 */
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import type { LogQuery } from "../../../../src/services/logs/LogQuery.ts"
import type { LogEvent } from "../../../../src/services/logs/SessionEvent.ts"
import { inFull } from "../../../full.ts"
import { all, event, open, workspace } from "./workspace.ts"

interface Written {
  readonly ts: number | string | null
  readonly session: string | null
  readonly role: string | null
  readonly message: string
  readonly level: string | null
}

/** Few values, so that filters meet and times are equal. */
const written: fc.Arbitrary<Written> = fc.record({
  ts: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => n * 0.5) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("never", null, "1970-01-01T00:00:01.5Z", "1970-01-01 02:00:02+02:00", "2.5")
    }
  ),
  session: fc.constantFrom("a", "b", "A", null),
  role: fc.constantFrom("user", "tool", "INFO", "warning", null),
  message: fc.constantFrom("", "100%_x", "100a_x", "AbC", "aBc\0de", "Ärger", "line\nline"),
  level: fc.constantFrom(null, "warn", "WARNING", "ERROR", "custom")
})

const count = fc.integer({ min: 0, max: 30 })

const instant = fc.integer({ min: -1, max: 7 }).map((n) => n * 0.5)

/** At most two, so that events are left to be ordered. */
const filters: fc.Arbitrary<LogQuery> = fc
  .array(
    fc.oneof(
      fc.record({ sessionId: fc.constantFrom("a", "b", "c") }),
      fc.record({ roles: fc.subarray(["user", "tool", "INFO"]) }),
      fc.record({ levels: fc.subarray(["WARN", "err", "info", "Custom"]) }),
      fc.record({ contains: fc.constantFrom("", "%", "_x", "abc", "C\0D", "ärger", "\n") }),
      fc.record({ since: instant }),
      fc.record({ until: instant })
    ),
    { maxLength: 2 }
  )
  .map((parts): LogQuery => Object.assign({}, ...parts))

const window: fc.Arbitrary<LogQuery> = fc.record(
  {
    order: fc.constantFrom("asc" as const, "desc" as const),
    last: count,
    offset: fc.integer({ min: 0, max: 5 }),
    limit: count
  },
  { requiredKeys: [] }
)

const query: fc.Arbitrary<LogQuery> = fc.tuple(filters, window).map(([filter, part]) => ({ ...filter, ...part }))

const seconds: Record<string, number> = {
  "1970-01-01T00:00:01.5Z": 1.5,
  "1970-01-01 02:00:02+02:00": 2,
  "2.5": 2.5
}

const ours: Record<string, string> = { WARN: "WARN", WARNING: "WARN", ERR: "ERROR", ERROR: "ERROR", INFO: "INFO" }

const eventOf = ({ ts, session, role, message, level }: Written): LogEvent => {
  const known = typeof ts === "string" ? (seconds[ts] ?? null) : ts
  const told = role === null ? null : (ours[role.toUpperCase()] ?? null)
  return event({
    ts: known,
    time: known === null ? (ts === null ? null : String(ts)) : new Date(known * 1000).toISOString(),
    session_id: session,
    role,
    message,
    level: level === null ? told : (ours[level.toUpperCase()] ?? level.toUpperCase())
  })
}

const small = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const naive = (events: ReadonlyArray<LogEvent>, query: LogQuery): ReadonlyArray<LogEvent> => {
  const { sessionId, roles = [], levels = [], contains, since, until, order, last, offset = 0, limit } = query
  const wanted = levels.map((level) => ours[level.toUpperCase()] ?? level.toUpperCase())
  const matching = events
    .filter((one) => sessionId === undefined || one.session_id === sessionId)
    .filter((one) => roles.length === 0 || roles.includes(one.role ?? "none"))
    .filter((one) => wanted.length === 0 || wanted.includes(one.level ?? "none"))
    .filter((one) => contains === undefined || small(one.message).includes(small(contains)))
    .filter((one) => since === undefined || (one.ts !== null && one.ts >= since))
    .filter((one) => until === undefined || (one.ts !== null && one.ts <= until))
    .map((one, i) => ({ one, i }))
    .sort((a, b) => (a.one.ts === b.one.ts ? a.i - b.i : (a.one.ts ?? -1) - (b.one.ts ?? -1)))
    .map(({ one }) => one)
  const newest = last === undefined ? matching : matching.slice(Math.max(0, matching.length - last))
  const ordered = order === "desc" ? newest.toReversed() : newest
  return ordered.slice(offset, limit === undefined ? undefined : offset + limit)
}

const columns = "ts, session TEXT, role TEXT, message TEXT, level TEXT"

describe("a query", () => {
  it.effect("returns the same from every kind of log", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(written, { maxLength: 25, size: "max" }),
          fc.boolean(),
          fc.array(query, { minLength: 5, maxLength: 8 }),
          (rows, plain, queries) => Effect.runPromise(Effect.scoped(check(rows, plain, queries)))
        ),
        { numRuns: inFull(40, 12) }
      )
    )
  )
})

/** `plain`: all times are numbers, so that an index of them serves. */
const check = (rows: ReadonlyArray<Written>, plain: boolean, queries: ReadonlyArray<LogQuery>) =>
  Effect.gen(function* () {
    const work = yield* workspace
    const content = plain ? rows.map((row) => ({ ...row, ts: typeof row.ts === "number" ? row.ts : 3 })) : rows
    const events = content.map(eventOf)
    const database = work.database(
      "logs.db",
      `PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN;
       CREATE TABLE logs(${columns});
       CREATE TABLE indexed(${columns}); CREATE INDEX a ON indexed(session, ts); CREATE INDEX b ON indexed(ts);
       CREATE TABLE half(${columns}); CREATE INDEX c ON half(session, ts);
       CREATE TABLE keyed(n INTEGER PRIMARY KEY, ${columns}) WITHOUT ROWID;
       CREATE VIEW seen AS SELECT * FROM logs;`
    )
    content.forEach(({ ts, session, role, message, level }, n) => {
      for (const table of ["logs", "indexed", "half"])
        database.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?)`).run(ts, session, role, message, level)
      database.prepare("INSERT INTO keyed VALUES (?, ?, ?, ?, ?, ?)").run(n, ts, session, role, message, level)
    })
    database.exec("COMMIT")
    database.close()
    const lines = content.map((row) => `${JSON.stringify(row)}\n`).join("")
    work.write("logs.ndjson", lines)
    work.write("logs.ndjson.gz", gzipSync(lines))
    const logs = [
      ...(yield* Effect.forEach(["logs", "indexed", "half", "keyed", "seen"], (table) =>
        open(work.path("logs.db"), { table })
      )),
      yield* open(work.path("logs.ndjson")),
      yield* open(work.path("logs.ndjson.gz"))
    ]
    for (const query of queries) {
      const expected = naive(events, query)
      for (const log of logs) expect([log.shape, yield* all(log, query)]).toEqual([log.shape, expected])
    }
  })
