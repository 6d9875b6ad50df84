/**
 * An index of the time, or of session and time, is used if the times are plain seconds, so that queries on a large log are fast.
 *
 * Oracle: SQLite's own plan of the statements.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../../../src/services/logs/LogQuery.ts"
import { events } from "../../../../src/services/logs/read/sql/SqlEvents.ts"
import type { SqlSource } from "../../../../src/services/logs/read/sql/SqlRows.ts"
import { type Ask, asking } from "../../../../src/services/logs/read/sql/SqlStatement.ts"
import { find } from "../../../../src/services/logs/read/sql/TableShape.ts"
import * as Sqlite from "../../../../src/services/logs/Sqlite.ts"
import { workspace } from "./workspace.ts"

const table = `CREATE TABLE session_events(ts REAL NOT NULL, session_id TEXT NOT NULL, role TEXT NOT NULL, message TEXT NOT NULL, level TEXT, metadata TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
  INSERT INTO session_events SELECT i, 's' || (i % 5), 'user', 'message', NULL, NULL FROM n;`
const indexes = "CREATE INDEX a ON session_events(session_id, ts); CREATE INDEX b ON session_events(ts);"

/** Plans of what is asked of the table for a query, and how many events there are. */
const planned = (sql: string, query: LogQuery) =>
  Effect.gen(function* () {
    const work = yield* workspace
    const path = work.made("log.db", sql)
    const ask = asking(yield* Sqlite.open({ path, readonly: true }))
    const shape = yield* find({ path }, ask)
    const plans: Array<string> = []
    const watched: Ask = (sql, values) =>
      Effect.zipRight(
        sql.startsWith("SELECT") && sql.includes("codex_place")
          ? Effect.map(ask(`EXPLAIN QUERY PLAN ${sql}`, values), (steps) => {
              plans.push(steps.map(({ detail }) => String(detail)).join("; "))
            })
          : Effect.void,
        ask(sql, values)
      )
    const source: SqlSource = { path, shape, ask: watched, temporary: () => "temp.codex_log" }
    return { count: yield* Stream.runCount(events(source, query)), plans }
  })

const queries: ReadonlyArray<readonly [LogQuery, number, RegExp]> = [
  [{ last: 20 }, 20, /^(SCAN|SEARCH) session_events USING (COVERING )?INDEX b/],
  [{ order: "desc", limit: 3 }, 3, /USING (COVERING )?INDEX b/],
  [{ sessionId: "s1" }, 20, /USING (COVERING )?INDEX [ab]/],
  [{ sessionId: "s1", last: 5, order: "desc" }, 5, /USING (COVERING )?INDEX [ab]/],
  [{ since: 10, until: 20 }, 11, /USING (COVERING )?INDEX b|USING (COVERING )?INDEX b \(ts>\? AND ts<\?\)/]
]

describe("a log with indexes", () => {
  for (const [query, expected, plan] of queries)
    it.scoped(`is not sorted for ${JSON.stringify(query)}`, () =>
      Effect.gen(function* () {
        const { count, plans } = yield* planned(`${table} ${indexes}`, query)
        expect(count).toBe(expected)
        expect(plans.length).toBeGreaterThan(0)
        for (const one of plans) expect(one).toMatch(plan)
        expect(plans.join()).not.toContain("TEMP B-TREE")
        if (query.sessionId !== undefined) expect(plans.at(-1)).toMatch(/INDEX a \(session_id=\?/)
      })
    )

  it.scoped("is sorted if a time is not a number, or if there is no index", () =>
    Effect.gen(function* () {
      const odd = "INSERT INTO session_events VALUES ('2026-11-24', 's1', 'user', 'message', NULL, NULL);"
      for (const sql of [`${table} ${indexes} ${odd}`, table]) {
        const { count, plans } = yield* planned(sql, { last: 20 })
        expect(count).toBe(20)
        expect(plans.at(-1)).toContain("sorted")
      }
    })
  )
})
