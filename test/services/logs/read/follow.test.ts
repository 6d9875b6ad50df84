/**
 * Following a log: the last events, then each new one, whatever happens to the log meanwhile.
 *
 * Oracle: the messages, in the order in which the test writes them. No test waits for a time: a check of the log begins by asking
 * which file its path names, so a check is over when the next one asks.
 */
import {
  appendFileSync,
  closeSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync
} from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import type { LogQuery } from "../../../../src/services/logs/LogQuery.ts"
import * as LogReader from "../../../../src/services/logs/LogReader.ts"
import { type Database, open, type Workspace, workspace } from "./workspace.ts"

/** Opens a log; `after` runs when a call to the file system has returned: "stat", "open" or "read". */
const observed = (path: string, after: (call: string) => void, options: Omit<LogReader.Options, "path"> = {}) =>
  Effect.gen(function* () {
    const real = yield* FileSystem.FileSystem
    const told =
      (call: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.ensuring(
          effect,
          Effect.sync(() => after(call))
        )
    const fs: FileSystem.FileSystem = {
      ...real,
      stat: (of) => told("stat")(real.stat(of)),
      open: (of, how) =>
        Effect.map(told("open")(real.open(of, how)), (file) =>
          Object.assign(Object.create(file), {
            read: (buffer: Uint8Array) => told("read")(file.read(buffer)),
            seek: (offset: bigint, from: FileSystem.SeekMode) => file.seek(offset, from)
          })
        )
    }
    return yield* Effect.provideService(LogReader.open({ path, ...options }), FileSystem.FileSystem, fs)
  }).pipe(Effect.provide(NodeFileSystem.layer))

const messages = (log: LogReader.Log, query: LogQuery) =>
  log.follow(query, { every: "1 millis" }).pipe(
    Stream.map(({ message }) => message),
    Stream.takeUntil((message) => message === "end")
  )

const collected = <E>(found: Stream.Stream<string, E>) => Effect.map(Stream.runCollect(found), (all) => [...all])

/** Follows until the message `end`; `work` happens meanwhile, in steps with at least one whole check before each. */
const followed = (
  path: string,
  query: LogQuery,
  steps: ReadonlyArray<() => void>,
  options: Omit<LogReader.Options, "path"> = {}
) =>
  Effect.gen(function* () {
    let checks = 0
    const log = yield* observed(
      path,
      (call) => {
        if (call === "stat") checks += 1
      },
      options
    )
    const reading = yield* Effect.fork(collected(messages(log, query)))
    for (const step of steps) {
      // A check asks three times if it opens another file, so one that begins from now on is over at the fourth question.
      const over = checks + 4
      yield* Effect.sleep("1 millis").pipe(Effect.repeat({ until: () => checks >= over }))
      step()
    }
    return yield* Fiber.join(reading)
  }).pipe(TestServices.provideLive)

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
      const steps = [
        () => add(database, "a", "b"),
        () => undefined,
        () => add(database, "c"),
        () => add(database, "end")
      ]
      const last = ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
      expect(yield* followed(work.path("log.db"), {}, steps)).toEqual([...last, "a", "b", "c", "end"])
      expect(yield* followed(work.path("log.db"), { last: 2 }, [])).toEqual(["c", "end"])
      expect(yield* followed(work.path("log.db"), { last: 0 }, [() => add(database, "end")])).toEqual(["end"])
    })
  )

  it.scoped("returns only the selected events", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "old one", "other")
      const steps = [
        () => add(database, "no", "a ONE"),
        () => add(database, "no"),
        () => add(database, "one more", "end")
      ]
      const reading = followed(work.path("log.db"), { contains: "n" }, steps)
      expect(yield* reading).toEqual(["old one", "no", "a ONE", "no", "one more", "end"])
    })
  )

  it.scoped("continues when the table is emptied and rowids start again", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a", "b", "c")
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
      expect(yield* followed(work.path("log.db"), {}, steps)).toEqual(["a", "b", "c", "d", "e", "f", "g", "h", "end"])
    })
  )

  it.scoped("repeats nothing when the oldest or the newest rows are deleted", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a", "b", "c", "d")
      const steps = [
        () => database.exec("DELETE FROM logs WHERE message = 'd'"),
        () => add(database, "e"),
        () => database.exec("DELETE FROM logs WHERE message IN ('a', 'b')"),
        () => add(database, "end")
      ]
      expect(yield* followed(work.path("log.db"), {}, steps)).toEqual(["a", "b", "c", "d", "e", "end"])
    })
  )

  it.scoped("continues in the file that replaces it", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a")
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
      expect(yield* followed(work.path("log.db"), {}, steps)).toEqual(["a", "b", "c", "end"])
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
        // Two events of one time, one of them seen before the other is there.
        const steps = [put(2, 4, "c"), put(2, 5, "d"), () => undefined, put(3, 6, "e"), put(4, 7, "end")]
        expect(yield* followed(work.path("log.db"), { last: 2 }, steps, { table: "logs" })).toEqual([
          "b",
          "b2",
          "c",
          "d",
          "e",
          "end"
        ])
      })
    )

  it.scoped("waits while another process has a lock", () =>
    Effect.gen(function* () {
      const { work, database } = yield* sqlite()
      add(database, "a")
      const log = yield* open(work.path("log.db"))
      const reading = yield* Effect.fork(TestServices.provideLive(collected(messages(log, {}))))
      // The lock is there when the log is opened, or soon after.
      database.exec("BEGIN EXCLUSIVE")
      add(database, "end")
      yield* TestServices.provideLive(Effect.sleep("50 millis"))
      database.exec("COMMIT")
      expect(yield* Fiber.join(reading)).toEqual(["a", "end"])
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
      expect(yield* followed(path, { last: 2 }, steps)).toEqual(["b", "c", "d", "e", "f", "g", "h", "end"])
    })
  )

  it.scoped("counts a torn line once it has ended", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.write("log.ndjson", `torn\n${line("a")}half`)
      const log = yield* open(path)
      const skipped = yield* log.follow({}, { every: "1 millis" }).pipe(
        Stream.tap(({ message }) =>
          Effect.sync(() => (message === "a" ? appendFileSync(path, ` a line\n${line("end")}`) : undefined))
        ),
        Stream.takeUntil(({ message }) => message === "end"),
        Stream.runDrain,
        Effect.zipRight(log.skipped),
        TestServices.provideLive
      )
      expect(skipped).toBe(2)
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
      expect(yield* followed(path, {}, [() => appendFileSync(path, line("a", "end"))])).toEqual(["a", "end"])
    })
  )
})

