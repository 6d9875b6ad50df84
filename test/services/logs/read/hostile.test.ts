/**
 * Values that break careless readers are returned unchanged, and have no other effect.
 *
 * Oracle: the values themselves; SHA-256 of the files before and after.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { all, open, workspace } from "./workspace.ts"

const values: ReadonlyArray<string> = [
  "'; DROP TABLE logs; --",
  '" OR 1=1',
  "a\0b\0",
  "line\nline\r\n",
  "\u001b[31mred\u001b[0m",
  "100%_sure",
  "100a_sure",
  "\u2028\u2029\ufeff",
  "😀 ä é",
  "__proto__",
  "{}",
  "",
  "?1 :a @b $c"
]

const logs = Effect.gen(function* () {
  const work = yield* workspace
  const database = work.database("log.db", "CREATE TABLE logs(ts REAL, session_id TEXT, role TEXT, message TEXT)")
  for (const value of values) database.prepare("INSERT INTO logs VALUES (1, ?, ?, ?)").run(value, value, value)
  database.close()
  const lines = values.map((value) => JSON.stringify({ ts: 1, session_id: value, role: value, message: value }))
  work.write("log.ndjson", lines.join("\n"))
  return { work, opened: [yield* open(work.path("log.db")), yield* open(work.path("log.ndjson"))] }
})

describe("hostile values", () => {
  it.scoped("are read and found unchanged", () =>
    Effect.gen(function* () {
      const { work, opened } = yield* logs
      const before = [work.hash("log.db"), work.hash("log.ndjson")]
      for (const log of opened) {
        const messages = (query: Parameters<typeof all>[1]) =>
          Effect.map(all(log, query), (found) => found.map(({ message }) => message))
        const found = yield* all(log)
        expect(found.map(({ message }) => message)).toEqual(values)
        expect(found.map(({ session_id }) => session_id)).toEqual(values)
        for (const value of values) {
          expect(yield* messages({ sessionId: value })).toEqual([value])
          expect(yield* messages({ roles: [value] })).toEqual([value])
          expect(yield* messages({ levels: [value] })).toEqual([])
          expect(yield* messages({ contains: value })).toEqual(values.filter((other) => other.includes(value)))
        }
        expect(yield* messages({ contains: "%_" })).toEqual(["100%_sure"])
        expect(yield* messages({ contains: "\0B" })).toEqual(["a\0b\0"])
        expect(yield* messages({ contains: "É" })).toEqual([])
      }
      expect([work.hash("log.db"), work.hash("log.ndjson")]).toEqual(before)
    })
  )

  it.scoped("a lone surrogate, which is not UTF-8, is found and does no harm", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const database = work.database("log.db", "CREATE TABLE logs(ts REAL, message TEXT)")
      database.prepare("INSERT INTO logs VALUES (1, ?)").run("a\ud800b")
      database.close()
      work.write("log.ndjson", '{"ts":1,"message":"a\\ud800b"}\n')
      for (const path of ["log.db", "log.ndjson"]) {
        const found = yield* all(yield* open(work.path(path)), { contains: "A\ud800" })
        // SQLite keeps three bytes, which are read as three U+FFFD.
        expect(found.map(({ message }) => message.toWellFormed().replace(/\ufffd+/, "?"))).toEqual(["a?b"])
      }
    })
  )

  it.scoped("messages of 10 MB are read one by one", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const megabytes = 10
      const path = work.made(
        "log.db",
        `PRAGMA synchronous = OFF; CREATE TABLE logs(ts REAL, message TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)
         INSERT INTO logs SELECT -i, i || hex(zeroblob(${(megabytes << 20) / 2})) FROM n; INSERT INTO logs VALUES (1, 'small'), (2, 'smaller')`
      )
      const log = yield* open(path)
      const chunks = yield* log.events({}).pipe(
        Stream.chunks,
        Stream.map((chunk) => Chunk.toReadonlyArray(chunk).map(({ message }) => message.length)),
        Stream.runCollect
      )
      const large = (megabytes << 20) + 1
      expect([...chunks].filter((lengths) => lengths.length > 0)).toEqual([
        ...Array.from({ length: 6 }, () => [large]),
        [5, 7]
      ])
    })
  )
})
