/**
 * Faults of SQLite as values. Oracle: files with one fault each, and SQLite's list of result codes.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Sqlite from "../../../src/services/logs/Sqlite.ts"
import { explain } from "../../../src/services/logs/write/SqlitePool.ts"

let directory = ""
let path = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-sqlite-"))
  path = join(directory, "x.db")
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const reasonOf = (sql: string, options: Partial<Sqlite.Options> = {}) =>
  Effect.flatMap(Sqlite.open({ path, busyMillis: 0, ...options }), (database) => database.rows(sql)).pipe(
    Effect.scoped,
    Effect.flip,
    Effect.map(({ reason }) => reason)
  )

describe("a fault", () => {
  it.live("is classified by what a caller can do about it", () =>
    Effect.gen(function* () {
      expect(yield* reasonOf("SELECT 1", { readonly: true })).toBe("Missing")
      expect(yield* reasonOf("SELECT 1", { path: join(directory, "no/x.db") })).toBe("Missing")
      expect(yield* reasonOf("SELECT nonsense")).toBe("Statement")
      expect(yield* reasonOf("CREATE TABLE t(a)", { readonly: true })).toBe("ReadOnly")
      mkdirSync(join(directory, "folder.db"))
      expect(yield* reasonOf("SELECT 1", { path: join(directory, "folder.db") })).toBe("Missing")
      writeFileSync(join(directory, "text.db"), "no database at all\n".repeat(100))
      expect(yield* reasonOf("SELECT * FROM sqlite_master", { path: join(directory, "text.db") })).toBe("NotADatabase")
      const database = new Database(path)
      database.exec("CREATE TABLE t(a)")
      const insert = database.prepare("INSERT INTO t VALUES (?)")
      for (let i = 0; i < 2000; i++) insert.run("x".repeat(100))
      const bytes = readFileSync(path).fill(0xff, 8192, 40_000)
      writeFileSync(join(directory, "torn.db"), bytes)
      expect(yield* reasonOf("SELECT count(a) FROM t WHERE a > ''", { path: join(directory, "torn.db") })).toBe(
        "Corrupt"
      )
      database.exec("BEGIN EXCLUSIVE")
      expect(yield* reasonOf("INSERT INTO t VALUES (1)")).toBe("Busy")
      database.exec("COMMIT")
      const pages = database.pragma("page_count", { simple: true })
      database.close()
      const full = Effect.flatMap(Sqlite.open({ path }), (opened) =>
        Effect.zipRight(
          opened.rows(`PRAGMA max_page_count = ${pages}`),
          opened.rows("INSERT INTO t VALUES (?)", ["x".repeat(1e6)])
        )
      )
      expect((yield* Effect.flip(Effect.scoped(full))).reason).toBe("Full")
    })
  )

  it.each([
    Object.assign(new Error("Could not locate the bindings file. Tried:\n → a\n → b")),
    Object.assign(new Error("was compiled against a different Node.js version"), { code: "ERR_DLOPEN_FAILED" })
  ])("of a driver that is not built names the remedy: %s", (cause) => {
    const fault = Sqlite.faultOf("x.db", cause)
    expect(fault.reason).toBe("Unavailable")
    expect(explain(fault).message).toBe(
      "x.db: SQLite is not available: better-sqlite3 is not built for this version of Node. " +
        "To use SQLite, run `npm rebuild better-sqlite3` (with pnpm: `pnpm approve-builds better-sqlite3`)."
    )
  })

  it.live("that met a lock when a statement was prepared is gone with the lock", () =>
    Effect.gen(function* () {
      const other = new Database(path)
      other.exec("CREATE TABLE t(a); INSERT INTO t VALUES (7)")
      other.close()
      const database = yield* Sqlite.open({ path, busyMillis: 0 })
      const locking = new Database(path)
      locking.exec("BEGIN EXCLUSIVE")
      const select = database.rows("SELECT a FROM t")
      expect((yield* Effect.flip(select)).reason).toBe("Busy")
      locking.exec("COMMIT")
      locking.close()
      expect(yield* select).toEqual([{ a: 7 }])
    }).pipe(Effect.scoped)
  )
})

describe("a transaction", () => {
  it.live("is all or nothing", () =>
    Effect.gen(function* () {
      const database = yield* Sqlite.open({ path })
      yield* database.rows("CREATE TABLE t(a)")
      const insert = (value: number) => database.rows("INSERT INTO t VALUES (?)", [value])
      yield* database.transaction(Effect.zipRight(insert(1), Effect.fail("stop"))).pipe(Effect.ignore)
      yield* database.transaction(Effect.zipRight(insert(2), database.rows("nonsense"))).pipe(Effect.ignore)
      expect(yield* database.rows("SELECT a FROM t")).toEqual([])
      yield* database.transaction(Effect.zipRight(insert(3), insert(4)))
      expect(yield* database.rows("SELECT a FROM t")).toEqual([{ a: 3 }, { a: 4 }])
    }).pipe(Effect.scoped)
  )
})
