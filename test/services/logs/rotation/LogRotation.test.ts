/**
 * Rotation of session logs. Oracle: the rows as plain SQL wrote them, against what gunzip and JSON.parse find in the archives and
 * better-sqlite3 in the database afterwards: together the same events, each once, in order.
 */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as LogReader from "../../../../src/services/logs/LogReader.ts"
import * as LogRotation from "../../../../src/services/logs/rotation/LogRotation.ts"
import { SessionLog } from "../../../../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../../../../src/services/logs/write/SqlitePool.ts"
import { node } from "../../../cli/children.ts"
import { inFull } from "../../../full.ts"
import { until } from "../../../work.ts"
import { bundled } from "../program.ts"

let directory = ""
let db = ""
let archive = ""
let sessions = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-rotate-"))
  db = join(directory, "logs.db")
  archive = join(directory, "archive")
  sessions = join(directory, "sessions")
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const day = 24 * 3600
const now = Date.now() / 1000

type Cell = string | number | Uint8Array | null
type Row = readonly [ts: Cell, session: Cell, role: Cell, message: Cell, level: Cell, metadata: Cell]

const own = `CREATE TABLE session_events(id INTEGER PRIMARY KEY AUTOINCREMENT, ts REAL NOT NULL, session_id TEXT NOT NULL,
  role TEXT NOT NULL, message TEXT NOT NULL, level TEXT, metadata TEXT)`
const kit = "CREATE TABLE session_events(ts REAL, session_id TEXT, role TEXT, message TEXT)"

const create = (rows: ReadonlyArray<Row>, table = own, path = db): void => {
  const database = new Database(path)
  database.exec(table)
  const columns = table === own ? 6 : 4
  const names = ["ts", "session_id", "role", "message", "level", "metadata"].slice(0, columns)
  const insert = database.prepare(`INSERT INTO session_events(${names}) VALUES (${names.map(() => "?")})`)
  database.transaction(() => {
    for (const row of rows) insert.run(...row.slice(0, columns))
  })()
  database.close()
}

/** `count` events, the oldest 100 days old, the newest of today. */
const events = (count: number, size = (_: number) => 10): ReadonlyArray<Row> =>
  Array.from({ length: count }, (_, i) => [
    now - 100 * day + (i * 100 * day) / count,
    `s${i % 7}`,
    "tool",
    `${i} ${"x".repeat(size(i))}`,
    "INFO",
    null
  ])

interface Line {
  readonly ts: number
  readonly session_id: string
  readonly role: string
  readonly level: string | null
  readonly message: string
  readonly metadata: unknown
}

const archives = (): ReadonlyArray<string> =>
  existsSync(archive)
    ? readdirSync(archive)
        .filter((name) => name.endsWith(".gz"))
        .sort()
    : []

const unzipped = (path: string): ReadonlyArray<Line> =>
  gunzipSync(readFileSync(path))
    .toString()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line))

const archived = (): ReadonlyArray<Line> => archives().flatMap((name) => unzipped(join(archive, name)))

const left = (path = db): ReadonlyArray<{ readonly message: string; readonly ts: number }> => {
  const database = new Database(path)
  const rows = database
    .prepare<[], { message: string; ts: number }>("SELECT ts, message FROM session_events ORDER BY rowid")
    .all()
  expect(database.pragma("integrity_check", { simple: true })).toBe("ok")
  database.close()
  return rows
}

const messages = (rows: ReadonlyArray<{ readonly message: string }>) => rows.map(({ message }) => message)
const numbers = (rows: ReadonlyArray<{ readonly message: string }>) =>
  rows.map(({ message }) => Number.parseInt(message, 10))
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

const rotate = (options: Partial<LogRotation.RotateOptions> = {}) =>
  LogRotation.rotate({ db, sessions, archive, maxAge: undefined, maxBytes: undefined, dryRun: false, ...options }).pipe(
    Effect.provide(SqlitePool.layer)
  )

const failure = (options: Partial<LogRotation.RotateOptions> = {}) =>
  Effect.map(Effect.flip(rotate(options)), (error) => (error instanceof Error ? error.message : String(error)))

