/**
 * A log of several pages loses and repeats nothing at the ends of pages, even if times are equal there.
 *
 * Oracle: the numbers from 0 to 3,499, in which each ten events have the same time.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { open, workspace } from "./workspace.ts"

const count = 3500
const numbers = Array.from({ length: count }, (_, n) => n)

const fill = (table: string): string =>
  `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1}) INSERT INTO ${table} SELECT i / 10, i FROM n;`

const tables: ReadonlyArray<readonly [string, string]> = [
  ["with an index", `CREATE TABLE logs(ts REAL, message TEXT); CREATE INDEX i ON logs(ts); ${fill("logs")}`],
  ["without an index", `CREATE TABLE logs(ts REAL, message TEXT); ${fill("logs")}`],
  ["without a time", `CREATE TABLE logs(role REAL, message TEXT); ${fill("logs")}`],
  ["that is a view", `CREATE TABLE raw(ts REAL, message TEXT); CREATE VIEW logs AS SELECT * FROM raw; ${fill("raw")}`]
]

describe("pages of a log", () => {
  for (const [what, sql] of tables)
    it.scoped(`${what} fit together`, () =>
      Effect.gen(function* () {
        const work = yield* workspace
        const log = yield* open(work.made("log.db", `PRAGMA synchronous = OFF; ${sql}`), { table: "logs" })
        const read = (query: Parameters<typeof log.events>[0]) =>
          log.events(query).pipe(
            // A page that is repeated would never end.
            Stream.take(2 * count),
            Stream.map(({ message }) => Number(message)),
            Stream.runCollect,
            Effect.map((found) => [...found])
          )
        expect(yield* read({})).toEqual(numbers)
        expect(yield* read({ order: "desc" })).toEqual(numbers.toReversed())
        expect(yield* read({ last: 2345, offset: 3, limit: 2001 })).toEqual(numbers.slice(-2345).slice(3, 2004))
        expect(yield* read({ last: 2345, order: "desc", offset: 1005 })).toEqual(
          numbers.slice(-2345).toReversed().slice(1005)
        )
        const followed = yield* log.follow({ last: 3001 }, { once: true }).pipe(Stream.runCollect)
        expect([...followed].map(({ message }) => Number(message))).toEqual(numbers.slice(-3001))
      })
    )

  it.scoped("end where the log ended when the reading began", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const writer = work.database("log.db", `PRAGMA journal_mode = WAL; ${tables[0]?.[1]}`)
      const log = yield* open(work.path("log.db"))
      const add = writer.prepare("INSERT INTO logs VALUES (10000, 'new')")
      const found = yield* log.events({}).pipe(
        Stream.tap(() => Effect.sync(() => add.run())),
        Stream.take(2 * count),
        Stream.runCount
      )
      writer.close()
      expect(found).toBe(count)
    })
  )
})
