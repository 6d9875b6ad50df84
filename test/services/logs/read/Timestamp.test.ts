/**
 * Times in logs mean the same in SQLite and in NDJSON.
 *
 * Oracle: seconds computed by hand; 1,795,525,200 is 2026-11-24 13:00 UTC.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { all, open, type Value, workspace } from "./workspace.ts"

const one = 1_795_525_200

const cases: ReadonlyArray<readonly [string | number | null, number | null, string?]> = [
  [0, 0],
  [-86_400.5, -86_400.5],
  [one, one],
  [one + 0.25, one + 0.25],
  [one * 1e3 + 250, one + 0.25],
  [one * 1e6 + 250_000, one + 0.25],
  [one * 1e9, one],
  [1e11, 1e11],
  [1e20, 1e11],
  [1e21, null],
  [`${one}`, one],
  [` ${one}.25 `, one + 0.25],
  [`${one}250`, one + 0.25],
  ["2026-11-24", one - 13 * 3600],
  ["2026-11-24T13:00", one],
  ["2026-11-24 13:00:00", one],
  ["2026-11-24T13:00:00Z", one],
  ["2026-11-24 13:00:00 UTC", one],
  ["2026-11-24T13:00:00.25Z", one + 0.25],
  ["2026-11-24T13:00:00.123456", one + 0.123456],
  ["2026-11-24 13:00:00,5", one + 0.5],
  ["2026-11-24T13:00:00+02:00", one - 7200],
  ["2026-11-24T13:00:00.5-05:30", one + 5.5 * 3600 + 0.5],
  ["2026-11-24T13:00:00+0200", one - 7200],
  ["2026-11-24 13:00:00.5+02", one - 7200 + 0.5],
  ["now", null],
  ["13:00", null],
  ["2026-13-24", null],
  ["2026-11-24T25:00:00", null],
  ["24.11.2026", null],
  ["1.2.3", null],
  ["", null],
  [null, null]
]

describe("times", () => {
  it.scoped("mean the same everywhere", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const database = work.database("log.db", "CREATE TABLE logs(n, ts, message)")
      // JavaScript's numbers are REAL; integers are kept apart.
      const insert = database.prepare("INSERT INTO logs VALUES (?, ?, ?)")
      const exact = (value: Value): Value =>
        typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value) : value
      for (const [i, [value]] of cases.entries()) {
        insert.run(i, value, `${i}`)
        insert.run(i, exact(value), `${i}`)
      }
      database.close()
      work.write("log.ndjson", cases.map(([ts], i) => `${JSON.stringify({ ts, message: `${i}` })}\n`).join(""))
      for (const log of [yield* open(work.path("log.db")), yield* open(work.path("log.ndjson"))])
        for (const { message, ts, time } of yield* all(log)) {
          const [value, expected = null] = cases[Number(message)] ?? []
          expect([log.shape, value, ts]).toEqual([log.shape, value, expected])
          if (expected !== null) expect(time).toBe(new Date(Math.round(expected * 1000)).toISOString())
          else if (typeof value === "string") expect(time).toBe(value)
        }
    })
  )
})
