/**
 * An error of the reader reports what was expected, what was found and what to do; nothing is changed.
 *
 * Oracle: the texts, written by hand; SHA-256 of the files before and after.
 */
import { mkdirSync, readdirSync, readFileSync, truncateSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as LogReader from "../../../../src/services/logs/LogReader.ts"
import { all, failure, open, type Workspace, workspace } from "./workspace.ts"

const logs = "CREATE TABLE logs(ts, message TEXT); INSERT INTO logs VALUES (1, 'a');"
const kinds = "Name a SQLite database, or a file of NDJSON (.ndjson or .jsonl, also with .gz)"
const named = "Name the log with --db or CODEX_LOG_DB_PATH. codex creates its log when it first writes to it."
const expected =
  "no table looks like a log. Expected a column for the message and one for time, session, role or level, with these names: " +
  "time (ts, timestamp, created_at, time, logged_at, datetime, created, date, at, when); " +
  "session (session_id, session, sid, conversation_id, conversation, context_id, thread_id, thread, chat_id, run_id); " +
  "role (role, kind, type, actor, author, sender, speaker); " +
  "message (message, msg, content, text, body, event, detail, details, description); " +
  "level (level, lvl, severity, log_level, levelname); " +
  "metadata (metadata, meta, data, extra, attributes, properties, payload)."
const nameIt = "Name the table with --table, and its columns with --message-column, --time-column and so on."
const plainName = "which is not a valid name: only letters, digits and _ are allowed."
const makeView = "If a table or column has such a name, create a view with plain names."

interface Case {
  readonly what: string
  readonly file: string
  readonly make?: (work: Workspace) => unknown
  readonly options?: Omit<LogReader.Options, "path">
  readonly reason: LogReader.LogReadError["reason"]
  readonly text: (work: Workspace) => string
}

const good = (work: Workspace) => work.made("log.db", `${logs} CREATE TABLE other(x);`)

/** Pages of many rows, so that some can be damaged. */
const large = (work: Workspace) =>
  work.made(
    "log.db",
    `${logs} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO logs SELECT i, hex(zeroblob(50)) FROM n;`
  )

const cases: ReadonlyArray<Case> = [
  {
    what: "a database that is not there",
    file: "none.db",
    reason: "Missing",
    text: ({ path }) => `there is no such file. Also tried: ${path("none.sqlite")}, ${path("none.ndjson")}. ${named}`
  },
  {
    what: "a path without an ending",
    file: "none",
    reason: "Missing",
    text: ({ path }) => `there is no such file. Also tried: ${path("none.db")}, ${path("none.sqlite")}. ${named}`
  },
  {
    what: "NDJSON that is not there",
    file: "none.ndjson",
    reason: "Missing",
    text: () => `there is no such file. ${named}`
  },
  {
    what: "a folder",
    file: "folder",
    make: ({ path }) => mkdirSync(path("folder")),
    reason: "NotALog",
    text: () => `is a directory, not a log. ${kinds} in it.`
  },
  {
    what: "an empty file",
    file: "log.db",
    make: ({ write }) => write("log.db", ""),
    reason: "NotALog",
    text: () => `is empty, so it has no table of events. ${kinds}.`
  },
  {
    what: "some text",
    file: "log.db",
    make: ({ write }) => write("log.db", "some text"),
    reason: "NotALog",
    text: () => `is neither a SQLite database nor NDJSON. ${kinds}.`
  },
  {
    what: "a file that only begins as a database",
    file: "log.db",
    make: ({ write }) => write("log.db", "SQLite format 3\0 and no more"),
    reason: "NotALog",
    text: () =>
      "is not a SQLite database, or is encrypted (file is not a database). Name a SQLite database or an NDJSON file."
  },
  {
    what: "a database that was cut off",
    file: "log.db",
    make: (work) => truncateSync(large(work), 20_000),
    reason: "Corrupt",
    text: () =>
      "is a damaged SQLite database (database disk image is malformed). Recover what is left with `sqlite3 FILE .recover`, or restore a copy."
  },
  {
    what: "a database with bytes overwritten",
    file: "log.db",
    make: (work) => work.write("log.db", readFileSync(large(work)).fill(0xaa, 8192, 40_960)),
    reason: "Corrupt",
    text: () =>
      "is a damaged SQLite database (database disk image is malformed). Recover what is left with `sqlite3 FILE .recover`, or restore a copy."
  },
  {
    what: "gzip that was cut off",
    file: "log.ndjson.gz",
    make: ({ write }) => write("log.ndjson.gz", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0)),
    reason: "Corrupt",
    text: () =>
      "its gzip data is damaged or cut off (unexpected end of file). What came before is complete; restore the rest from a copy."
  },
  {
    what: "no table that fits",
    file: "log.db",
    make: ({ made }) => made("log.db", "CREATE TABLE a(x, y); CREATE TABLE b(id, body)"),
    reason: "Schema",
    text: () => `${expected} Found: a(x, y); b(id, body). ${nameIt}`
  },
  {
    what: "no tables",
    file: "log.db",
    make: ({ made }) => made("log.db", "CREATE TABLE a(x); DROP TABLE a"),
    reason: "Schema",
    text: () => `${expected} Found: no tables. ${nameIt}`
  },
  {
    what: "a table without messages",
    file: "log.db",
    make: good,
    options: { table: "other" },
    reason: "Schema",
    text: () =>
      "no column of other(x) has a common name for messages: message, msg, content, text, body, event, detail, details, description. Name the column with --message-column."
  },
  {
    what: "SQL in the table's name",
    file: "log.db",
    make: good,
    options: { table: 'logs"; DROP TABLE logs; --' },
    reason: "Option",
    text: () => `--table is "logs\\"; DROP TABLE logs; --", ${plainName} ${makeView}`
  },
  ...(["time", "session", "role", "message", "level", "metadata"] as const).map(
    (part): Case => ({
      what: `SQL in the column of the ${part}`,
      file: "log.db",
      make: good,
      options: { columns: { [part]: "1 OR 1" } },
      reason: "Option",
      text: () => `--${part}-column is "1 OR 1", ${plainName} ${makeView}`
    })
  ),
  {
    what: "a table that is not there",
    file: "log.db",
    make: good,
    options: { table: "logz" },
    reason: "Option",
    text: () => "--table is logz, but there is no such table. Did you mean logs? Available: logs, other."
  },
  {
    what: "a column that is not there",
    file: "log.db",
    make: good,
    options: { table: "logs", columns: { message: "mesage" } },
    reason: "Option",
    text: () =>
      "--message-column is mesage, which is not a column of logs. Did you mean message? Available: ts, message."
  },
  {
    what: "a column that no table has",
    file: "log.db",
    make: good,
    options: { columns: { session: "zzz" } },
    reason: "Option",
    text: () => "--session-column is zzz, which is not a column of logs. Available: ts, message."
  },
  {
    what: "a table of NDJSON",
    file: "log.ndjson",
    make: ({ write }) => write("log.ndjson", "{}"),
    options: { table: "logs" },
    reason: "Option",
    text: () => "--table is logs, but the file is NDJSON and has no tables. Remove --table."
  }
]

