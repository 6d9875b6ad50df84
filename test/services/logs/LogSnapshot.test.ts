/**
 * Copies of logs. Oracle: rows as better-sqlite3 reads them from log and copy, the copy opened by Python's own SQLite with
 * `immutable=1` if Python is installed, and the bytes of the log before and after.
 */
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LogSnapshot from "../../../src/services/logs/LogSnapshot.ts"
import { SessionLog } from "../../../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../../../src/services/logs/write/SqlitePool.ts"
import { until } from "../../work.ts"

let directory = ""
let db = ""
let out = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-snapshot-"))
  db = join(directory, "logs.db")
  out = join(directory, "copies/copy.db")
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Writes a log and leaves it open, with its write-ahead log next to it. */
const log = (count = 2000): Database.Database => {
  const database = new Database(db)
  database.pragma("journal_mode = WAL")
  database.exec(`CREATE TABLE session_events(id INTEGER PRIMARY KEY AUTOINCREMENT, ts REAL, session_id TEXT, role TEXT, message TEXT);
    CREATE INDEX by_session ON session_events(session_id, ts);
    CREATE VIEW mine AS SELECT message FROM session_events;
    INSERT INTO session_events(ts, session_id, role, message)
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1})
      SELECT i + 0.5, 's' || i % 3, 'tool', 'message ' || i || char(0) || 'é' FROM n`)
  return database
}

const contents = (path: string) => {
  const database = new Database(path, { readonly: true })
  const found = {
    schema: database.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all(),
    rows: database.prepare("SELECT * FROM session_events ORDER BY id").all()
  }
  expect(database.pragma("integrity_check", { simple: true })).toBe("ok")
  database.close()
  return found
}

const count = (path: string): unknown => {
  const database = new Database(path, { readonly: true })
  const n = database.prepare("SELECT count(*) FROM session_events").pluck().get()
  database.close()
  return n
}

const snapshot = (options: { readonly out?: string; readonly force?: boolean; readonly db?: string } = {}) =>
  Effect.provide(LogSnapshot.create({ db, out, force: false, ...options }), NodeContext.layer)

const failure = (options: Parameters<typeof snapshot>[0] = {}) =>
  Effect.map(Effect.flip(snapshot(options)), ({ message }) => message)

/** Of the log and the files next to it. */
const bytes = () =>
  readdirSync(directory)
    .filter((name) => name.startsWith("logs.db") && !name.endsWith("-shm"))
    .map((name) => [name, readFileSync(join(directory, name)).toString("base64")])

const python = spawnSync("python3", ["-c", "import sqlite3"]).status === 0
/** What is needed to make and fill a small disk. */
const disk = () => join(directory, "disk")
const mounts = (() => {
  const place = mkdtempSync(join(tmpdir(), "codex-mount-"))
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place]).status === 0
  if (done) spawnSync("umount", [place])
  rmSync(place, { recursive: true, force: true })
  return done
})()

