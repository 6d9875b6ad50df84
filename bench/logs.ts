/**
 * Measures how fast session logs are written, compared with plain better-sqlite3, and read, in a log of millions of events.
 *
 *     npm run bench:logs                          both, about three minutes
 *     npm run bench:logs -- --only writing        or reading
 *     npm run bench:logs -- --events 1000000      for reading; default 5,000,000
 *
 * Writing: acknowledged events per second, in batches, relative to better-sqlite3 with the same inserts into the same table, the
 * same indexes and the same synchronous commits, in transactions of the same size. Both take turns, and the ratio is the median over
 * the turns. Reading: median times of queries, including opening the file; and the peak memory of a process that exports
 * everything. The last line is one JSON document. Compare numbers of one run only: the machine may be shared.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import Database from "better-sqlite3"
import * as Chunk from "effect/Chunk"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../src/services/logs/LogQuery.ts"
import * as LogReader from "../src/services/logs/LogReader.ts"
import { SessionLog } from "../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../src/services/logs/write/SqlitePool.ts"

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "writing,reading" },
    rounds: { type: "string", default: "7" },
    events: { type: "string", default: "5000000" }
  }
})
const rounds = Number(flags.rounds)
const folder = mkdtempSync(join(tmpdir(), "codex-bench-"))

const median = (numbers: ReadonlyArray<number>): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.map(effect, (value) => ({ value, seconds: (performance.now() - start) / 1000 }))
  })

const messageOf = (n: number) => `message number ${n} with the dozen words that such a message usually has in it`

const insert =
  "INSERT INTO session_events(ts, session_id, role, message, level, metadata) VALUES (?, 'bench', 'tool', ?, 'INFO', ?)"

/** The baseline: one prepared statement, one transaction per batch, in the table that codex created. */
const direct = (path: string) => {
  const database = new Database(path)
  database.pragma("synchronous = FULL")
  const statement = database.prepare(insert)
  const write = database.transaction((from: number, count: number) => {
    for (let n = from; n < from + count; n++) statement.run(Date.now() / 1000, messageOf(n), JSON.stringify({ n }))
  })
  return { write, close: () => database.close() }
}

const writing = Effect.gen(function* () {
  const rows = []
  for (const batch of [1, 10, 100, 1000]) {
    const count = batch === 1 ? 2000 : batch === 10 ? 10_000 : 50_000
    const path = join(folder, `write-${batch}.db`)
    const session = yield* SessionLog.open({ id: "bench", db: path, ndjson: false, enabled: true })
    const both = yield* SessionLog.open({
      id: "both",
      db: join(folder, `both-${batch}.db`),
      ndjson: join(folder, `both-${batch}.ndjson`),
      enabled: true
    })
    const baseline = yield* Effect.acquireRelease(
      Effect.sync(() => direct(path)),
      ({ close }) => Effect.sync(close)
    )
    const through = (log: SessionLog.Service) =>
      Effect.gen(function* () {
        for (let from = 0; from < count; from += batch)
          yield* log.logAll(
            Array.from({ length: batch }, (_, i) => ({
              role: "tool" as const,
              message: messageOf(from + i),
              metadata: { n: from + i }
            }))
          )
      })
    const turns = []
    for (let round = 0; round < rounds; round++) {
      const base = yield* timed(
        Effect.sync(() => {
          for (let from = 0; from < count; from += batch) baseline.write(from, batch)
        })
      )
      const own = yield* timed(through(session))
      const copied = yield* timed(through(both))
      turns.push({ base: base.seconds, own: own.seconds, copied: copied.seconds })
    }
    rows.push({
      batch,
      "better-sqlite3, events/s": Math.round(count / median(turns.map(({ base }) => base))),
      "codex, events/s": Math.round(count / median(turns.map(({ own }) => own))),
      ratio: Number(median(turns.map(({ base, own }) => base / own)).toFixed(2)),
      "ratio with NDJSON": Number(median(turns.map(({ base, copied }) => base / copied)).toFixed(2))
    })
  }
  return rows
}).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))

/** Sessions of a thousand events, in the table that codex creates. */
const generate = (path: string, events: number) =>
  Effect.gen(function* () {
    yield* Effect.scoped(SessionLog.attach({ id: "made", db: path, ndjson: false, enabled: true }))
    const database = new Database(path)
    database.pragma("synchronous = OFF")
    database
      .prepare(
        `INSERT INTO session_events(ts, session_id, role, message, level, metadata)
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?)
         SELECT 1.7e9 + n * 0.5, 'session-' || (n / 1000), 'tool', 'message number ' || n || ' with some words', 'INFO',
           '{"n":' || n || '}' FROM n`
      )
      .run(events)
    database.pragma("wal_checkpoint(TRUNCATE)")
    database.close()
  }).pipe(Effect.provide(SqlitePool.layer))

const reading = Effect.gen(function* () {
  const events = Number(flags.events)
  const path = join(folder, "read.db")
  const made = yield* timed(generate(path, events))
  yield* Console.log(
    `${events} events written in ${made.seconds.toFixed(0)} s, ${Math.round(statSync(path).size / 1e6)} MB`
  )

  const ask = (query: LogQuery) =>
    Effect.scoped(
      Effect.flatMap(LogReader.open({ path }), (log) => Effect.map(Stream.runCollect(log.events(query)), Chunk.size))
    )
  const middle = `session-${Math.floor(events / 2000)}`
  const questions: ReadonlyArray<readonly [string, LogQuery]> = [
    ["a session of 1,000 events", { sessionId: middle }],
    ["its last 20", { sessionId: middle, last: 20 }],
    ["the last 20 of all", { last: 20 }],
    ["the first 100 since the middle", { since: 1.7e9 + events * 0.25, limit: 100 }],
    ["a text that no message of a session has", { sessionId: middle, contains: "nowhere" }]
  ]
  const rows = []
  for (const [question, query] of questions) {
    const times = []
    let found = 0
    for (let round = 0; round < rounds; round++) {
      const { seconds, value } = yield* timed(ask(query))
      found = value
      times.push(seconds)
    }
    rows.push({
      question,
      events: found,
      "median ms": Number((1000 * median(times)).toFixed(1)),
      "largest ms": Number((1000 * Math.max(...times)).toFixed(1))
    })
  }
  const bin = fileURLToPath(new URL("../dist/bin.js", import.meta.url))
  const exported = spawnSync(
    "/usr/bin/env",
    [
      "bash",
      "-c",
      `"$0" --import "data:text/javascript,process.on('exit',()=>console.error('peak',process.resourceUsage().maxRSS))" "$1" logs export --db "$2" | wc -l`,
      process.execPath,
      bin,
      path
    ],
    { encoding: "utf8" }
  )
  const peak = Number(/peak (\d+)/.exec(exported.stderr)?.[1])
  const whole = { lines: Number(exported.stdout), "peak MB": Math.round(peak / 1024) }
  yield* Console.log(`export: ${whole.lines} lines, peak ${whole["peak MB"]} MB`)
  return { rows, whole }
}).pipe(Effect.provide(NodeContext.layer))

const program = Effect.gen(function* () {
  const only = flags.only.split(",")
  const document: Record<string, unknown> = {}
  if (only.includes("writing")) {
    const rows = yield* writing
    yield* Console.table(rows)
    document.writing = rows
  }
  if (only.includes("reading")) {
    const { rows, whole } = yield* reading
    yield* Console.table(rows)
    document.reading = rows
    document.export = whole
  }
  yield* Console.log(JSON.stringify(document))
}).pipe(Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true, force: true }))))

NodeRuntime.runMain(program)
