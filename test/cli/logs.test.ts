/**
 * `codex logs …` as a user runs it: real children, on databases that plain SQL wrote.
 *
 * Oracles: the rows as they were inserted, lines written by hand, the table of exit codes in src/bin.ts. What the parser and
 * the formats do is tested in LogOptions.test.ts and render/EventPrinter.test.ts, without children.
 */
import { spawn } from "node:child_process"
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { database } from "./logDatabase.ts"
import { make } from "./workspace.ts"

const { directory, remove, start, write } = make()
afterAll(remove)

const at = (name: string) => join(directory, name)
const logs = (...words: ReadonlyArray<string>) => start("logs", ...words).finished

/** Of a log as codex writes it. */
const own = `
  CREATE TABLE session_events(ts REAL, session_id TEXT, role TEXT, message TEXT, level TEXT, metadata TEXT);
  INSERT INTO session_events VALUES
    (1795525714.123, 's1', 'system', 'session_start', 'INFO', '{"command":"train"}'),
    (1795525716, 's2', 'assistant', '100%_sure', 'WARN', NULL),
    (1795525715.5, 's1', 'user', 'Hello!' || char(10) || char(27) || '[31mred', 'INFO', NULL),
    (1795525717, 's1', 'tool', 'it''s "done"', 'ERROR', NULL),
    (1795525718, 's1', 'system', 'session_end', 'INFO', '{"outcome":"success"}')`

/** A log of another program, with unusual names. */
const foreign = `
  CREATE TABLE a(w TEXT, s TEXT, r TEXT, m TEXT, l TEXT, x TEXT);
  CREATE TABLE b(w TEXT, s TEXT, r TEXT, m TEXT, l TEXT, x TEXT);
  INSERT INTO b VALUES ('2026-11-24 13:08:34', 'chat', 'bot', 'from b', 'notable', '[1]')`

const line = {
  start: "2026-11-24T13:08:34.123Z INFO  system    s1  session_start\n",
  hello: "2026-11-24T13:08:35.500Z INFO  user      s1  Hello!↵␛[31mred\n",
  sure: "2026-11-24T13:08:36.000Z WARN  assistant s2  100%_sure\n",
  done: '2026-11-24T13:08:37.000Z ERROR tool      s1  it\'s "done"\n',
  end: "2026-11-24T13:08:38.000Z INFO  system    s1  session_end\n"
}

beforeAll(() => {
  database(at(".codex-logs.sqlite"), own).close()
  database(at("foreign.db"), foreign).close()
  database(at("other.db"), "CREATE TABLE colours(red INTEGER)").close()
  write("torn.ndjson", '{"ts":1,"message":"first"}\n{"ts":2,"mess\n{"ts":3,"message":"third"}\n')
})

describe("view", () => {
  it("prints whole messages by session, and reports the file that it reads instead", async () => {
    expect(await logs("view", "--db", ".codex-logs.db")).toEqual({
      code: 0,
      signal: null,
      stderr: "There is no file .codex-logs.db. Reading .codex-logs.sqlite instead.\n",
      stdout: `── s1 ── 2026-11-24 ──
13:08:34.123Z INFO  system    session_start  command=train
13:08:35.500Z INFO  user      Hello!
                              ␛[31mred

── s2 ── 2026-11-24 ──
13:08:36.000Z WARN  assistant 100%_sure

── s1 ── 2026-11-24 ──
13:08:37.000Z ERROR tool      it's "done"
13:08:38.000Z INFO  system    session_end  outcome=success
`
    })
  })
})