/**
 * Follows until `end`, and calls `work` right after a call to the file system: the call number `at` after the message `from`, or after
 * the log was opened.
 */
const disturbed = (path: string, at: number, work: () => void, from?: string) =>
  Effect.gen(function* () {
    let left = Number.POSITIVE_INFINITY
    const log = yield* observed(path, () => {
      if (left === 0) work()
      left -= 1
    })
    if (from === undefined) left = at
    const found = Stream.tap(messages(log, {}), (message) =>
      Effect.sync(() => {
        if (message === from) left = at
      })
    )
    return yield* collected(found)
  }).pipe(TestServices.provideLive)

/** More calls to the file system than a check makes that opens another file. */
const calls = Array.from({ length: 10 }, (_, i) => i)

describe("no line is lost or repeated, whichever call to the file system is followed by", () => {
  const rename = (work: Workspace, path: string): void => {
    appendFileSync(path, line("c"))
    renameSync(path, work.path("old.ndjson"))
    writeFileSync(path, line("d", "end"))
  }
  const remove = (_: Workspace, path: string): void => {
    appendFileSync(path, line("c"))
    rmSync(path)
    writeFileSync(path, line("d", "end"))
  }
  const rewrite = (_: Workspace, path: string): void => {
    truncateSync(path)
    appendFileSync(path, line("c", "d", "end"))
  }
  for (const [what, disturb] of Object.entries({
    "a line and a rename": rename,
    "a line and a removal": remove,
    "a longer text in the same file": rewrite
  })) {
    it.scoped(what, () =>
      Effect.forEach(calls, (at) =>
        Effect.gen(function* () {
          const work = yield* workspace
          const path = work.write("log.ndjson", line("a", "b"))
          expect(yield* disturbed(path, at, () => disturb(work, path), "b"), `call ${at}`).toEqual([
            "a",
            "b",
            "c",
            "d",
            "end"
          ])
        })
      )
    )

    it.scoped(`${what}, while the log is opened`, () =>
      Effect.forEach(calls, (at) =>
        Effect.gen(function* () {
          const work = yield* workspace
          const path = work.write("log.ndjson", line("a", "b"))
          const found = yield* disturbed(path, at, () => disturb(work, path))
          expect(found.slice(found.indexOf("d")), `call ${at}`).toEqual(["d", "end"])
          // The old lines are there if the old file was opened.
          expect(["", "a b c", "c", "a b"]).toContain(found.slice(0, found.indexOf("d")).join(" "))
        })
      )
    )
  }

  for (const [when, from, old] of [
    ["", "b", ["a", "b", "c"]],
    [", while the log is opened", undefined, undefined]
  ] as const)
    it.scoped(`a row and another database${when}`, () =>
      Effect.forEach(calls, (at) =>
        Effect.gen(function* () {
          const { work, database } = yield* sqlite()
          add(database, "a", "b")
          const next = work.database("next.db", table)
          add(next, "d", "end")
          next.close()
          const replace = () => {
            add(database, "c")
            renameSync(work.path("next.db"), work.path("log.db"))
          }
          const found = yield* disturbed(work.path("log.db"), at, replace, from)
          expect(found.slice(found.indexOf("d")), `call ${at}`).toEqual(["d", "end"])
          if (old !== undefined) expect(found.slice(0, found.indexOf("d")), `call ${at}`).toEqual(old)
        })
      )
    )

  it.scoped("a line of a writer that had opened the file before it was renamed", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.write("log.ndjson", line("a"))
      const writer = openSync(path, "a")
      const steps = [
        () => {
          renameSync(path, work.path("old.ndjson"))
          writeFileSync(path, line("b"))
        },
        () => writeSync(writer, line("late")),
        () => appendFileSync(path, line("end"))
      ]
      expect(yield* followed(path, {}, steps)).toEqual(["a", "b", "late", "end"])
      closeSync(writer)
    })
  )
})
