/**
 * Tables of other programs are read without options.
 *
 * Oracle: the events, written by hand next to the SQL that makes the tables; 1,795,525,200 is 2026-11-24 13:00 UTC.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LogEvent } from "../../../../src/services/logs/SessionEvent.ts"
import { all, event, open, workspace } from "./workspace.ts"

const noon = 1_795_525_200
const at = (seconds: number): Pick<LogEvent, "ts" | "time"> => ({
  ts: noon + seconds,
  time: `2026-11-24T13:00:0${Math.floor(seconds)}.${seconds % 1 === 0 ? "000" : "500"}Z`
})

interface Case {
  readonly what: string
  readonly sql: string
  readonly shape: string
  readonly events: ReadonlyArray<LogEvent>
}

const cases: ReadonlyArray<Case> = [
  {
    what: "session_events of the original kit, where levels are roles",
    sql: `CREATE TABLE session_events(ts REAL NOT NULL, session_id TEXT NOT NULL, role TEXT NOT NULL, message TEXT NOT NULL);
      INSERT INTO session_events VALUES (${noon + 1.5}, 's1', 'user', 'hello'), (${noon}, 's1', 'system', 'session_start'),
        (${noon + 2}, 's1', 'WARN', 'hot'), (${noon + 3}, 's1', 'INFO', 'done');`,
    shape: "session_events(ts, session_id, role, message)",
    events: [
      event({ ...at(0), session_id: "s1", role: "system", message: "session_start" }),
      event({ ...at(1.5), session_id: "s1", role: "user", message: "hello" }),
      event({ ...at(2), session_id: "s1", role: "WARN", level: "WARN", message: "hot" }),
      event({ ...at(3), session_id: "s1", role: "INFO", level: "INFO", message: "done" })
    ]
  },
  {
    what: "logs(ts, session, kind, message) of the original kit",
    sql: `CREATE TABLE logs(ts TEXT, session TEXT, kind TEXT, message TEXT);
      INSERT INTO logs VALUES ('2026-11-24T13:00:02Z', 'b', 'tool', 'two'), ('2026-11-24T13:00:01Z', 'a', 'user', 'one');`,
    shape: "logs(ts, session, kind, message)",
    events: [
      event({ ...at(1), session_id: "a", role: "user", message: "one" }),
      event({ ...at(2), session_id: "b", role: "tool", message: "two" })
    ]
  },
  {
    what: "messages of a chat, with offsets",
    sql: `CREATE TABLE messages(id INTEGER PRIMARY KEY, conversation INTEGER, created_at TEXT, type TEXT, content TEXT);
      INSERT INTO messages VALUES (1, 7, '2026-11-24T15:00:02+02:00', 'human', 'second'),
        (2, 7, '2026-11-24 13:00:01', 'ai', 'first'), (3, 8, '2026-11-24T08:00:03.5-05:00', 'human', 'third');`,
    shape: "messages(created_at, conversation, type, content)",
    events: [
      event({ ...at(1), session_id: "7", role: "ai", message: "first" }),
      event({ ...at(2), session_id: "7", role: "human", message: "second" }),
      event({ ...at(3.5), session_id: "8", role: "human", message: "third" })
    ]
  },
  {
    what: "events with milliseconds and a severity",
    sql: `CREATE TABLE events(time INTEGER, severity TEXT, text TEXT);
      INSERT INTO events VALUES (${noon * 1000 + 500}, 'warning', 'late'), (${noon * 1000}, 'Critical', 'early'), (NULL, 'odd', NULL);`,
    shape: "events(time, text, severity)",
    events: [
      event({ level: "ODD" }),
      event({ ...at(0), level: "FATAL", message: "early" }),
      event({ ...at(0.5), level: "WARN", message: "late" })
    ]
  },
  {
    what: "mixed capitals, names with spaces, microseconds and nanoseconds",
    sql: `CREATE TABLE "Chat Log"("Created At" INTEGER, "ThreadId" TEXT, "Speaker" TEXT, "Body" TEXT, "LevelName" TEXT, "Meta" TEXT);
      INSERT INTO "Chat Log" VALUES (${noon}500000, 't', 'me', 'half', 'notice', '{"a":[1,null]}'), (${noon}000000000, 't', 'me', 'whole', NULL, 'not json');`,
    shape: "Chat Log(Created At, ThreadId, Speaker, Body, LevelName, Meta)",
    events: [
      event({ ...at(0), session_id: "t", role: "me", message: "whole", metadata: "not json" }),
      event({ ...at(0.5), session_id: "t", role: "me", message: "half", level: "INFO", metadata: { a: [1, null] } })
    ]
  },
  {
    what: "a table WITHOUT ROWID",
    sql: `CREATE TABLE log(sid TEXT, logged_at REAL, n INTEGER, msg TEXT, PRIMARY KEY (sid, n)) WITHOUT ROWID;
      INSERT INTO log VALUES ('z', ${noon}, 1, 'one'), ('a', ${noon + 1}, 1, 'two');`,
    shape: "log(logged_at, sid, msg)",
    events: [event({ ...at(0), session_id: "z", message: "one" }), event({ ...at(1), session_id: "a", message: "two" })]
  },
  {
    what: "a view",
    sql: `CREATE TABLE raw(a, b); INSERT INTO raw VALUES (${noon + 1}, 'one'), (${noon}, 'zero');
      CREATE VIEW turns AS SELECT a AS "timestamp", 'bot' AS author, b AS text FROM raw;`,
    shape: "turns(timestamp, author, text)",
    events: [event({ ...at(0), role: "bot", message: "zero" }), event({ ...at(1), role: "bot", message: "one" })]
  },
  {
    what: "the columns of an audit trail",
    sql: `CREATE TABLE session_events(id INTEGER PRIMARY KEY, ts REAL, session_id TEXT, actor TEXT, event TEXT, data TEXT);
      INSERT INTO session_events VALUES (5, ${noon}, 's', 'cli', 'opened', '{"n":1}');`,
    shape: "session_events(ts, session_id, actor, event, data)",
    events: [event({ ...at(0), session_id: "s", role: "cli", message: "opened", metadata: { n: 1 } })]
  },
  {
    what: "a log without any time, in the order of writing",
    sql: `CREATE TABLE messages(role TEXT, text TEXT); INSERT INTO messages VALUES ('b', 'first'), ('a', 'second');`,
    shape: "messages(role, text)",
    events: [event({ role: "b", message: "first" }), event({ role: "a", message: "second" })]
  },
  {
    what: "BLOBs, numbers and NULL where texts are expected",
    sql: `CREATE TABLE logs(ts, session_id, role, message, metadata);
      INSERT INTO logs VALUES ('${noon}', 5, x'c3a4', 9007199254740993, 12), ('${noon + 1}.5', NULL, 2, x'6869', NULL), ('soon', x'35', '', NULL, x'5b5d');`,
    shape: "logs(ts, session_id, role, message, metadata)",
    events: [
      event({ time: "soon", session_id: "5", role: "", metadata: [] }),
      event({ ...at(0), session_id: "5", role: "ä", message: "9007199254740993", metadata: 12 }),
      event({ ...at(1.5), role: "2", message: "hi" })
    ]
  },
  {
    what: "columns named as the reader's own helpers",
    sql: `CREATE TABLE logs(id REAL, type TEXT, key TEXT, value TEXT, n TEXT, place TEXT, seconds TEXT, ts REAL, message TEXT);
      INSERT INTO logs VALUES (1, 't', 'k', 'v', 'n', 'p', 's', ${noon}, 'a'), (0, 't', 'k', 'v', 'n', 'p', 's', ${noon + 1}, 'b');
      CREATE INDEX i ON logs(ts);`,
    shape: "logs(ts, type, message)",
    events: [event({ ...at(0), role: "t", message: "a" }), event({ ...at(1), role: "t", message: "b" })]
  },
  {
    what: "a hidden rowid",
    sql: `CREATE TABLE logs(rowid TEXT, _rowid_ TEXT, ts REAL, message TEXT);
      INSERT INTO logs VALUES ('x', 'y', ${noon}, 'a'), ('x', 'y', ${noon}, 'b');`,
    shape: "logs(ts, message)",
    events: [event({ ...at(0), message: "a" }), event({ ...at(0), message: "b" })]
  }
]

describe("the reader understands", () => {
  for (const { what, sql, shape, events } of cases)
    it.scoped(what, () =>
      Effect.gen(function* () {
        const work = yield* workspace
        const path = work.made("log.db", sql)
        const before = work.hash("log.db")
        const log = yield* open(path)
        expect(log.shape).toBe(shape)
        expect(yield* all(log)).toEqual(events)
        expect(yield* all(log, { order: "desc" })).toEqual(events.toReversed())
        expect(yield* all(log, { last: 1 })).toEqual(events.slice(-1))
        expect(work.hash("log.db")).toBe(before)
      })
    )
})

const chosen = (sql: string, options: Parameters<typeof open>[1] = {}) =>
  Effect.gen(function* () {
    const work = yield* workspace
    return (yield* open(work.made("log.db", sql), options)).shape
  })

describe("of several tables", () => {
  const few = "CREATE TABLE many(ts, session, role, level, message, metadata); CREATE TABLE log(ts, message);"

  it.scoped("one with a common name is used, in their order", () =>
    Effect.gen(function* () {
      expect(yield* chosen(few)).toBe("log(ts, message)")
      const more = `${few} CREATE TABLE logs(time, text);`
      expect(yield* chosen(more)).toBe("logs(time, text)")
      expect(yield* chosen(`${more} CREATE TABLE Session_Events(role, text);`)).toBe("Session_Events(role, text)")
      expect(yield* chosen(`${more} CREATE TABLE session_events(x, y);`)).toBe("logs(time, text)")
    })
  )

  it.scoped("else the one with most parts, and a table rather than a view", () =>
    Effect.gen(function* () {
      const sql = "CREATE TABLE a(ts, message); CREATE TABLE b(ts, role, message);"
      expect(yield* chosen(sql)).toBe("b(ts, role, message)")
      expect(yield* chosen(`${sql} CREATE VIEW v AS SELECT ts, ts AS session, role, message FROM b;`)).toBe(
        "b(ts, role, message)"
      )
    })
  )

  it.scoped("a column of time may have any name", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const sql =
        "CREATE TABLE logs(id, size, message, place); CREATE INDEX i ON logs(id); CREATE INDEX j ON logs(place);"
      const path = work.made(
        "log.db",
        `${sql} INSERT INTO logs VALUES (10, 1, 'a', 2), (9, 2, 'b', 10), (100, 3, 'c', 9)`
      )
      const messages = (time: string) =>
        Effect.flatMap(open(path, { columns: { time } }), (log) =>
          Effect.map(all(log), (found) => found.map(({ message }) => message).join(""))
        )
      expect(yield* messages("id")).toBe("bac")
      expect(yield* messages("size")).toBe("abc")
      expect(yield* messages("place")).toBe("acb")
    })
  )

  it.scoped("the named one is used", () =>
    Effect.gen(function* () {
      expect(yield* chosen(few, { table: "MANY" })).toBe("many(ts, session, role, message, level, metadata)")
      const odd = "CREATE TABLE logs(ts, message); CREATE TABLE odd(a, b, c, message);"
      expect(yield* chosen(odd, { table: "odd" })).toBe("odd(message)")
      const columns = { time: "a", session: "B", message: "c" }
      expect(yield* chosen(odd, { table: "odd", columns })).toBe("odd(a, b, c)")
      expect(yield* chosen(odd, { columns })).toBe("odd(a, b, c)")
    })
  )
})

it.scoped("tries .db and .sqlite", () =>
  Effect.gen(function* () {
    const work = yield* workspace
    const sql = "CREATE TABLE logs(ts, message)"
    const first = work.made("a.sqlite", sql)
    const second = work.made("b.db", sql)
    expect((yield* open(work.path("a.db"))).path).toBe(first)
    expect((yield* open(work.path("a"))).path).toBe(first)
    expect((yield* open(work.path("b.sqlite"))).path).toBe(second)
    expect((yield* open(work.path("b"))).path).toBe(second)
  })
)
