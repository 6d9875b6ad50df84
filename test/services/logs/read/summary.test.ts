/**
 * Sessions and statistics of a log.
 *
 * Oracle: counted by hand.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogQuery, SessionSummary } from "../../../../src/services/logs/LogQuery.ts"
import { open, workspace } from "./workspace.ts"

const day = 86_400

/** ts, session, role, level, message, metadata. */
const rows: ReadonlyArray<readonly [number | null, string | null, string, string | null, string, unknown]> = [
  [10, "won", "system", "INFO", "session_start", null],
  [11, "won", "user", "INFO", "session_end is near", null],
  [12, "won", "system", "INFO", "session_end", { outcome: "success" }],
  [20, "lost", "system", "INFO", "session_start", null],
  [21, "lost", "system", "warning", "session_end", { outcome: "interrupted" }],
  [22, "lost", "system", "INFO", "session_start", null],
  [23, "lost", "system", "ERROR", "session_end", { outcome: "defect" }],
  [30, "running", "system", null, "session_start", null],
  [31, "running", "INFO", null, "working", null],
  [day + 40, "two", "system", null, "session_start", null],
  [day + 41, "two", "system", null, "session_start", null],
  [day + 42, "two", "system", null, "session_end", { outcome: "success" }],
  [day + 50, "kit", "system", null, "session_start", null],
  [day + 51, "kit", "system", null, "session_end", null],
  [day + 60, "kit2", "system", null, "session_start", null],
  [day + 61, "kit2", "system", null, "session_end (exc=ValueError)", { other: 1 }],
  [day + 62, "plain", "user", null, "hello", null],
  [day + 62, "later", "user", null, "hello", null],
  [null, null, "user", null, "nobody", null]
]

const logs = Effect.gen(function* () {
  const work = yield* workspace
  const columns = "ts, session_id TEXT, role TEXT, level TEXT, message TEXT, metadata TEXT"
  const database = work.database("log.db", `CREATE TABLE logs(${columns}); CREATE VIEW seen AS SELECT * FROM logs;`)
  const insert = database.prepare("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?)")
  for (const [ts, session, role, level, message, metadata] of rows)
    insert.run(ts, session, role, level, message, metadata === null ? null : JSON.stringify(metadata))
  database.close()
  const lines = rows.map(([ts, session_id, role, level, message, metadata]) =>
    JSON.stringify({ ts, session_id, role, level, message, metadata })
  )
  work.write("log.ndjson", lines.join("\n"))
  return [yield* open(work.path("log.db")), yield* open(work.path("log.ndjson"))]
})

const summary = (
  session_id: string | null,
  first: number | null,
  last: number | null,
  events: number,
  outcome: string | null
): SessionSummary => ({ session_id, first, last, events, outcome })

describe("a log's summary", () => {
  it.scoped("lists its sessions, newest first, and how they ended", () =>
    Effect.gen(function* () {
      for (const log of yield* logs) {
        expect(yield* log.sessions({})).toEqual([
          summary("later", day + 62, day + 62, 1, null),
          summary("plain", day + 62, day + 62, 1, null),
          summary("kit2", day + 60, day + 61, 2, "failure"),
          summary("kit", day + 50, day + 51, 2, "success"),
          summary("two", day + 40, day + 42, 3, "open"),
          summary("running", 30, 31, 2, "open"),
          summary("lost", 20, 23, 4, "defect"),
          summary("won", 10, 12, 3, "success"),
          summary(null, null, null, 1, null)
        ])
        expect(yield* log.sessions({ roles: ["user"], until: 100, last: 1, limit: 1 })).toEqual([
          summary("won", 11, 11, 1, null)
        ])
        const ids = (query: LogQuery) =>
          Effect.map(log.sessions(query), (found) => found.map(({ session_id }) => session_id))
        expect(yield* ids({ last: 3, order: "asc" })).toEqual(["kit2", "plain", "later"])
        expect(yield* ids({ last: 4, offset: 1, limit: 2 })).toEqual(["plain", "kit2"])
        expect(yield* ids({ order: "asc", offset: 7 })).toEqual(["plain", "later"])
        expect(yield* ids({ limit: 0 })).toEqual([])
      }
    })
  )

  it.scoped("counts events", () =>
    Effect.gen(function* () {
      for (const log of yield* logs) {
        expect(yield* log.stats({})).toEqual({
          events: 19,
          sessions: 8,
          first: 10,
          last: day + 62,
          roles: [
            ["system", 14],
            ["user", 4],
            ["INFO", 1]
          ],
          levels: [
            [null, 11],
            ["INFO", 6],
            ["ERROR", 1],
            ["WARN", 1]
          ],
          days: [
            [null, 1],
            ["1970-01-01", 9],
            ["1970-01-02", 9]
          ]
        })
        expect(yield* log.stats({ sessionId: "nobody" })).toEqual({
          events: 0,
          sessions: 0,
          first: null,
          last: null,
          roles: [],
          levels: [],
          days: []
        })
      }
    })
  )
})
