/**
 * The log of a session as a scoped resource. Oracle: rows and lines as better-sqlite3 and JSON.parse read them; the start comes
 * first and the end last, for whatever reason the scope closes.
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
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { SessionLog } from "../../../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../../../src/services/logs/write/SqlitePool.ts"
import { inFull } from "../../full.ts"

let directory = ""
let db = ""
let ndjson = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-session-"))
  db = join(directory, "logs.db")
  ndjson = join(directory, "sessions/s.ndjson")
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Event {
  readonly ts: number
  readonly session_id: string
  readonly role: string
  readonly message: string
  readonly level: string
  readonly metadata: Record<string, unknown>
}

const rows = (path = db): ReadonlyArray<Event> => {
  const database = new Database(path, { readonly: true })
  const found = database
    .prepare<[], Event & { metadata: string | null }>(
      "SELECT ts, session_id, role, message, level, metadata FROM session_events ORDER BY rowid"
    )
    .all()
  database.close()
  return found.map((row) => ({ ...row, metadata: JSON.parse(row.metadata ?? "{}") }))
}

const lines = (path = ndjson): ReadonlyArray<Event> =>
  readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => ({ metadata: {}, ...JSON.parse(line) }))

const messages = (events: ReadonlyArray<Event>) => events.map(({ message }) => message)

const env = (variables: Record<string, string>) =>
  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

/** Runs `use` in a session and gives the exit. */
const inSession = <A, E>(
  use: (session: SessionLog.Service) => Effect.Effect<A, E, SessionLog | SqlitePool>,
  options: SessionLog.Options = {},
  variables: Record<string, string> = {}
) =>
  Effect.flatMap(SessionLog, use).pipe(
    Effect.provide(SessionLog.layer({ id: "s", db, ndjson, ...options })),
    Effect.provide(SqlitePool.layer),
    env(variables),
    Effect.exit
  )

