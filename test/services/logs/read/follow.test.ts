/**
 * Following a log: the last events, then each new one, whatever happens to the log meanwhile.
 *
 * Oracle: the messages, in the order in which the test writes them.
 */
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import type { LogQuery } from "../../../../src/services/logs/LogQuery.ts"
import type * as LogReader from "../../../../src/services/logs/LogReader.ts"
import { type Database, open, workspace } from "./workspace.ts"

/** Follows until the message `end`; `work` happens meanwhile, in steps with some looks between. */
const followed = (log: LogReader.Log, query: LogQuery, steps: ReadonlyArray<() => void>) =>
  Effect.gen(function* () {
    const reading = yield* log.follow(query, { every: "10 millis" }).pipe(
      Stream.map(({ message }) => message),
      Stream.takeUntil((message) => message === "end"),
      Stream.runCollect,
      Effect.map((found) => [...found]),
      Effect.fork
    )
    for (const step of steps) {
      yield* Effect.sleep("60 millis")
      step()
    }
    return yield* Fiber.join(reading)
  }).pipe(Effect.timeout("5 seconds"), TestServices.provideLive)

const table = "CREATE TABLE logs(ts REAL, session TEXT, message TEXT);"

const add = (database: Database, ...messages: ReadonlyArray<string>): void => {
  for (const message of messages)
    database.prepare("INSERT INTO logs VALUES (unixepoch('now', 'subsec'), 's', ?)").run(message)
}

const sqlite = (sql = table) =>
  Effect.gen(function* () {
    const work = yield* workspace
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => work.database("log.db", sql)),
      (opened) => Effect.sync(() => opened.close())
    )
    return { work, database }
  })

describe("following a table", () => {
  it.scoped("returns the last ten in the order of writing, then new ones", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      for (let i = 0; i < 12; i++) database.prepare("INSERT INTO logs VALUES (?, 's', ?)").run(-i, `${i}`)
      const log = yield* open(work.path("log.db"))
      const steps = [
        () => add(database, "a", "b"),
        () => undefined,
        () => add(database, "c"),
        () => add(database, "end")
      ]
      const last = ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
      expect(yield* followed(log, {}, steps)).toEqual([...last, "a", "b", "c", "end"])
      expect(yield* followed(log, { last: 2 }, [])).toEqual(["c", "end"])
      expect(yield* followed(log, { last: 0 }, [() => add(database, "end")])).toEqual(["end"])
    })
  )

  it.scoped("returns only the selected events", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "old one", "other")
      const log = yield* open(work.path("log.db"))
      const steps = [
        () => add(database, "no", "a ONE"),
        () => add(database, "no"),
        () => add(database, "one more", "end")
      ]
      const reading = followed(log, { contains: "n" }, steps)
      expect(yield* reading).toEqual(["old one", "no", "a ONE", "no", "one more", "end"])
    })
  )

  it.scoped("continues when the table is emptied and rowids start again", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a", "b", "c")
      const log = yield* open(work.path("log.db"))
      const steps = [
        () => {
          database.exec("DELETE FROM logs")
          add(database, "d")
        },
        () => {
          // More rows than before, between two looks.
          database.exec("DELETE FROM logs")
          add(database, "e", "f", "g", "h")
        },
        () => database.exec("DELETE FROM logs"),
        () => add(database, "end")
      ]
      expect(yield* followed(log, {}, steps)).toEqual(["a", "b", "c", "d", "e", "f", "g", "h", "end"])
    })
  )

  it.scoped("repeats nothing when the oldest or the newest rows are deleted", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a", "b", "c", "d")
      const log = yield* open(work.path("log.db"))
      const steps = [
        () => database.exec("DELETE FROM logs WHERE message = 'd'"),
        () => add(database, "e"),
        () => database.exec("DELETE FROM logs WHERE message IN ('a', 'b')"),
        () => add(database, "end")
      ]
      expect(yield* followed(log, {}, steps)).toEqual(["a", "b", "c", "d", "e", "end"])
    })
  )

  it.scoped("continues in the file that replaces it", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a")
      const log = yield* open(work.path("log.db"))
      const steps = [
        () => {
          add(database, "b")
          renameSync(work.path("log.db"), work.path("old.db"))
        },
        () => writeFileSync(work.path("log.db"), ""),
        () => {
          const next = work.database("log.db", table)
          add(next, "c")
          next.close()
        },
        () => {
          const next = work.database("log.db", "SELECT 1")
          add(next, "end")
          next.close()
        }
      ]
      expect(yield* followed(log, {}, steps)).toEqual(["a", "b", "c", "end"])
    })
  )

  for (const [what, sql] of [
    ["a table WITHOUT ROWID", "CREATE TABLE logs(ts REAL, n INTEGER PRIMARY KEY, message TEXT) WITHOUT ROWID;"],
    ["a view", "CREATE TABLE raw(ts REAL, n, message TEXT); CREATE VIEW logs AS SELECT * FROM raw;"],
    ["a view without a time", "CREATE TABLE raw(role TEXT, n, message TEXT); CREATE VIEW logs AS SELECT * FROM raw;"]
  ] as const)
    it.scoped(`works for ${what}`, () =>
      Effect.gen(function* () {
        const { work, database } = yield* sqlite(sql)
        const into = sql.includes("raw") ? "raw" : "logs"
        const put = (ts: number, n: number, message: string) => () =>
          database.prepare(`INSERT INTO ${into} VALUES (?, ?, ?)`).run(ts, n, message)
        for (const [i, message] of ["a", "b", "b2"].entries()) put(Math.min(2, i + 1), i + 1, message)()
        const log = yield* open(work.path("log.db"), { table: "logs" })
        // Two events of one time, one of them seen before the other is there.
        const steps = [put(2, 4, "c"), put(2, 5, "d"), () => undefined, put(3, 6, "e"), put(4, 7, "end")]
        expect(yield* followed(log, { last: 2 }, steps)).toEqual(["b", "b2", "c", "d", "e", "end"])
      })
    )

  it.scoped("waits while another process has a lock", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a")
      const log = yield* open(work.path("log.db"))
      const steps = [() => database.exec("BEGIN EXCLUSIVE"), () => add(database, "end"), () => database.exec("COMMIT")]
      expect(yield* followed(log, {}, steps)).toEqual(["a", "end"])
    })
  )
})

