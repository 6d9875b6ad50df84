/**
 * The sample log. Oracle: rows as better-sqlite3 reads them; for other sessions, the same rows before and after.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as SampleLog from "../../../src/services/logs/SampleLog.ts"
import { SessionLog } from "../../../src/services/logs/SessionLog.ts"
import { SqlitePool } from "../../../src/services/logs/write/SqlitePool.ts"

let directory = ""
let db = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-sample-"))
  db = join(directory, "logs.db")
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Row {
  readonly id: number
  readonly ts: number
  readonly session_id: string
}

const rows = (): ReadonlyArray<Row> => {
  const database = new Database(db, { readonly: true })
  const found = database.prepare<[], Row>("SELECT * FROM session_events ORDER BY id").all()
  database.close()
  return found
}

const sample = (reset: boolean, seed: boolean) =>
  SampleLog.create({ db, reset, seed }).pipe(Effect.provide(SqlitePool.layer))

describe("a sample", () => {
  it.live("is added once, in three sessions, each in time order", () =>
    Effect.gen(function* () {
      expect(yield* sample(false, true)).toEqual({ removed: 0, added: 16, present: 16, others: 0 })
      const first = rows()
      expect(yield* sample(false, true)).toEqual({ removed: 0, added: 0, present: 16, others: 0 })
      expect(rows()).toEqual(first)
      const sessions = [...new Set(first.map(({ session_id }) => session_id))]
      expect(sessions.sort()).toEqual(["sample-chat", "sample-failure", "sample-training"])
      for (const session of sessions) {
        const times = first.filter(({ session_id }) => session_id === session).map(({ ts }) => ts)
        expect(times).toEqual([...times].sort((a, b) => a - b))
      }
      expect(first.every(({ ts }) => ts < Date.now() / 1000)).toBe(true)
    })
  )

  it.live("is removed and added again, and changes nothing else", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(["real", "sample-mine", "sample"], (id) =>
        Effect.flatMap(SessionLog.attach({ id, db, ndjson: false, enabled: true }), (session) =>
          session.log("user", `of ${id} \0`, { n: 1 })
        )
      ).pipe(Effect.scoped, Effect.provide(SqlitePool.layer))
      const real = rows()
      expect(yield* sample(true, true)).toEqual({ removed: 0, added: 16, present: 16, others: 3 })
      expect(yield* sample(true, true)).toEqual({ removed: 16, added: 16, present: 16, others: 3 })
      expect(yield* sample(true, false)).toEqual({ removed: 16, added: 0, present: 0, others: 3 })
      expect(rows()).toEqual(real)
    })
  )

  it.live("is only the table without `seed`", () =>
    Effect.gen(function* () {
      expect(yield* sample(false, false)).toEqual({ removed: 0, added: 0, present: 0, others: 0 })
      expect(rows()).toEqual([])
    })
  )

  it.live("is written even if logging is off, because it was requested", () =>
    Effect.gen(function* () {
      const off = ConfigProvider.fromMap(new Map([["CODEX_SESSION_LOGGING", "0"]]))
      expect(yield* Effect.withConfigProvider(sample(false, true), off)).toMatchObject({ added: 16 })
    })
  )

  it.live("is refused for an NDJSON file", () =>
    Effect.gen(function* () {
      db = join(directory, "all.ndjson")
      const error = yield* Effect.flip(sample(false, true))
      expect(String(error)).toContain("all.ndjson: a sample is a SQLite database")
      expect(existsSync(db)).toBe(false)
    })
  )
})