describe("a copy", () => {
  it.live("has the same contents, in one file that is read-only, in a directory that is created", () =>
    Effect.gen(function* () {
      const open = log()
      const before = bytes()
      const sizes = yield* snapshot()
      expect(bytes()).toEqual(before)
      expect(sizes).toEqual({ path: out, before: statSync(db).size, after: statSync(out).size })
      expect(contents(out)).toEqual(contents(db))
      expect(statSync(out).mode & 0o777).toBe(0o444)
      expect(readdirSync(join(directory, "copies"))).toEqual(["copy.db"])
      const copy = new Database(out, { readonly: true })
      expect(copy.pragma("journal_mode", { simple: true })).toBe("delete")
      copy.close()
      open.close()
    })
  )

  // Skipped if there is no python3 with sqlite3: better-sqlite3 opens no URIs.
  it.live.skipIf(!python)("opens with immutable=1 in a read-only directory", () =>
    Effect.gen(function* () {
      log(100).close()
      yield* snapshot()
      chmodSync(join(directory, "copies"), 0o555)
      const script = `import sqlite3, sys
database = sqlite3.connect("file:" + sys.argv[1] + "?immutable=1", uri=True)
print(database.execute("SELECT count(*), max(ts) FROM session_events").fetchone())`
      const { stdout, stderr } = spawnSync("python3", ["-c", script, out], { encoding: "utf8" })
      chmodSync(join(directory, "copies"), 0o755)
      expect([stdout.trim(), stderr]).toEqual(["(100, 99.5)", ""])
      expect(readdirSync(join(directory, "copies"))).toEqual(["copy.db"])
    })
  )

  it.live("is smaller than a log that rows were deleted from", () =>
    Effect.gen(function* () {
      const open = log(20_000)
      open.exec("DELETE FROM session_events WHERE id % 10 > 0")
      open.close()
      const { after, before } = yield* snapshot()
      expect(after).toBeLessThan(before / 2)
      expect(contents(out)).toEqual(contents(db))
    })
  )

  it.live("is of one moment, while another process writes", () =>
    Effect.gen(function* () {
      let written = 0
      const writer = yield* Effect.fork(
        Effect.gen(function* () {
          const session = yield* SessionLog.attach({ id: "w", db, ndjson: false, enabled: true })
          // Two in one commit: a copy never has one without the other.
          while (true) {
            yield* session.logAll([
              { role: "user", message: "a" },
              { role: "user", message: "b" }
            ])
            written += 1
          }
        }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      )
      const counts: Array<number> = []
      for (const n of [1, 2, 3]) {
        const before = written
        yield* until(() => written > before)
        yield* snapshot({ out: join(directory, `${n}.db`) })
        counts.push(Number(count(join(directory, `${n}.db`))))
      }
      yield* Fiber.interrupt(writer)
      expect(counts.every((found) => found > 0 && found % 2 === 0)).toBe(true)
      expect(new Set(counts).size).toBe(3)
    })
  )

  it.live("of a log in rollback mode and of any other database works too", () =>
    Effect.gen(function* () {
      const database = new Database(db)
      database.exec("CREATE TABLE other(a); INSERT INTO other VALUES (1)")
      database.close()
      yield* snapshot()
      const copy = new Database(out, { readonly: true })
      expect(copy.prepare("SELECT a FROM other").all()).toEqual([{ a: 1 }])
      copy.close()
    })
  )
})

describe("an existing file", () => {
  it.live("is replaced only with force, and then by the complete copy", () =>
    Effect.gen(function* () {
      log(10).close()
      mkdirSync(join(directory, "copies"))
      writeFileSync(out, "mine")
      expect(yield* failure()).toBe(
        `${out} could not be written: there is already a file of that name. Choose another path, or replace the file with --force.`
      )
      expect(readFileSync(out, "utf8")).toBe("mine")
      yield* snapshot({ force: true })
      yield* snapshot({ force: true })
      expect(contents(out)).toEqual(contents(db))
      expect(yield* failure({ out: join(directory, "copies"), force: true })).toContain(
        "it is a directory. Name a file in it."
      )
    })
  )

  it.live("is never replaced if it is the log or a part of it, by any name", () =>
    Effect.gen(function* () {
      const open = log(10)
      const before = bytes()
      symlinkSync(db, join(directory, "link.db"))
      for (const name of ["logs.db", "./copies/../logs.db", "link.db"])
        expect(yield* failure({ out: `${directory}/${name}`, force: true })).toContain("it is the log itself.")
      for (const end of ["-wal", "-shm", "-journal"])
        expect(yield* failure({ out: `${db}${end}`, force: true })).toContain("SQLite keeps a part of the log")
      expect(bytes()).toEqual(before)
      open.close()
    })
  )

  it.live("is not a database in use: its write-ahead log would be read as the copy's", () =>
    Effect.gen(function* () {
      const open = log(10)
      const other = join(directory, "other.db")
      writeFileSync(join(directory, "other.db-wal"), "")
      expect(yield* failure({ out: other, force: true })).toContain("belongs to a database of that name")
      expect(existsSync(other)).toBe(false)
      open.close()
    })
  )
})

describe("a copy that cannot be made", () => {
  const left = () => (existsSync(join(directory, "copies")) ? readdirSync(join(directory, "copies")) : [])

  it.live("reports why, and leaves no incomplete file", () =>
    Effect.gen(function* () {
      expect(yield* failure()).toContain("logs.db could not be read: there is no such file. Name the log with --db")
      writeFileSync(db, "notes, not a database\n".repeat(100))
      expect(yield* failure()).toMatch(/logs\.db could not be read: it is not a SQLite database/)
      rmSync(db)
      log().close()
      writeFileSync(join(directory, "file"), "")
      expect(yield* failure({ out: join(directory, "file/copy.db") })).toMatch(
        /file\/copy\.db could not be written: .*Choose another path/
      )
      truncateSync(db, Math.floor(statSync(db).size / 2 / 4096) * 4096)
      expect(yield* failure()).toMatch(/logs\.db could not be read: it is a damaged SQLite database/)
      expect(left()).toEqual([])
    })
  )

  it.live("because another process locks the log for long", () =>
    Effect.gen(function* () {
      log(10).close()
      const other = new Database(db)
      other.pragma("journal_mode = DELETE")
      other.exec("BEGIN EXCLUSIVE")
      expect(yield* failure()).toContain("is locked by another process")
      other.close()
      expect(left()).toEqual([])
    })
  )

  it.live("because it was interrupted", () =>
    Effect.gen(function* () {
      log(200_000).close()
      for (const millis of [0, 1, 30]) {
        const fiber = yield* Effect.fork(snapshot())
        yield* Effect.sleep(millis)
        yield* Fiber.interrupt(fiber)
        // The statement itself is not interrupted: a copy is whole, or not there.
        if (existsSync(out)) expect(count(out)).toBe(200_000)
        expect(left().filter((name) => name !== "copy.db")).toEqual([])
        rmSync(out, { force: true })
      }
    })
  )

  // Skipped where no small disk can be made: only root may mount one.
  it.live.skipIf(!mounts)("because the disk is full", () =>
    Effect.gen(function* () {
      log().close()
      mkdirSync(disk())
      spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk()])
      const message = yield* failure({ out: join(disk(), "copy.db") })
      const there = readdirSync(disk())
      spawnSync("umount", [disk()])
      expect(message).toMatch(/copy\.db could not be written: there is no space left on the disk\. Free some space/)
      expect(there).toEqual([])
    })
  )
})
