/**
 * What commands leave behind, as real children: a session in the log, a row in the journal, a line for a failure.
 *
 * Oracles: the files as better-sqlite3 and JSON.parse read them, the table of exit codes in src/bin.ts.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { afterAll, beforeEach, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { type Child, node } from "./children.ts"
import { make, tiny } from "./workspace.ts"

const workspace = make()
const { directory } = workspace
afterAll(() => workspace.remove())
beforeEach(() => {
  for (const name of [".codex", "runs", "other"]) rmSync(join(directory, name), { recursive: true, force: true })
})

/** Without the session of the shell that runs the tests. */
const clean = { CODEX_SESSION_ID: "", CODEX_SESSION_PID: "", CODEX_SESSION_LOGGING: "1" }

const start = (words: ReadonlyArray<string>, env: Record<string, string> = {}): Child =>
  node([join(root, "dist/bin.js"), ...words], { ...clean, ...env }, directory)
const codex = (words: ReadonlyArray<string>, env: Record<string, string> = {}) => start(words, env).finished

const encode = ["tokenizer", "encode", "--tokenizer", "byte", "hello"]

const events = () => {
  const database = new Database(join(directory, ".codex/session_logs.db"), { readonly: true })
  const rows = database
    .prepare<[], { session_id: string; level: string; message: string; metadata: string | null }>(
      "SELECT session_id, level, message, metadata FROM session_events ORDER BY id"
    )
    .all()
  database.close()
  return rows.map((row) => ({ ...row, metadata: JSON.parse(row.metadata ?? "{}") }))
}

const rows = (): ReadonlyArray<ReadonlyArray<string>> =>
  readFileSync(join(directory, ".codex/results.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| 2"))
    .map((line) =>
      line
        .split("|")
        .slice(2, -1)
        .map((cell) => cell.trim())
    )

const errors = () =>
  readFileSync(join(directory, ".codex/errors.ndjson"), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line))

/** What logging writes; `codex train` also writes its last config and a cache. */
const written = () =>
  existsSync(join(directory, ".codex"))
    ? readdirSync(join(directory, ".codex")).filter((name) => !/^(hydra_last|cache)$|-(shm|wal)$/.test(name))
    : []

describe("a command", () => {
  it("leaves a session with its words and its outcome, the same as NDJSON, and a row", async () => {
    expect(await codex(encode)).toMatchObject({ code: 0, stderr: "", stdout: "104 101 108 108 111\n" })
    const found = events()
    const [first] = found
    expect(first).toMatchObject({
      message: "session_start",
      metadata: { command: "codex tokenizer encode", arguments: ["--tokenizer", "byte", "hello"], cwd: directory }
    })
    expect(found.at(-1)).toMatchObject({ message: "session_end", level: "INFO", metadata: { outcome: "success" } })
    const id = first?.session_id ?? ""
    expect(found.every(({ session_id }) => session_id === id)).toBe(true)
    const lines = readFileSync(join(directory, `.codex/sessions/${id}.ndjson`), "utf8")
      .trim()
      .split("\n")
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(found.map(({ message }) => message))
    expect(rows()).toEqual([
      [
        "codex tokenizer encode --tokenizer byte hello",
        "success",
        expect.stringMatching(/^\d\.\d$/),
        expect.any(String),
        id
      ]
    ])
    expect(existsSync(join(directory, ".codex/errors.ndjson"))).toBe(false)
  })

  it("that fails keeps its exit code and its words, and is in errors.ndjson with its typed error", async () => {
    const { code, stderr, stdout } = await codex(["evaluate", "--run", "runs/none|x"])
    expect([code, stdout]).toEqual([1, ""])
    const [end] = events().slice(-1)
    expect(end).toMatchObject({ message: "session_end", level: "ERROR", metadata: { outcome: "failure" } })
    expect(errors()).toMatchObject([
      {
        session_id: end?.session_id,
        command: "codex evaluate",
        arguments: ["--run", "runs/none|x"],
        outcome: "failure",
        error: { tag: "RunError", message: expect.stringContaining("runs/none|x"), fields: expect.anything() }
      }
    ])
    expect(stderr.trim()).toBe(errors()[0].error.message)
    expect(readFileSync(join(directory, ".codex/results.md"), "utf8")).toContain("runs/none\\|x | failure |")
  })

  it("shares the session that CODEX_SESSION_ID names with another, and removes secrets if that is requested", async () => {
    const secret = `ghp_${"a1B2".repeat(9)}`
    const env = { CODEX_SESSION_ID: "both", CODEX_LOG_REDACT: "1" }
    await Promise.all([codex(encode, env), codex([...encode.slice(0, -1), secret], env)])
    const found = events()
    expect(new Set(found.map(({ session_id }) => session_id))).toEqual(new Set(["both"]))
    expect(found.filter(({ message }) => message === "session_start").length).toBe(2)
    expect(found.filter(({ message }) => message === "session_end").length).toBe(2)
    expect(new Set(found.map(({ metadata }) => metadata.pid).filter((pid) => pid !== undefined)).size).toBe(2)
    const everything = readdirSync(join(directory, ".codex"), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(md|ndjson|db|db-wal)$/.test(name))
      .map((name) => readFileSync(join(directory, ".codex", name), "latin1"))
      .join()
    expect(everything).toContain("[redacted:github-token]")
    expect(everything).not.toContain(secret)
  })

  it("whose log cannot be opened continues with a warning, and is in the journal", async () => {
    mkdirSync(join(directory, "other"))
    writeFileSync(join(directory, "other/text.db"), "notes, not a database\n")
    const [folder, text, id] = await Promise.all([
      codex(encode, { CODEX_LOG_DB_PATH: "other" }),
      codex(encode, { CODEX_LOG_DB_PATH: "other/text.db" }),
      codex(encode, { CODEX_SESSION_ID: "../up" })
    ])
    for (const [finished, reason] of [
      [folder, "/other: cannot be opened for writing"],
      [text, "/other/text.db: is not a SQLite database"],
      [id, 'CODEX_SESSION_ID: "../up" is not a valid session id.']
    ] as const) {
      expect([finished.code, finished.stdout]).toEqual([0, "104 101 108 108 111\n"])
      expect(finished.stderr).toContain("This command is not in the session log.")
      expect(finished.stderr).toContain(reason)
    }
    expect(readFileSync(join(directory, "other/text.db"), "utf8")).toBe("notes, not a database\n")
    expect(rows().map(([, outcome, , , session]) => [outcome, session])).toEqual([1, 2, 3].map(() => ["success", ""]))
  })
})