const folder = (work: Workspace) => {
  const files = readdirSync(work.path("."), { withFileTypes: true })
  return files.map((file) => [file.name, file.isFile() ? work.hash(file.name) : ""])
}

describe("an error of the reader", () => {
  for (const { what, file, make, options, reason, text } of cases)
    it.scoped(`says what is wrong: ${what}`, () =>
      Effect.gen(function* () {
        const work = yield* workspace
        make?.(work)
        const before = folder(work)
        const error = yield* failure(work.path(file), options)
        expect(error.message).toBe(`${work.path(file)}: ${text(work)}`)
        expect(error.reason).toBe(reason)
        expect(folder(work)).toEqual(before)
      })
    )

  it.scoped("reports that another process has a lock; after it is released, reading works", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const writer = work.database("log.db", `${logs} BEGIN EXCLUSIVE;`)
      const error = yield* failure(work.path("log.db"))
      writer.exec("COMMIT")
      writer.close()
      expect([error.reason, error.message]).toEqual([
        "Locked",
        `${work.path("log.db")}: is locked by another process (database is locked). Wait for that process or stop it, and try again.`
      ])
      expect(yield* all(yield* open(work.path("log.db")))).toHaveLength(1)
    })
  )

  it.scoped("does not come from a view of a table that no longer exists", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.made("log.db", `${logs} CREATE VIEW events AS SELECT * FROM gone;`)
      expect((yield* open(path)).shape).toBe("logs(ts, message)")
    })
  )
})
