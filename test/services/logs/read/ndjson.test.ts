/**
 * NDJSON of codex and of other programs: which lines are events, which are skipped and counted, and what keys mean.
 *
 * Oracle: the events, written by hand next to the lines.
 */
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { all, event, failure, open, workspace } from "./workspace.ts"

const lines = [
  '{"ts":2,"session_id":"s","role":"user","message":"second","level":"INFO","metadata":{"a":1}}',
  "",
  '{"timestamp":"1970-01-01T00:00:01Z","conversation":7,"type":"ai","content":"first","more":true}\r',
  "[1]",
  "not json",
  '{"ts":3,"text":{"nested":[1]},"severity":"warning","extra":"[2]"}',
  '{"ts":4,"role":"no message"}',
  "null",
  '{"message":null,"@timestamp":5}',
  '{"ts":9,"message":"to'
].join("\n")

const events = [
  event({
    ts: 1,
    time: "1970-01-01T00:00:01.000Z",
    session_id: "7",
    role: "ai",
    message: "first"
  }),
  event({
    ts: 2,
    time: "1970-01-01T00:00:02.000Z",
    session_id: "s",
    role: "user",
    message: "second",
    level: "INFO",
    metadata: { a: 1 }
  }),
  event({ ts: 3, time: "1970-01-01T00:00:03.000Z", message: '{"nested":[1]}', level: "WARN", metadata: [2] }),
  event({ ts: 5, time: "1970-01-01T00:00:05.000Z" })
]

describe("NDJSON", () => {
  for (const name of ["log.ndjson", "log.jsonl", "log.ndjson.gz", "log.jsonl.gz", "log.txt", "log"])
    it.scoped(`is read from ${name}`, () =>
      Effect.gen(function* () {
        const work = yield* workspace
        const path = work.write(name, name.endsWith(".gz") ? gzipSync(lines) : lines)
        const before = work.hash(name)
        const log = yield* open(path)
        expect(log.shape).toBe("NDJSON")
        expect(yield* all(log)).toEqual(events)
        expect(yield* log.skipped).toBe(5)
        expect(yield* all(log, { last: 2, order: "desc" })).toEqual(events.slice(2).toReversed())
        expect(yield* log.skipped).toBe(5)
        expect(work.hash(name)).toBe(before)
      })
    )

  it.scoped("may be empty, or begin with a byte order mark", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      expect(yield* all(yield* open(work.write("empty.ndjson", "")))).toEqual([])
      expect(yield* all(yield* open(work.write("marked.txt", '\ufeff{"message":"a"}\n')))).toEqual([
        event({ message: "a" })
      ])
    })
  )

  it.scoped("has the keys that are given", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.write("log.ndjson", '{"said":"a","message":"b","who":"me"}\n{"message":"c"}\n')
      const log = yield* open(path, { columns: { message: "said", role: "who" } })
      expect(yield* all(log)).toEqual([event({ message: "a", role: "me" })])
      expect(yield* log.skipped).toBe(1)
    })
  )

  it.scoped("is not kept in memory: events come before the end is read", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const many = Array.from({ length: 20_000 }, (_, i) => `{"ts":${i},"message":"${"m".repeat(40)} ${i}"}\n`)
      const log = yield* open(work.write("log.ndjson", many.join("")))
      const first = yield* log.events({}).pipe(Stream.chunks, Stream.take(1), Stream.runCollect)
      expect([...first].flatMap((chunk) => [...chunk]).length).toBeLessThan(10_000)
      const page = yield* all(log, { offset: 19_990, limit: 3 })
      expect(page.map(({ ts }) => ts)).toEqual([19_990, 19_991, 19_992])
      const newest = yield* all(log, { last: 3, order: "desc", offset: 1 })
      expect(newest.map(({ ts }) => ts)).toEqual([19_998, 19_997])
    })
  )

  it.scoped("that is gzipped and cut off returns what is complete, then fails", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const whole = gzipSync('{"ts":1,"message":"a"}\n'.repeat(100))
      const path = work.write("log.ndjson.gz", whole.subarray(0, whole.length - 8))
      const error = yield* failure(path)
      expect(error.reason).toBe("Corrupt")
    })
  )
})