describe("nothing is written", () => {
  it("where logging is off, nor for help, the version, or a wrong line", async () => {
    const off = { CODEX_SESSION_LOGGING: "0" }
    const finished = await Promise.all([
      codex(encode, off),
      codex(["evaluate", "--run", "none"], off),
      codex(["logs", "query", "--db", "none.db"], off),
      codex(["tokenizer", "encode", "--help"]),
      codex(["--version"]),
      codex(["tokenizer", "encoed", "x"])
    ])
    expect(finished.map(({ code }) => code)).toEqual([0, 1, 1, 0, 0, 2])
    expect(existsSync(join(directory, ".codex"))).toBe(false)
  })

  it("where the config of a training says so, and the environment overrides it", async () => {
    const { CODEX_SESSION_LOGGING: _, ...unset } = clean
    const words = ["train", ...tiny, "+dry_run=true", "logging=off"]
    const train = (env: Record<string, string>) => node([join(root, "dist/bin.js"), ...words], env, directory).finished
    expect(await train(unset)).toMatchObject({ code: 0 })
    expect(written()).toEqual([])
    expect(await train(clean)).toMatchObject({ code: 0 })
    expect(events().at(-1)?.metadata.outcome).toBe("success")
  })
})

describe("codex train that is interrupted with Ctrl-C", () => {
  it("leaves the end of its session with that outcome, and no error", async () => {
    const child = start([
      "train",
      ...tiny.filter((word) => !/max_steps|save_steps/.test(word)),
      "training.max_steps=100000"
    ])
    const begun = new Promise<void>((resolve) => {
      child.process.stderr?.on("data", (data: Buffer) => {
        if (data.toString().includes("step 10:")) resolve()
      })
    })
    await Promise.race([begun, child.finished])
    child.process.kill("SIGINT")
    const { code, stderr } = await child.finished
    expect(code, stderr).toBe(130)
    expect(events().at(-1)).toMatchObject({
      message: "session_end",
      level: "WARN",
      metadata: { outcome: "interrupted", duration_seconds: expect.any(Number) }
    })
    expect(rows().map(([, outcome]) => outcome)).toEqual(["interrupted"])
    expect(existsSync(join(directory, ".codex/errors.ndjson"))).toBe(false)
  })
})

describe("commands of codex logs", () => {
  it("open no session, but one that fails is in the journal", async () => {
    await codex(["logs", "init-sample", "--seed"])
    const before = events()
    await codex(["logs", "stats"])
    expect(events()).toEqual(before)
    expect(written()).toEqual(["session_logs.db"])
    const { code } = await codex(["logs", "query", "--table", "none"])
    expect(code).toBe(2)
    expect(events()).toEqual(before)
    expect(errors()).toMatchObject([
      { session_id: null, command: "codex logs query", arguments: ["--table", "none"], error: { tag: "LogReadError" } }
    ])
    // A wrong line that only the handler can detect is recorded with its message.
    const { stderr } = await codex(["logs", "record", "hello"])
    expect(errors()[1]).toMatchObject({ error: { tag: "UsageError", message: stderr.trim() } })
    expect(rows().map(([command, outcome, , said]) => [command, outcome, said?.slice(0, 40)])).toEqual([
      ["codex logs query --table none", "failure", expect.any(String)],
      ["codex logs record hello", "failure", "There is no session to write to: name it"]
    ])
  })
})