describe("query", () => {
  const query = (...words: ReadonlyArray<string>) => logs("query", "--db", ".codex-logs.sqlite", ...words)

  it("prints one line per event, by time", async () => {
    expect(await query()).toMatchObject({
      code: 0,
      stderr: "",
      stdout: line.start + line.hello + line.sure + line.done + line.end
    })
  })

  it("matches a text literally, and several roles and levels", async () => {
    expect((await query("--contains", "%_")).stdout).toBe(line.sure)
    expect(
      (await query("--role", "user", "--role=assistant", "--role", "tool", "--level", "warning,err", "--order", "desc"))
        .stdout
    ).toBe(line.done + line.sure)
  })

  it("applies last, then offset and limit", async () => {
    expect((await query("--last", "4", "--offset", "1", "--limit", "2")).stdout).toBe(line.sure + line.done)
  })

  it("reads times with their zone, and reports which it read as UTC", async () => {
    const { code, stdout, stderr } = await query(
      "--session-id",
      "s1",
      "--since",
      "2026-11-24T13:08:35",
      "--until=2026-11-24T14:08:37+01:00"
    )
    expect([code, stdout]).toEqual([0, line.hello + line.done])
    expect(stderr).toBe("--since 2026-11-24T13:08:35 has no time zone and is read as UTC.\n")
  })

  it("prints nothing but a note if no event matches, and succeeds", async () => {
    expect(await query("--role", "nobody")).toMatchObject({ code: 0, stdout: "", stderr: "No events match.\n" })
  })

  it("reads the table and columns of another program by name, with its own levels", async () => {
    const names =
      "--time-column w --session-column s --role-column r --message-column m --level-column l --metadata-column x"
    const { code, stdout } = await logs(
      ...[
        "query",
        "--db",
        "foreign.db",
        "--table",
        "b",
        ...names.split(" "),
        "--level",
        "notable",
        "--format",
        "ndjson"
      ]
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      ts: 1795525714,
      time: "2026-11-24T13:08:34.000Z",
      session_id: "chat",
      role: "bot",
      level: "NOTABLE",
      message: "from b",
      metadata: [1]
    })
  })

  it("reports how many lines of NDJSON are not events", async () => {
    expect(await logs("query", "--db", "torn.ndjson", "--format", "csv")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ts,time,session_id,.*\r\n1,.*,first,\r\n3,.*,third,\r\n$/s),
      stderr: "torn.ndjson: skipped 1 line that is not an event, possibly torn by a crash.\n"
    })
  })
})

describe("a log that cannot be read", () => {
  it.each([
    [
      "a table that is SQL",
      ["--db", ".codex-logs.sqlite", "--table", 'x"; DROP TABLE session_events; --'],
      2,
      "--table"
    ],
    ["a table that is not there", ["--db", ".codex-logs.sqlite", "--table", "events"], 2, "session_events"],
    ["a column that is not there", ["--db", ".codex-logs.sqlite", "--role-column", "who"], 2, "who"],
    ["a missing file", ["--db", "nowhere/logs.db"], 1, "nowhere/logs.db: there is no such file."],
    ["a database that is not a log", ["--db", "other.db"], 1, "colours"],
    ["a text", ["--db", "notes/1.txt"], 1, "notes/1.txt: is neither a SQLite database nor NDJSON."],
    ["a period that ends before it begins", ["--since", "1h", "--until", "2h"], 2, "--since 1h is after --until 2h"]
  ])("%s", async (_, words, expected, message) => {
    const before = readFileSync(at(".codex-logs.sqlite"))
    const { code, stdout, stderr } = await logs("query", ...words)
    expect([code, stdout]).toEqual([expected, ""])
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/internal error|\n {4}at /)
    expect(readFileSync(at(".codex-logs.sqlite")).equals(before)).toBe(true)
  })
})