describe("a session", () => {
  it.live("writes its start, its events and its end to the database and as NDJSON", () =>
    Effect.gen(function* () {
      const before = Date.now() / 1000
      yield* inSession((session) =>
        Effect.gen(function* () {
          yield* session.log("user", "hello", { n: 1 })
          yield* session.log("assistant", "hi", undefined, "WARN")
          yield* session.log("tool", "42")
        })
      )
      const found = rows()
      expect(found.map(({ level, message, role }) => [role, level, message])).toEqual([
        ["system", "INFO", "session_start"],
        ["user", "INFO", "hello"],
        ["assistant", "WARN", "hi"],
        ["tool", "INFO", "42"],
        ["system", "INFO", "session_end"]
      ])
      expect(found.map(({ session_id }) => session_id)).toEqual(found.map(() => "s"))
      expect(found[1]?.metadata).toEqual({ n: 1 })
      expect(found[0]?.metadata).toMatchObject({ pid: process.pid, cwd: process.cwd(), node: process.version })
      const end = found[4]?.metadata
      expect(end).toMatchObject({ outcome: "success", pid: process.pid })
      expect(Number(end?.duration_seconds)).toBeGreaterThanOrEqual(0)
      expect(found[4]!.ts).toBeGreaterThanOrEqual(before)
      expect(found[4]!.ts).toBeLessThanOrEqual(Date.now() / 1000)
      expect(lines()).toEqual(found)
    })
  )

  it.live.each([
    ["failure", Effect.fail(new Error("no")), "ERROR", { message: "no" }],
    ["failure", Effect.fail({ _tag: "Odd" }), "ERROR", { tag: "Odd" }],
    ["defect", Effect.die(new TypeError("bug")), "ERROR", { message: "bug" }],
    ["interrupted", Effect.interrupt, "WARN", undefined]
  ] as const)("ends with the outcome %s", ([outcome, effect, level, error]) =>
    Effect.gen(function* () {
      yield* inSession((): Effect.Effect<never, unknown> => effect)
      const end = rows().at(-1)
      expect([end?.message, end?.level, end?.metadata.outcome]).toEqual(["session_end", level, outcome])
      if (error === undefined) expect(end?.metadata.error).toBeUndefined()
      else expect(end?.metadata.error).toMatchObject(error)
    })
  )

  it.live("ends when its fiber is interrupted from outside, with what was logged before", () =>
    Effect.gen(function* () {
      const logged = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        inSession((session) =>
          session
            .log("user", "before")
            .pipe(Effect.zipRight(Deferred.succeed(logged, undefined)), Effect.zipRight(Effect.never))
        )
      )
      yield* Deferred.await(logged)
      yield* Fiber.interrupt(fiber)
      expect(messages(rows())).toEqual(["session_start", "before", "session_end"])
      expect(rows().at(-1)?.metadata.outcome).toBe("interrupted")
    })
  )

  it.live("records Effect's logs with annotations, spans and causes, and spans when they end", () =>
    Effect.gen(function* () {
      yield* inSession(() =>
        Effect.gen(function* () {
          yield* Effect.logWarning("disk", { free: 3 }).pipe(
            Effect.annotateLogs({ step: 7 }),
            Effect.withLogSpan("save")
          )
          yield* Effect.logError("bad", new Error("reason"))
          yield* Effect.log("inside").pipe(Effect.withSpan("work", { attributes: { size: 2 } }))
          yield* Effect.fail(new Error("no")).pipe(Effect.withSpan("broken"), Effect.ignore)
          yield* Effect.logDebug("too fine")
        })
      )
      const found = rows()
      expect(found.map(({ level, message }) => [level, message])).toEqual([
        ["INFO", "session_start"],
        ["WARN", 'disk {"free":3}'],
        ["ERROR", "bad Error: reason"],
        ["INFO", "inside"],
        ["DEBUG", "work"],
        ["ERROR", "broken"],
        ["INFO", "session_end"]
      ])
      expect(found[1]?.metadata.annotations).toEqual({ step: 7 })
      expect(found[1]?.metadata.log_spans_ms).toEqual({ save: expect.any(Number) })
      expect(found[3]?.metadata.span).toBe("work")
      expect(found[4]?.metadata).toMatchObject({ attributes: { size: 2 }, span: { duration_ms: expect.any(Number) } })
      expect(String(found[5]?.metadata.cause)).toContain("no")
      expect(lines()).toEqual(found)
    }).pipe(Effect.scoped)
  )

  it.live("does not continue to record after its scope", () =>
    Effect.gen(function* () {
      yield* inSession(() => Effect.void)
      yield* Effect.log("outside").pipe(Effect.withSpan("outside"))
      expect(messages(rows())).toEqual(["session_start", "session_end"])
    })
  )

  it.live("keeps many concurrent events in order", () =>
    Effect.gen(function* () {
      const count = inFull(20_000, 5000)
      yield* inSession((session) =>
        Effect.forEach(
          Array.from({ length: count }, (_, n) => n),
          (n) => session.log("tool", String(n)),
          { concurrency: "unbounded", discard: true }
        )
      )
      const said = messages(rows()).slice(1, -1)
      expect(said).toEqual(Array.from({ length: count }, (_, n) => String(n)))
      expect(messages(lines()).slice(1, -1)).toEqual(said)
    })
  )

  it.live("keeps what a logger posts faster than it can be written", () =>
    Effect.gen(function* () {
      yield* inSession((session) =>
        Effect.sync(() => {
          for (let n = 0; n < 10_000; n++) session.post({ message: String(n), level: "INFO", metadata: {} })
        })
      )
      expect(messages(rows()).slice(1, -1)).toEqual(Array.from({ length: 10_000 }, (_, n) => String(n)))
    })
  )

  it.live("keeps any text and any metadata, the same in both places", () =>
    Effect.gen(function* () {
      const hostile = [
        'it\'s "quoted"; DROP TABLE session_events; --',
        "nul \0 inside",
        "line\nfeed\r\n\u2028",
        "\u001b[31mred\u001b[0m",
        "half \ud83d pair",
        "\\ud83d is six characters",
        "é 東京 \u{1F44D}",
        "",
        "x".repeat(10 * 1024 * 1024)
      ]
      yield* inSession((session) => session.logAll(hostile.map((message) => ({ role: "user", message }))))
      const expected = hostile.map((text) => text.toWellFormed())
      expect(messages(rows()).slice(1, -1)).toEqual(expected)
      expect(messages(lines()).slice(1, -1)).toEqual(expected)
    })
  )

  it("writes any text and metadata unchanged (property)", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.array(
          FastCheck.record({
            message: FastCheck.string({ unit: "binary" }),
            metadata: FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue())
          }),
          { maxLength: 20 }
        ),
        async (events) => {
          const path = join(directory, `${Math.random()}.db`)
          await Effect.runPromise(
            inSession((session) => session.logAll(events.map((event) => ({ role: "user", ...event }))), {
              db: path,
              ndjson: false
            })
          )
          const found = rows(path).slice(1, -1)
          expect(messages(found)).toEqual(events.map(({ message }) => message.toWellFormed()))
          expect(found.map(({ metadata }) => metadata)).toEqual(
            events.map(({ metadata }) => JSON.parse(JSON.stringify(metadata)))
          )
        }
      ),
      { numRuns: 30 }
    ))

  it.live("writes metadata that JSON cannot hold as text", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = { name: "circle" }
      circle.self = circle
      yield* inSession((session) =>
        Effect.all([
          session.log("user", "big", { n: 2n ** 70n }),
          session.log("user", "round", { circle }),
          session.log("user", "not finite", { loss: Number.NaN, none: null, of: [1 / 0, -1 / 0, 1] })
        ])
      )
      const [, big, round, notFinite] = rows()
      expect(notFinite?.metadata).toEqual({ loss: "NaN", none: null, of: ["Infinity", "-Infinity", 1] })
      expect(big?.metadata).toEqual({ n: String(2n ** 70n) })
      expect(JSON.stringify(round?.metadata)).toContain("circle")
    })
  )
})