/** Every file below, with its bytes, except the files that SQLite keeps next to a database that is read. */
const everything = (): ReadonlyArray<ReadonlyArray<string>> =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => !/-(shm|wal)$/.test(name) && statSync(join(directory, name)).isFile())
    .sort()
    .map((name) => [name, readFileSync(join(directory, name)).toString("base64")])

/** Of a database: how many events, the size of each, and the share of it that is to be left. */
const shapes: ReadonlyArray<readonly [name: string, count: number, size: (i: number) => number, share: number]> = [
  ["small events", 5000, (_: number) => 20, 0.5],
  ["large events", 300, (_: number) => 3000, 0.3],
  ["large ones first", 3000, (i: number) => (i < 100 ? 20_000 : 5), 0.5],
  ["large ones last", 3000, (i: number) => (i > 2900 ? 20_000 : 5), 0.4],
  ["one huge one in the middle", 2000, (i: number) => (i === 1000 ? 3_000_000 : 5), 0.2],
  ["few, in a database that is little more than empty", 400, (_: number) => 50, 0.6]
]

describe("a database", () => {
  it.live("loses events that are older than an age", () =>
    Effect.gen(function* () {
      create(events(1000))
      const [rotated] = yield* rotate({ maxAge: 30.05 * day })
      expect(rotated).toMatchObject({ of: db, events: 700, archives: [join(archive, archives()[0] ?? "")] })
      expect(numbers(archived())).toEqual(upTo(700))
      expect(numbers(left())).toEqual(upTo(1000).slice(700))
      expect(archives()).toEqual([expect.stringMatching(/^session_events-\d{8}T\d{6}-\d{8}T\d{6}\.ndjson\.gz$/)])
    })
  )

  it.live.each(shapes)("ends at or below a size: %s", ([, count, size, share]) =>
    Effect.gen(function* () {
      create(events(count, size))
      const [first] = yield* rotate({ maxBytes: 1e12 })
      const full = first?.after ?? 0
      const maxBytes = Math.floor(full * share)
      const [rotated] = yield* rotate({ maxBytes })
      expect(rotated?.before).toBe(full)
      expect(rotated?.after).toBeLessThanOrEqual(maxBytes)
      expect(statSync(db).size).toBe(rotated?.after)
      expect(rotated?.note).toBeUndefined()
      const kept = numbers(left())
      expect([...numbers(archived()), ...kept].sort((a, b) => a - b)).toEqual(upTo(count))
      // The newest stay, and not much more goes than has to.
      expect(kept).toEqual(upTo(count).slice(count - kept.length))
      if (share <= 0.5 && count >= 3000 && size(1) < 100 && size(count - 1) < 100)
        expect(rotated?.after).toBeGreaterThan(maxBytes * 0.7)
    })
  )

  it.live("reports why it cannot be as small as requested", () =>
    Effect.gen(function* () {
      create(events(50))
      const [rotated] = yield* rotate({ maxBytes: 100 })
      expect(rotated).toMatchObject({ events: 50, note: expect.stringContaining("The log is empty") })
      expect(rotated?.after).toBeGreaterThan(100)
      expect(numbers(archived())).toEqual(upTo(50))
    })
  )

  it.live("loses events that are too old and, if it is still too large, more", () =>
    Effect.gen(function* () {
      create(events(3000, () => 200))
      const [rotated] = yield* rotate({ maxAge: 90.01 * day, maxBytes: 300_000 })
      expect(rotated?.after).toBeLessThanOrEqual(300_000)
      expect(rotated?.events).toBeGreaterThan(300)
      expect([...numbers(archived()), ...numbers(left())]).toEqual(upTo(3000))
    })
  )

  it.live("stays byte for byte if there is nothing to do, and in a dry run", () =>
    Effect.gen(function* () {
      create(events(100), kit)
      mkdirSync(sessions)
      writeFileSync(join(sessions, "old.ndjson"), "{}\n")
      utimesSync(join(sessions, "old.ndjson"), now - 90 * day, now - 90 * day)
      const before = everything()
      const [planned, folder] = yield* rotate({ maxAge: 50.05 * day, maxBytes: 1000, dryRun: true })
      expect(planned?.events).toBeGreaterThanOrEqual(50)
      expect(folder?.files).toBe(1)
      expect(everything()).toEqual(before)
      yield* rotate({ maxAge: 1000 * day })
      expect([numbers(left()), archives()]).toEqual([upTo(100), []])
      // An empty log.
      yield* rotate({ maxAge: -1 })
      const [empty] = yield* rotate({ maxAge: -1, maxBytes: 0 })
      expect(empty?.events).toBe(0)
    })
  )

  it.live("archives any value as readers show it, with all six keys", () =>
    Effect.gen(function* () {
      const odd = "line\nfeed\r\n\u2028 \u001b[31m 'quoted' \"too\" \\n"
      const long = "y".repeat(10 * 1024 * 1024)
      const hostile: ReadonlyArray<Row> = [
        [1.5, "s", "user", "nul \0 inside", "INFO", '{"a": [1, null], "big": 1180591620717411303424}'],
        [2.25, "s", "user", odd, null, null],
        [1795525714.1234567, "s", "tool", long, "WARN", "no JSON {"],
        [4, "s", "tool", new TextEncoder().encode("bytes é"), "weird", ""],
        [5, "séance", "nobody", "東京 \u{1F44D}", "INFO", new Uint8Array([1, 2, 3])],
        [1e300, new Uint8Array([97]), "", "", "", '"text"'],
        [Number.POSITIVE_INFINITY, "s", "user", "for ever", "INFO", "[]"],
        ["not a time", "s", "user", "no time", "INFO", "0"]
      ]
      create(hostile)
      yield* rotate({ maxBytes: 0 })
      expect(left()).toEqual([])
      const expected = [
        {
          ts: 1.5,
          session_id: "s",
          role: "user",
          level: "INFO",
          message: "nul \0 inside",
          metadata: { a: [1, null], big: 2 ** 70 }
        },
        { ts: 2.25, session_id: "s", role: "user", level: null, message: odd, metadata: null },
        {
          ts: 1795525714.1234567,
          session_id: "s",
          role: "tool",
          level: "WARN",
          message: long,
          metadata: "no JSON {"
        },
        { ts: 4, session_id: "s", role: "tool", level: "weird", message: "bytes é", metadata: "" },
        {
          ts: 5,
          session_id: "séance",
          role: "nobody",
          level: "INFO",
          message: "東京 \u{1F44D}",
          metadata: "\u0001\u0002\u0003"
        },
        { ts: 1e300, session_id: "a", role: "", level: "", message: "", metadata: "text" },
        {
          ts: Number.POSITIVE_INFINITY,
          session_id: "s",
          role: "user",
          level: "INFO",
          message: "for ever",
          metadata: []
        },
        { ts: "not a time", session_id: "s", role: "user", level: "INFO", message: "no time", metadata: 0 }
      ]
      const order = expected.map(({ message }) => message)
      const sorted = [...archived()].sort((a, b) => order.indexOf(a.message) - order.indexOf(b.message))
      expect(sorted).toEqual(expected)
    })
  )

  it.live("and its archives are one log for the reader", () =>
    Effect.gen(function* () {
      create(
        upTo(60).map((i) => [
          i,
          `s${i % 3}`,
          "user",
          `message ${i}\n"quoted" ${"z".repeat(i)}`,
          "INFO",
          i % 2 ? `{"n":${i}}` : null
        ])
      )
      const read = (path: string) =>
        Effect.flatMap(LogReader.open({ path }), (log) => Stream.runCollect(log.events({}))).pipe(
          Effect.scoped,
          Effect.map(Chunk.toReadonlyArray),
          Effect.provide(NodeFileSystem.layer)
        )
      const before = yield* read(db)
      yield* rotate({ maxAge: Date.now() / 1000 - 39.5 })
      const found = [...(yield* read(join(archive, archives()[0] ?? ""))), ...(yield* read(db))]
      expect(archived().length).toBe(40)
      expect(found).toEqual(before)
    })
  )

  it.live("of the original kit, without ids, can be rotated repeatedly", () =>
    Effect.gen(function* () {
      create(events(300), kit)
      yield* rotate({ maxAge: 60.1 * day })
      expect(numbers(left())).toEqual(upTo(300).slice(120))
      const database = new Database(db)
      database.exec("INSERT INTO session_events(ts, session_id, role, message) VALUES (1, 'kit', 'INFO', '300 late')")
      database.close()
      yield* rotate({ maxAge: 60.1 * day })
      yield* rotate({ maxBytes: 0 })
      expect(archives().length).toBe(3)
      expect(numbers(archived()).sort((a, b) => a - b)).toEqual(upTo(301))
      expect(left()).toEqual([])
    })
  )

  it.live("uses another name if there is, or was, an archive of those times", () =>
    Effect.gen(function* () {
      const one: ReadonlyArray<Row> = [[5, "s", "user", "0 first", "INFO", null]]
      create(one)
      yield* rotate({ maxBytes: 0 })
      const [name = ""] = archives()
      expect(name).toBe("session_events-19700101T000005-19700101T000005.ndjson.gz")
      const again = (message: string) => {
        const database = new Database(db)
        database.exec(`INSERT INTO session_events(ts, session_id, role, message) VALUES (5, 's', 'user', '${message}')`)
        database.close()
      }
      again("1 second")
      yield* rotate({ maxBytes: 0 })
      rmSync(join(archive, name))
      again("2 third")
      yield* rotate({ maxBytes: 0 })
      expect(archives()).toEqual([name.replace(".ndjson", ".2.ndjson"), name.replace(".ndjson", ".3.ndjson")])
      expect(numbers(archived())).toEqual([1, 2])
    })
  )

  it.live("loses nothing while events are written", () =>
    Effect.gen(function* () {
      create(events(2000, () => 300))
      let written = 2000
      const writer = yield* Effect.fork(
        Effect.gen(function* () {
          const session = yield* SessionLog.attach({ id: "w", db, ndjson: false, enabled: true })
          while (true) {
            yield* session.log("tool", `${written} new`)
            written += 1
          }
        }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      )
      for (const maxBytes of [400_000, 200_000, 100_000]) {
        yield* rotate({ maxBytes })
        const before = written
        yield* until(() => written > before + 10)
      }
      yield* Fiber.interrupt(writer)
      const all = [...numbers(archived()), ...numbers(left())].sort((a, b) => a - b)
      expect(all.slice(0, written)).toEqual(upTo(written))
      // The last may have been on its way.
      expect(all.length - written).toBeLessThanOrEqual(1)
    })
  )

  it.live("is rotated by one process at a time; a second one fails", () =>
    Effect.gen(function* () {
      create(events(20_000))
      const results = yield* Effect.all([Effect.exit(rotate({ maxBytes: 0 })), Effect.exit(rotate({ maxBytes: 0 }))], {
        concurrency: 2
      })
      expect(results.map(({ _tag }) => _tag).sort()).toEqual(["Failure", "Success"])
      expect(String(results.find(({ _tag }) => _tag === "Failure"))).toContain("another rotation is running here")
      expect(numbers(archived())).toEqual(upTo(20_000))
    })
  )

  it.live("is unchanged after an interrupted rotation", () =>
    Effect.gen(function* () {
      create(events(20_000))
      const fiber = yield* Effect.fork(rotate({ maxBytes: 0 }))
      while (!existsSync(archive) || !readdirSync(archive).some((name) => name.endsWith(".partial")))
        yield* Effect.sleep("1 millis")
      yield* Fiber.interrupt(fiber)
      expect(numbers(left())).toEqual(upTo(20_000))
      expect(readdirSync(archive).filter((name) => !name.startsWith("."))).toEqual([])
      yield* rotate({ maxBytes: 0 })
      expect(numbers(archived())).toEqual(upTo(20_000))
    })
  )
})

describe("a rotation that is killed", () => {
  let rotator = ""
  beforeAll(async () => {
    rotator = await bundled(join(import.meta.dirname, "rotator.ts"))
  })
  afterAll(() => rmSync(rotator, { force: true }))

  const rounds = inFull(10, 2)
  it(`loses and duplicates nothing, at ${2 * rounds} random moments`, async () => {
    const count = 8_000
    const template = join(directory, "template.db")
    create(
      events(count, () => 100),
      own,
      template
    )
    const begun = (place: string) => {
      mkdirSync(join(directory, place))
      copyFileSync(template, join(directory, place, "logs.db"))
      return node([rotator, ...["logs.db", "sessions", "archive"].map((name) => join(directory, place, name)), "0"])
    }
    const hasPartial = (place: string): boolean =>
      existsSync(join(directory, place, "archive")) &&
      readdirSync(join(directory, place, "archive")).some((name) => name.endsWith(".partial"))
    const first = begun("whole")
    await first.said("ready")
    const started = Date.now()
    expect(await first.finished).toMatchObject({ code: 0, stderr: "" })
    const whole = Math.min(Date.now() - started, 1000)
    const states: Array<string> = []
    for (let round = 0; round < rounds; round++) {
      const places = [`${round}a`, `${round}b`]
      await Promise.all(
        places.map(async (place, i) => {
          const child = begun(place)
          await child.said("ready")
          // Half of them at a critical moment, the others spread over its whole duration, which is longer for two at once.
          if (i === 0)
            while (child.process.exitCode === null && !hasPartial(place))
              await new Promise((turn) => setImmediate(turn))
          else
            await new Promise((resolve) =>
              setTimeout(resolve, ((round * 2 + i + Math.random()) / (2 * rounds)) * whole * 1.3)
            )
          child.process.kill("SIGKILL")
          await child.finished
        })
      )
      for (const place of places) {
        archive = join(directory, place, "archive")
        db = join(directory, place, "logs.db")
        const rows = left().length
        const partial = hasPartial(place) ? "partial" : "whole"
        states.push(`${rows === count ? "before" : rows === 0 ? "after" : "between"} ${partial}`)
        await Effect.runPromise(rotate({ maxBytes: 0 }))
        expect(numbers(archived())).toEqual(upTo(count))
        expect(left()).toEqual([])
        expect(readdirSync(archive).filter((name) => name.endsWith(".partial"))).toEqual([])
      }
    }
    // The critical moments were hit, and every event was always in one of the two places.
    expect(states).toContain("before partial")
    expect(states.some((state) => state.startsWith("between"))).toBe(false)
  })

  it.live("after its events were deleted is completed: the archive gets its name", () =>
    Effect.gen(function* () {
      create(events(100))
      yield* rotate({ maxAge: 50.05 * day })
      const path = join(archive, archives()[0] ?? "")
      const database = new Database(db)
      const created = database.prepare<[], number>("SELECT created_ts FROM session_archives").pluck().get()
      const partial = `${path}.${Math.round(Number(created) * 1000)}.partial`
      copyFileSync(path, partial)
      rmSync(path)
      // An archive of another database, with the same name but begun at another time, is not changed, and its name is
      // not used.
      writeFileSync(`${path}.17.partial`, "half")
      database.close()
      yield* rotate({ maxAge: 1000 * day })
      expect(archives()).toEqual([basename(path)])
      expect(numbers(archived())).toEqual(upTo(50))
      expect(readdirSync(archive).filter((file) => file.endsWith(".partial"))).toEqual([`${basename(path)}.17.partial`])
      // A row whose archive was not whole: its events are still in the table, so both go.
      const again = new Database(db)
      again.exec(`INSERT INTO session_archives VALUES ('x.ndjson.gz', 0.018, 0, 0, 0, '')`)
      again.close()
      writeFileSync(join(archive, "x.ndjson.gz.18.partial"), "half")
      writeFileSync(join(archive, "x.ndjson.gz.19.partial"), "another's")
      yield* rotate({ maxAge: 1000 * day })
      expect(readdirSync(archive).filter((file) => file.startsWith("x."))).toEqual(["x.ndjson.gz.19.partial"])
    })
  )
})

describe("the directory of sessions", () => {
  const file = (name: string, ageInSeconds: number, text = `{"ts":1,"message":"${name}"}\n`) => {
    mkdirSync(sessions, { recursive: true })
    writeFileSync(join(sessions, name), text)
    utimesSync(join(sessions, name), now - ageInSeconds, now - ageInSeconds)
  }
  beforeEach(() => create([]))
  const inDirectory = () =>
    readdirSync(sessions)
      .filter((name) => !name.startsWith("."))
      .sort()

  it.live("loses files by age", () =>
    Effect.gen(function* () {
      file("a.ndjson", 40 * day)
      file("b.ndjson", 20 * day)
      file("notes.txt", 90 * day)
      mkdirSync(join(sessions, "folder.ndjson"))
      const [, rotated] = yield* rotate({ maxAge: 30 * day })
      expect(rotated).toMatchObject({ files: 1, archives: [join(archive, "a.ndjson.gz")] })
      expect(messages(unzipped(join(archive, "a.ndjson.gz")))).toEqual(["a.ndjson"])
      expect(inDirectory()).toEqual(["b.ndjson", "folder.ndjson", "notes.txt"])
    })
  )

  it.live("loses the oldest files while it is too large, but no session that is likely to continue", () =>
    Effect.gen(function* () {
      for (const [i, name] of ["a", "b", "c"].entries()) file(`${name}.ndjson`, (3 - i) * day, "x".repeat(1000))
      file("live.ndjson", 60, "x".repeat(5000))
      const [, rotated] = yield* rotate({ maxBytes: 7000 })
      expect(rotated).toMatchObject({ files: 1, before: 8000, after: 7000, note: undefined })
      expect(inDirectory()).toEqual(["b.ndjson", "c.ndjson", "live.ndjson"])
      const [, more] = yield* rotate({ maxBytes: 100 })
      expect(more).toMatchObject({
        files: 2,
        after: 5000,
        note: expect.stringContaining("Sessions with events in the last hour are not moved.")
      })
      expect(inDirectory()).toEqual(["live.ndjson"])
    })
  )

  it.live("uses another name if one exists, and may be its own archive", () =>
    Effect.gen(function* () {
      for (const text of ["1", "2", "3"]) {
        file("a.ndjson", 40 * day, text)
        yield* rotate({ maxAge: day, archive: sessions })
      }
      file("live.ndjson", 1, "live")
      yield* rotate({ maxAge: day, archive: sessions })
      expect(inDirectory()).toEqual(["a.2.ndjson.gz", "a.3.ndjson.gz", "a.ndjson.gz", "live.ndjson"])
      expect(gunzipSync(readFileSync(join(sessions, "a.2.ndjson.gz"))).toString()).toBe("2")
    })
  )

  it.live("completes what a killed rotation left, at each step", () =>
    Effect.gen(function* () {
      mkdirSync(archive)
      file("a.ndjson.rotating", 1, "renamed")
      file("b.ndjson.rotating", 1, "compressed in part")
      writeFileSync(join(archive, "b.ndjson.gz.partial"), "half")
      file("c.ndjson.rotating", 1, "whole")
      writeFileSync(join(archive, "c.ndjson.gz"), gzipSync("whole"))
      file("d.ndjson.rotating", 1, "mine")
      writeFileSync(join(archive, "d.ndjson.gz"), gzipSync("of another folder"))
      yield* rotate({ maxAge: 1000 * day })
      expect(inDirectory()).toEqual([])
      expect(
        readdirSync(archive)
          .filter((name) => !name.startsWith("."))
          .sort()
          .map((name) => [name, gunzipSync(readFileSync(join(archive, name))).toString()])
      ).toEqual([
        ["a.ndjson.gz", "renamed"],
        ["b.ndjson.gz", "compressed in part"],
        ["c.ndjson.gz", "whole"],
        ["d.2.ndjson.gz", "mine"],
        ["d.ndjson.gz", "of another folder"]
      ])
    })
  )
})

describe("one NDJSON file", () => {
  it.live("is moved as a whole, while it is written to", () =>
    Effect.gen(function* () {
      db = join(directory, "all.ndjson")
      let written = 0
      const writer = yield* Effect.fork(
        Effect.gen(function* () {
          const session = yield* SessionLog.attach({ id: "w", db, enabled: true })
          while (true) {
            yield* session.log("tool", `${written} new`)
            written += 1
          }
        }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      )
      for (let i = 0; i < 5; i++) {
        const before = written
        yield* until(() => written > before + 10)
        yield* rotate({ maxBytes: 10 })
      }
      yield* Fiber.interrupt(writer)
      const rest = existsSync(db)
        ? readFileSync(db, "utf8")
            .split("\n")
            .slice(0, -1)
            .map((line): Line => JSON.parse(line))
        : []
      const all = [...numbers(archived()), ...numbers(rest)].sort((a, b) => a - b)
      expect(all.slice(0, written)).toEqual(upTo(written))
      expect(archives().length).toBe(5)
      // Other NDJSON files next to it do not belong to it.
      writeFileSync(join(directory, "other.ndjson"), "{}\n")
      writeFileSync(db, "{}\n")
      const [kept] = yield* rotate({ maxAge: day, maxBytes: 1000 })
      expect(kept).toMatchObject({ files: 0, before: 3, after: 3 })
      expect(existsSync(join(directory, "other.ndjson"))).toBe(true)
    })
  )
})

describe("a rotation that is not possible", () => {
  it.live("is refused, and changes nothing", () =>
    Effect.gen(function* () {
      expect(yield* failure()).toContain("logs.db could not be read: there is no such file. Name the log with --db")
      writeFileSync(db, "my notes, not a database\n".repeat(100))
      expect(yield* failure({ maxBytes: 0 })).toContain("logs.db: is not a SQLite database")
      rmSync(db)
      const other = new Database(db)
      other.exec("CREATE TABLE own(a)")
      other.close()
      const before = everything()
      expect(yield* failure({ maxBytes: 0 })).toContain("logs.db: has no table session_events.")
      expect(everything()).toEqual(before)
    })
  )

  it.live("because the archive cannot be created", () =>
    Effect.gen(function* () {
      create(events(100))
      writeFileSync(join(directory, "file"), "")
      expect(yield* failure({ maxBytes: 0, archive: join(directory, "file/archive") })).toMatch(
        /file\/archive could not be written: .*Choose another path/
      )
      expect(numbers(left())).toEqual(upTo(100))
    })
  )
})

const mounts = (() => {
  const place = mkdtempSync(join(tmpdir(), "codex-mount-"))
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place]).status === 0
  if (done) spawnSync("umount", [place])
  rmSync(place, { recursive: true, force: true })
  return done
})()

