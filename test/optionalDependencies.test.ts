/**
 * The package in a project where optional dependencies could not be installed: it works, and says in one line what is missing and
 * how to get it. The projects have no link to these dependencies, so Node itself does not find them.
 *
 * Oracles: the files that are written as JSON.parse reads them, a database made by better-sqlite3.
 */
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, describe, expect, it } from "vitest"
import { install } from "./installed.ts"

const sqlite = ["@effect/sql-sqlite-node", "better-sqlite3"]
const project = install({ without: sqlite })
const at = (path: string) => join(project.directory, path)
afterAll(() => rmSync(project.directory, { recursive: true, force: true }))

const remedy = "To use SQLite, run `npm install better-sqlite3@12 @effect/sql-sqlite-node@0.53`."
const missing = "SQLite is not available: better-sqlite3 is not installed."

const lines = (file: string): ReadonlyArray<{ readonly role: string; readonly message: string }> =>
  readFileSync(at(file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

describe("without better-sqlite3", () => {
  it("a command logs to NDJSON, and says so in one line", async () => {
    const { code, stderr, stdout } = await project.codex("tokenizer", "encode", "--tokenizer", "byte", "hi")
    expect([code, stdout.trim()]).toEqual([0, "104 105"])
    expect(stderr.trim().split("\n")).toEqual([
      `warning: ${missing} The session log is .codex/session_logs.ndjson. ${remedy}`
    ])
    expect(lines(".codex/session_logs.ndjson").at(-1)?.message).toBe("session_end")
    expect(existsSync(at(".codex/session_logs.db"))).toBe(false)
  })

  it("codex logs reads that file", async () => {
    const { code, stderr, stdout } = await project.codex("logs", "view", "--format", "ndjson")
    expect(code).toBe(0)
    expect(stderr).toContain("There is no file .codex/session_logs.db. Reading .codex/session_logs.ndjson instead.")
    expect(stdout.trimEnd().split("\n")).toHaveLength(lines(".codex/session_logs.ndjson").length)
  })

  it("codex logs says of a database what is missing", async () => {
    const database = new Database(at("old.db"))
    database.exec(
      "CREATE TABLE session_events(id INTEGER PRIMARY KEY, ts REAL, session_id TEXT, role TEXT, message TEXT)"
    )
    database.close()
    const outcomes = await Promise.all([
      project.codex("logs", "view", "--db", "old.db"),
      project.codex("logs", "init-sample", "--db", "new.db"),
      project.codex("logs", "snapshot", "--db", "old.db", "--out", "copy.db"),
      project.codex("logs", "rotate", "--db", "old.db")
    ])
    for (const { code, stderr } of outcomes) {
      expect(code, stderr).toBe(1)
      expect(stderr).toContain(remedy)
      expect(stderr).not.toMatch(/internal error|\n {4}at /)
    }
    expect(outcomes[0]?.stderr.trim()).toBe(`old.db: ${missing} ${remedy}`)
  })

  it("codex-ml and codex-ml/logs can be imported, and a session goes to NDJSON", async () => {
    const { code, stderr, stdout } = await project.run(`
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import "codex-ml"
      import { SessionLog, SqlitePool } from "codex-ml/logs"
      const program = Effect.flatMap(SessionLog, (session) => session.log("user", "hello"))
      const layer = Layer.provide(SessionLog.layer({ db: "program.db", ndjson: false }), SqlitePool.layer)
      await Effect.runPromise(Effect.provide(program, layer))`)
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain(missing)
    expect(lines("program.ndjson").map(({ message }) => message)).toContain("hello")
  })
})