describe("a long output", () => {
  it("ends when it is interrupted, or when its reader exits", async () => {
    const rows = 400_000
    database(
      at("long.db"),
      `CREATE TABLE session_events(ts REAL, session_id TEXT, role TEXT, message TEXT);
      INSERT INTO session_events
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows - 1})
        SELECT i, 's', 'user', 'message number ' || i FROM n`
    ).close()
    const left = start("logs", "view", "--db", "long.db")
    await left.said("number 1\n")
    left.process.stdout?.destroy()
    expect(await left.finished).toMatchObject({ code: 0, stderr: "" })

    // A write to a file finishes at once, and does not pause.
    const output = openSync(at("answer.txt"), "w")
    const interrupted = spawn(process.execPath, [join(root, "dist/bin.js"), "logs", "query", "--db", "long.db"], {
      cwd: directory,
      stdio: ["ignore", output, "inherit"]
    })
    const ended = new Promise((resolve) => interrupted.on("close", resolve))
    while (fstatSync(output).size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    interrupted.kill("SIGINT")
    expect(await ended).toBe(130)
    expect(readFileSync(at("answer.txt"), "utf8")).not.toContain(`number ${rows - 1}`)
    closeSync(output)
  })
})

describe("tail", () => {
  it("prints the last events in the order of writing", async () => {
    const { stdout } = await logs("tail", "--db", ".codex-logs.sqlite", "-n", "4")
    expect(stdout).toBe(line.sure + line.hello + line.done + line.end)
    const { stdout: json } = await logs("tail", "--db", ".codex-logs.sqlite", "--last=1", "--format=json")
    expect(JSON.parse(json)).toMatchObject([{ message: "session_end" }])
  })

  it("continues with new events until Ctrl-C", async () => {
    const log = database(at("growing.db"), own)
    const child = start("logs", "tail", "--db", "growing.db", "-f", "-n", "1", "--role", "user", "--format", "json")
    await child.said("Hello!")
    log.exec(
      "INSERT INTO session_events VALUES (5, 's3', 'user', 'one', 'INFO', NULL), (4, 's3', 'tool', 'not this', 'INFO', NULL)"
    )
    await child.said('"one"')
    log.exec("INSERT INTO session_events VALUES (1, 's3', 'user', 'two', 'INFO', NULL)")
    await child.said('"two"')
    child.process.kill("SIGINT")
    const { code, stdout, stderr } = await child.finished
    log.close()
    expect([code, stderr]).toEqual([130, ""])
    expect(
      stdout
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row).message)
    ).toEqual([expect.stringContaining("Hello!"), "one", "two"])
  })

  it("ends quietly when its reader exits", async () => {
    const log = database(at("read.db"), own)
    const child = start("logs", "tail", "--db", "read.db", "--follow")
    await child.said("session_end")
    child.process.stdout?.destroy()
    log.exec("INSERT INTO session_events VALUES (5, 's3', 'user', 'one', 'INFO', NULL)")
    const { code, stderr } = await child.finished
    log.close()
    expect([code, stderr]).toEqual([0, ""])
  })
})

describe("stats and sessions", () => {
  it("count what matches", async () => {
    const { stdout } = await logs("stats", "--db", ".codex-logs.sqlite", "--session-id", "s1", "--format", "json")
    expect(JSON.parse(stdout)).toMatchObject({
      events: 4,
      sessions: 1,
      first: 1795525714.123,
      last: 1795525718,
      roles: [
        { role: "system", events: 2 },
        { role: "tool", events: 1 },
        { role: "user", events: 1 }
      ],
      days: [{ day: "2026-11-24", events: 4 }]
    })
  })

  it("list sessions, newest first", async () => {
    const { stdout } = await logs("sessions", "--db", ".codex-logs.sqlite")
    expect(stdout.replace(/ +/g, " ")).toBe(`session first last duration events outcome
s1 2026-11-24T13:08:34.123Z 2026-11-24T13:08:38.000Z 3.9 s 4 success
s2 2026-11-24T13:08:36.000Z 2026-11-24T13:08:36.000Z 0 ms 1 –
`)
    const csv = await logs(
      "sessions",
      "--db",
      ".codex-logs.sqlite",
      "--order",
      "asc",
      "--limit",
      "1",
      "--format",
      "csv"
    )
    expect(csv.stdout.split("\r\n").slice(1)).toEqual([expect.stringMatching(/^s2,.*,1,$/), ""])
  })
})