// Skipped where no small disk can be made: only root may mount one.
describe.skipIf(!mounts)("an archive on another disk", () => {
  beforeEach(() => {
    mkdirSync(archive)
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", archive])
  })
  afterEach(() => {
    spawnSync("umount", [archive])
  })
  /** What gzip cannot make small. */
  const noise = (length: number) => Array.from({ length }, () => Math.random().toString(36).slice(2, 12)).join("")
  const session = (text: string) => {
    mkdirSync(sessions)
    writeFileSync(join(sessions, "a.ndjson"), text)
    utimesSync(join(sessions, "a.ndjson"), 1, 1)
  }

  it.live("takes files from another disk", () =>
    Effect.gen(function* () {
      create([])
      session("small")
      yield* rotate({ maxAge: day })
      expect(gunzipSync(readFileSync(join(archive, "a.ndjson.gz"))).toString()).toBe("small")
      expect(existsSync(join(sessions, "a.ndjson"))).toBe(false)
    })
  )

  it.live("that is full changes nothing, and the error says why", () =>
    Effect.gen(function* () {
      create(upTo(100).map((i) => [1, "s", "tool", `${i} ${noise(200)}`, "INFO", null]))
      expect(yield* failure({ maxAge: day })).toMatch(
        /archive.*gz could not be written: there is no space left on the disk\. Free some space\./
      )
      expect(numbers(left())).toEqual(upTo(100))
      expect(readdirSync(archive).filter((name) => !name.startsWith("."))).toEqual([])
      yield* rotate({ maxAge: day, archive: join(directory, "elsewhere") })
      expect(left()).toEqual([])
      session(noise(20_000))
      expect(yield* failure({ maxAge: day })).toMatch(
        /archive.*gz could not be written: there is no space left on the disk\. Free some space\./
      )
      expect(readdirSync(sessions).filter((name) => !name.startsWith("."))).toEqual(["a.ndjson"])
      expect(readdirSync(archive).filter((name) => !name.startsWith("."))).toEqual([])
    })
  )
})