describe("the place of a log", () => {
  it.live("is one NDJSON file if the path ends in .ndjson", () =>
    Effect.gen(function* () {
      const path = join(directory, "all.ndjson")
      yield* inSession((session) => session.log("user", "one"), { db: path, ndjson: undefined })
      expect(messages(lines(path))).toEqual(["session_start", "one", "session_end"])
      expect(readdirSync(directory)).toEqual(["all.ndjson"])
    })
  )

  it.live("is only the database, or nothing at all, if that is requested", () =>
    Effect.gen(function* () {
      yield* inSession((session) => session.log("user", "one"), { ndjson: false })
      expect(readdirSync(directory)).toEqual(["logs.db"])
      const off = yield* inSession(
        (session) => Effect.succeed(session.enabled),
        { db: `${db}2` },
        { CODEX_SESSION_LOGGING: "0" }
      )
      expect(off).toEqual(Exit.succeed(false))
      expect(readdirSync(directory)).toEqual(["logs.db"])
    })
  )

  it.live("is decided by a config, and the environment overrides it", () =>
    Effect.gen(function* () {
      yield* inSession(() => Effect.void, { enabled: false })
      expect(existsSync(db)).toBe(false)
      yield* inSession(() => Effect.void, { enabled: false }, { CODEX_SESSION_LOGGING: "1" })
      expect(messages(rows())).toEqual(["session_start", "session_end"])
    })
  )

  it.live("is set by the environment", () =>
    Effect.gen(function* () {
      const variables = {
        CODEX_LOG_DB_PATH: db,
        CODEX_SESSION_LOG_DIR: join(directory, "n"),
        CODEX_SESSION_ID: "from-env"
      }
      yield* inSession(() => Effect.void, { id: undefined, db: undefined, ndjson: undefined }, variables)
      expect(rows()[0]?.session_id).toBe("from-env")
      expect(readdirSync(join(directory, "n"))).toEqual(["from-env.ndjson"])
    })
  )

  it.live("shares one connection among the sessions of a process, unless CODEX_SQLITE_POOL is off", () =>
    Effect.gen(function* () {
      for (const pool of ["1", "0"]) {
        const databases = yield* Effect.gen(function* () {
          const { open } = yield* SqlitePool
          return [yield* open(db), yield* open(join(directory, "./logs.db"))]
        }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer), env({ CODEX_SQLITE_POOL: pool }))
        expect(databases[0] === databases[1]).toBe(pool === "1")
      }
    })
  )

  it.live("holds several sessions at once", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(
        ["a", "b", "c"],
        (id) =>
          Effect.gen(function* () {
            const session = yield* SessionLog.open({ id, db, ndjson: false })
            for (let n = 0; n < 50; n++) yield* session.log("tool", `${id}${n}`)
          }).pipe(Effect.scoped),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.provide(SqlitePool.layer))
      for (const id of ["a", "b", "c"]) {
        const own = rows().filter(({ session_id }) => session_id === id)
        expect(messages(own).slice(1, -1)).toEqual(Array.from({ length: 50 }, (_, n) => `${id}${n}`))
      }
    })
  )

  it.live("continues in the table of the original kit, which keeps its columns", () =>
    Effect.gen(function* () {
      const database = new Database(db)
      database.exec(`CREATE TABLE session_events(ts REAL NOT NULL, session_id TEXT NOT NULL, role TEXT NOT NULL, message TEXT NOT NULL);
        INSERT INTO session_events VALUES (1, 'old', 'INFO', 'from the kit')`)
      yield* inSession((session) => session.log("user", "from codex"))
      database.exec("INSERT INTO session_events(ts, session_id, role, message) VALUES (2, 'old', 'WARN', 'kit again')")
      database.close()
      expect(messages(rows())).toEqual(["from the kit", "session_start", "from codex", "session_end", "kit again"])
    })
  )
})