const line = (...messages: ReadonlyArray<string>): string =>
  messages.map((message) => `${JSON.stringify({ ts: 1, message })}\n`).join("")

describe("following NDJSON", () => {
  it.scoped("waits for the end of a line, and continues when the file is truncated or replaced", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.write("log.ndjson", `torn\n${line("a", "b", "c")}`)
      const log = yield* open(path)
      const half = line("d").slice(0, 9)
      const steps = [
        () => appendFileSync(path, half),
        () => appendFileSync(path, line("d").slice(9)),
        () => {
          truncateSync(path, 0)
          appendFileSync(path, line("e"))
        },
        () => {
          // As many bytes as before, and more.
          truncateSync(path, 0)
          appendFileSync(path, line("f", "g"))
        },
        () => rmSync(path),
        () => writeFileSync(path, line("h")),
        () => appendFileSync(path, line("end"))
      ]
      expect(yield* followed(log, { last: 2 }, steps)).toEqual(["b", "c", "d", "e", "f", "g", "h", "end"])
      expect(yield* log.skipped).toBe(1)
    })
  )

  it.scoped("finds the last events far from the end of a large file", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const far = `${JSON.stringify({ ts: 1, role: "far", message: "x".repeat(1000) })}\n`
      const near = `${JSON.stringify({ ts: 2, role: "near", message: "y".repeat(1000) })}\n`
      const log = yield* open(work.write("log.ndjson", `${far}${near.repeat(2500)}`))
      const roles = (query: LogQuery) =>
        log.follow(query, { once: true }).pipe(
          Stream.map(({ role }) => role),
          Stream.runCollect,
          Effect.map((found) => [...found])
        )
      expect(yield* roles({ last: 3 })).toEqual(["near", "near", "near"])
      expect(yield* roles({ last: 3, roles: ["far"] })).toEqual(["far"])
      expect(yield* roles({ last: 3000 })).toEqual(["far", ...Array.from({ length: 2500 }, () => "near")])
      expect(yield* log.skipped).toBe(0)
    })
  )

  it.scoped("starts with an empty file", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.write("log.ndjson", "")
      const log = yield* open(path)
      expect(yield* followed(log, {}, [() => appendFileSync(path, line("a", "end"))])).toEqual(["a", "end"])
    })
  )
})
