/**
 * `codex logs record`, `rotate`, `snapshot` and `init-sample` as a user runs them: real children.
 *
 * Oracles: rows as better-sqlite3 reads them, archives as gunzip and JSON.parse do, the table of exit codes in src/bin.ts.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import Database from "better-sqlite3"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { root } from "../../../scripts/build.mjs"
import { node, startProgram } from "../children.ts"
import { make } from "../workspace.ts"

const { directory, remove } = make()
afterAll(remove)
beforeEach(() => rmSync(at(".codex"), { recursive: true, force: true }))

const at = (name: string) => join(directory, name)
const bin = join(root, "dist/bin.js")
const clean = { CODEX_SESSION_ID: "", CODEX_SESSION_PID: "", CODEX_SESSION_LOGGING: "1" }
const logs = (words: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  node([bin, "logs", ...words], { ...clean, ...env }, directory).finished
const done = { code: 0, signal: null, stdout: "", stderr: "" }

const rows = (db = ".codex/session_logs.db") => {
  const database = new Database(at(db), { readonly: true })
  const found = database
    .prepare<
      [],
      { ts: number; session_id: string; role: string; level: string; message: string; metadata: string | null }
    >("SELECT ts, session_id, role, level, message, metadata FROM session_events ORDER BY rowid")
    .all()
  database.close()
  return found.map(({ metadata, ...row }) => ({ ...row, metadata: JSON.parse(metadata ?? "{}") }))
}

describe("record", () => {
  it("writes a session's start, messages and end", async () => {
    const before = Date.now() / 1000
    expect(await logs(["record", "--session-id", "s1", "--event", "start", "--at", "12.5"])).toEqual(done)
    const words =
      "--role tool --level warn --metadata status=0 --metadata name=it's=me --metadata __proto__=1 --metadata huge=1e400"
    expect(await logs(["record", ...words.split(" "), "--", "-make test\n"], { CODEX_SESSION_ID: "s1" })).toEqual(done)
    const text = "from stdin \0 é\n"
    const record = [bin, "logs", "record", "--session-id", "s1", "--stdin", "--db", ".codex/session_logs.db"]
    const piped = await startProgram(process.execPath, record, { cwd: directory, env: clean, input: text }).finished
    expect(piped).toMatchObject({ code: 0, stdout: "", stderr: "" })
    expect(
      await logs([
        "record",
        "--session-id",
        "s1",
        "--event",
        "end",
        "--metadata",
        "outcome=failure",
        "--metadata",
        'list=[1,"a"]'
      ])
    ).toEqual(done)
    const [start, message, stdin, end] = rows()
    expect(start).toEqual({
      ts: 12.5,
      session_id: "s1",
      role: "system",
      level: "INFO",
      message: "session_start",
      metadata: {}
    })
    expect(message).toMatchObject({ session_id: "s1", role: "tool", level: "WARN", message: "-make test\n" })
    expect(Object.entries(message?.metadata)).toEqual([
      ["status", 0],
      ["name", "it's=me"],
      ["__proto__", 1],
      ["huge", "1e400"]
    ])
    expect(message!.ts).toBeGreaterThanOrEqual(before)
    expect(message!.ts).toBeLessThanOrEqual(Date.now() / 1000)
    expect(stdin).toMatchObject({ role: "user", level: "INFO", message: text })
    expect(end).toMatchObject({
      role: "system",
      message: "session_end",
      metadata: { outcome: "failure", list: [1, "a"] }
    })
    expect(readFileSync(at(".codex/sessions/s1.ndjson"), "utf8").trim().split("\n").length).toBe(4)
    expect(existsSync(at(".codex/results.md"))).toBe(false)
  })

  it("refuses invalid events as a wrong command line", async () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
      [["record", "hello"], "There is no session to write to"],
      [["record", "--session-id", "s", "--level", "loud", "hello"], "must be one of TRACE, DEBUG"],
      [["record", "--session-id", "s", "--role", "robot", "hello"], "user, assistant, system, tool"],
      [["record", "--session-id", "s"], "There is no message"],
      [["record", "--session-id", "s", "--stdin", "x"], "not both"],
      [["record", "--session-id", "s", "--event", "end", "x"], "has no message"],
      [["record", "--session-id", "s", "--metadata", "novalue", "x"], "must be key=value"],
      [["record", "--session-id", "s", "--at", "Infinity", "x"], "--at"]
    ]
    const finished = await Promise.all(cases.map(([words]) => logs(words)))
    for (const [i, { code, stdout, stderr }] of finished.entries()) {
      expect([code, stdout], stderr).toEqual([2, ""])
      expect(stderr).toContain(cases[i]?.[1])
      expect(stderr).not.toMatch(/internal error|\n {4}at /)
    }
    expect(existsSync(at(".codex/session_logs.db"))).toBe(false)
  })

  it("writes eight concurrent events", async () => {
    const finished = await Promise.all(
      Array.from({ length: 8 }, (_, i) => logs(["record", "--session-id", "many", `n${i}`]))
    )
    expect(finished).toEqual(finished.map(() => done))
    expect(
      rows()
        .map(({ message }) => message)
        .sort()
    ).toEqual(Array.from({ length: 8 }, (_, i) => `n${i}`).sort())
  })
})

describe("rotate", () => {
  const events = (count: number) => {
    mkdirSync(at(".codex/sessions"), { recursive: true })
    const database = new Database(at(".codex/session_logs.db"))
    database.exec(`CREATE TABLE session_events(ts REAL, session_id TEXT, role TEXT, message TEXT);
      INSERT INTO session_events WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1})
      SELECT unixepoch() - 39 * 86400 + i * 2 * 86400, 's', 'user', 'message ' || i FROM n`)
    database.close()
    writeFileSync(at(".codex/sessions/old.ndjson"), '{"ts":1,"message":"old"}\n')
    utimesSync(at(".codex/sessions/old.ndjson"), 1, 1)
  }

  it("reports what would be moved, then moves it, and the other commands read the archive", async () => {
    events(10)
    expect((await logs(["rotate", "--dry-run"])).stdout).toMatch(/^log +to move +before.*\n.* 5 events /)
    const dry = await logs(["rotate", "--dry-run", "--json"])
    expect(dry).toMatchObject({ code: 0, stderr: "This was a dry run: nothing was changed.\n" })
    expect(JSON.parse(dry.stdout)).toMatchObject([
      { of: ".codex/session_logs.db", events: 5, archives: [] },
      { of: ".codex/sessions", files: 1, archives: [] }
    ])
    expect(readdirSync(at(".codex")).filter((name) => !/-(shm|wal)$/.test(name))).toEqual([
      "session_logs.db",
      "sessions"
    ])
    const { code, stdout, stderr } = await logs(["rotate"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(
      /^log +moved +before +after +archive\n\.codex\/session_logs\.db +5 events .*\.ndjson\.gz\n\.codex\/sessions +1 file /
    )
    const [archive = "", file = ""] = readdirSync(at(".codex/archive"))
      .filter((name) => name.endsWith(".gz"))
      .sort()
      .reverse()
    expect(gunzipSync(readFileSync(at(`.codex/archive/${file}`))).toString()).toContain('"old"')
    const read = await logs(["query", "--db", `.codex/archive/${archive}`, "--format", "json"])
    expect(JSON.parse(read.stdout).map(({ message }: { message: string }) => message)).toEqual(
      [0, 1, 2, 3, 4].map((i) => `message ${i}`)
    )
    expect(rows().map(({ message }) => message)).toEqual([5, 6, 7, 8, 9].map((i) => `message ${i}`))

    // A log that is named means that one alone.
    writeFileSync(at(".codex/sessions/older.ndjson"), '{"ts":1,"message":"older"}\n')
    utimesSync(at(".codex/sessions/older.ndjson"), 1, 1)
    const named = await logs(["rotate", "--db", ".codex/session_logs.db", "--json"])
    expect(JSON.parse(named.stdout)).toMatchObject([{ of: ".codex/session_logs.db", events: 0 }])
    expect(readdirSync(at(".codex/sessions"))).toContain("older.ndjson")
  })

  it("by size reports why more is left; wrong options and logs are refused", async () => {
    events(10)
    const finished = await Promise.all([
      logs(["rotate", "--max-size", "1kB"]),
      logs(["rotate", "--max-size", "much"]),
      logs(["rotate", "--max-age", "soon"]),
      logs(["rotate", "--db", "none.db"]),
      logs(["rotate", "--db", "notes/1.txt"])
    ])
    expect(finished.map(({ code }) => code)).toEqual([0, 2, 2, 1, 1])
    const [small, ...refused] = finished.map(({ stderr }) => stderr)
    expect(small).toMatch(/\.codex\/session_logs\.db still has .* The log is empty/)
    const reasons = [
      "must be a size",
      "--max-age",
      "none.db could not be read: there is no such file",
      "notes/1.txt: is not a SQLite database"
    ]
    for (const [i, reason] of reasons.entries()) expect(refused[i]).toContain(reason)
    expect(rows()).toEqual([])
  })
})

describe("init-sample and snapshot", () => {
  it("create a sample log, and a copy of it", async () => {
    const made = await logs(["init-sample", "--db", "try it.db", "--reset", "--seed"], { CODEX_SESSION_LOGGING: "0" })
    expect(made).toMatchObject({ code: 0, stderr: "" })
    expect(made.stdout).toMatch(/^try it\.db: table session_events, 16 sample events, 16 new\.\n/)
    // The commands that it names work.
    expect(made.stdout).toMatch(/codex logs view --db ['"]try it\.db['"] --session-id sample-chat/)
    const view = await logs(["view", "--db", "try it.db", "--session-id", "sample-chat"])
    expect(view.stdout).toContain("Call me")
    const copied = await logs(["snapshot", "--db", "try it.db"])
    expect(copied).toMatchObject({ code: 0, stderr: "" })
    const [, copy = ""] = /^(try it-\d{8}T\d{6}Z\.db): .* \(the log has .*\)\n$/.exec(copied.stdout) ?? []
    expect(statSync(at(copy)).mode & 0o777).toBe(0o444)
    expect(rows(copy)).toEqual(rows("try it.db"))
    const [again, own, missing, text] = await Promise.all([
      logs(["snapshot", "--db", "try it.db", "--out", copy]),
      logs(["snapshot", "--db", "try it.db", "--out", "try it.db", "--force"]),
      logs(["snapshot", "--db", "none.db"]),
      logs(["snapshot", "--db", "notes/1.txt"])
    ])
    expect([again, own, missing, text].map((finished) => finished?.code)).toEqual([1, 1, 1, 1])
    expect(again?.stderr).toContain("there is already a file of that name")
    expect(own?.stderr).toContain("it is the log itself")
    expect(missing?.stderr).toContain("there is no such file")
    expect(text?.stderr).toContain("neither a SQLite database nor NDJSON")
  })
})