describe("the session of a process", () => {
  it.live("is inherited by the processes it starts, but not by other sessions of the process", () =>
    Effect.gen(function* () {
      const before = { ...process.env }
      const child = () =>
        spawnSync(process.execPath, ["-p", "process.env.CODEX_SESSION_ID ?? 'none'"], {
          encoding: "utf8"
        }).stdout.trim()
      const own = { ndjson: false, db } as const
      yield* Effect.gen(function* () {
        yield* SessionLog.open({ ...own, id: "outer" })
        expect(child()).toBe("outer")
        const inner = yield* Effect.scoped(SessionLog.open(own))
        expect(inner.id).not.toBe("outer")
        expect(child()).toBe("outer")
      }).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      expect(process.env.CODEX_SESSION_ID).toBe(before.CODEX_SESSION_ID)
      expect(child()).toBe(before.CODEX_SESSION_ID ?? "none")
    })
  )

  it.live("can be joined without a start and an end", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(SessionLog.attach({ id: "s", db, ndjson }), (session) =>
        session.logAll([{ role: "tool", message: "then", ts: 12.5 }])
      ).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      expect(rows()).toEqual([
        { ts: 12.5, session_id: "s", role: "tool", level: "INFO", message: "then", metadata: {} }
      ])
    })
  )

  it.live("has a new id, which sorts by time, if none is given", () =>
    Effect.gen(function* () {
      yield* inSession(() => Effect.void, { id: undefined })
      expect(rows()[0]?.session_id).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{8}$/)
    })
  )
})

describe("redaction", () => {
  const secret = `ghp_${"a1B2".repeat(9)}`
  it.live("removes secrets from messages and metadata on request", () =>
    Effect.gen(function* () {
      for (const [options, variables] of [
        [{ redact: true }, {}],
        [{}, { CODEX_LOG_REDACT: "1" }]
      ] as const)
        yield* inSession(
          (session) => session.log("user", `use ${secret}`, { deep: [{ password: "hunter2" }] }),
          options,
          variables
        )
      yield* inSession((session) => session.log("user", `use ${secret}`))
      const said = rows().filter(({ role }) => role === "user")
      expect(messages(said)).toEqual(["use [redacted:github-token]", "use [redacted:github-token]", `use ${secret}`])
      expect(said[0]?.metadata).toEqual({ deep: [{ password: "[redacted:password]" }] })
    })
  )
})

describe("a log that cannot be written", () => {
  const failure = (options: SessionLog.Options, variables: Record<string, string> = {}) =>
    Effect.map(
      inSession(() => Effect.void, options, variables),
      (exit) =>
        Exit.match(exit, {
          onSuccess: () => "success",
          onFailure: (cause) =>
            cause._tag === "Fail" && cause.error instanceof Error ? cause.error.message : String(cause)
        })
    )

  it.live.each(["", "a/b", "../up", ".hidden", "a b", "x".repeat(200)])("refuses %j as the name of a session", (id) =>
    Effect.gen(function* () {
      expect(yield* failure({ id })).toContain("is not a valid session id. Use 1 to 128 letters")
      expect(readdirSync(directory)).toEqual([])
    })
  )

  it.live.each([
    ["role", "robot", ["robot", "x"]],
    ["level", "loud", ["user", "x", {}, "loud"]],
    ["message", "7", ["user", 7]]
  ] as const)("refuses an invalid %s, and writes what others log meanwhile", ([name, found, words]) =>
    Effect.gen(function* () {
      // What JavaScript may pass.
      const wrong = (session: SessionLog.Service) => Reflect.apply(session.log, session, words)
      const exit = yield* inSession((session) =>
        Effect.all([Effect.flip(wrong(session)), session.log("user", "other")], { concurrency: 2 })
      )
      expect(Exit.isSuccess(exit) && String(exit.value[0])).toContain(
        `${name}: ${found} is not a valid ${name} of an event. Use`
      )
      expect(messages(rows())).toEqual(["session_start", "other", "session_end"])
    })
  )

  it.live("refuses an invalid time", () =>
    Effect.gen(function* () {
      const exit = yield* inSession((session) =>
        Effect.flip(session.logAll([{ role: "user", message: "x", ts: Number.NaN }]))
      )
      expect(Exit.isSuccess(exit) && exit.value.message).toBe(
        "ts: NaN is not a valid ts of an event. Use seconds since 1970."
      )
      expect(messages(rows())).toEqual(["session_start", "session_end"])
    })
  )

  it.live("reports a file that is not a database, and does not change it", () =>
    Effect.gen(function* () {
      writeFileSync(db, "these are my notes, not a database\n".repeat(100))
      const before = readFileSync(db)
      expect(yield* failure({})).toMatch(
        /logs\.db: is not a SQLite database.*Choose another path\. This file was not changed\./
      )
      expect(readFileSync(db).equals(before)).toBe(true)
    })
  )

  it.live("reports a database whose table is a different one", () =>
    Effect.gen(function* () {
      const database = new Database(db)
      database.exec("CREATE TABLE session_events(actor, event)")
      database.close()
      const before = readFileSync(db)
      expect(yield* failure({})).toContain(
        "is not a session log: its table session_events has other columns (actor, event). Choose another path."
      )
      expect(readFileSync(db).equals(before)).toBe(true)
    })
  )

  it.live("reports a directory, and a path below a file", () =>
    Effect.gen(function* () {
      mkdirSync(db)
      expect(yield* failure({})).toContain("cannot be opened for writing")
      writeFileSync(join(directory, "file"), "")
      expect(yield* failure({ db: join(directory, "file/x.db") })).toContain(
        "/file: cannot be written: there is already a file or directory of that name. Choose another path."
      )
      expect(yield* failure({ db: join(directory, "file/x.ndjson") })).toContain(
        "/file: cannot be written: there is already a file or directory of that name. Choose another path."
      )
    })
  )

  it.live("fails an event when the disk is full, keeps the earlier ones, and continues when there is space", () =>
    Effect.gen(function* () {
      yield* inSession(
        (session) =>
          Effect.gen(function* () {
            yield* session.log("user", "small")
            const other = new Database(db)
            const pages = other.pragma("page_count", { simple: true })
            other.close()
            const { open } = yield* SqlitePool
            const database = yield* open(db)
            yield* database.rows(`PRAGMA max_page_count = ${pages}`)
            const exit = yield* Effect.exit(session.log("user", "x".repeat(100_000)))
            expect(String(exit)).toContain("the disk is full")
            yield* database.rows("PRAGMA max_page_count = 1000000")
            yield* session.log("user", "again")
          }).pipe(Effect.scoped),
        { ndjson: false }
      )
      expect(messages(rows())).toEqual(["session_start", "small", "again", "session_end"])
    })
  )

  it.live("waits while another process has it locked, and loses nothing", () =>
    Effect.gen(function* () {
      const other = new Database(db)
      other.pragma("journal_mode = WAL")
      other.exec("CREATE TABLE own(a); BEGIN IMMEDIATE; INSERT INTO own VALUES (1)")
      const fiber = yield* Effect.fork(inSession((session) => session.log("user", "after the lock")))
      yield* Effect.sleep("300 millis")
      expect(fiber.unsafePoll()).toBeNull()
      other.exec("COMMIT")
      other.close()
      yield* Fiber.join(fiber)
      expect(messages(rows())).toEqual(["session_start", "after the lock", "session_end"])
    })
  )

  // Skipped for root, who may write anywhere.
  it.live.skipIf(process.getuid?.() === 0)("reports a read-only directory", () =>
    Effect.gen(function* () {
      chmodSync(directory, 0o555)
      const message = yield* failure({})
      chmodSync(directory, 0o755)
      expect(message).toContain("cannot be opened for writing")
    })
  )
})
