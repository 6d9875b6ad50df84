/**
 * Read-only logs.
 *
 * Oracle: the events, and the error's text, written by hand. Root can write everything, so as root the test reads as another user.
 */
import { chmodSync, readdirSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { all, event, failure, open, type Workspace, workspace } from "./workspace.ts"

const NOBODY = 65_534

const asOther = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  process.getuid?.() === 0
    ? Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(NOBODY)),
        () => effect,
        () => Effect.sync(() => process.seteuid?.(0))
      )
    : effect

/** A folder and its files that may only be read, until the scope ends. */
const sealed = (work: Workspace) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      for (const name of readdirSync(work.path("."))) chmodSync(work.path(name), 0o444)
      chmodSync(work.path("."), 0o555)
    }),
    () => Effect.sync(() => chmodSync(work.path("."), 0o755))
  )

const sql = "CREATE TABLE logs(ts REAL, message TEXT); INSERT INTO logs VALUES (1, 'a');"
const events = [event({ ts: 1, time: "1970-01-01T00:00:01.000Z", message: "a" })]

describe("a read-only log", () => {
  it.scoped("is read", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.made("log.db", sql)
      yield* sealed(work)
      expect(yield* asOther(Effect.scoped(Effect.flatMap(open(path), all)))).toEqual(events)
      expect(readdirSync(work.path("."))).toEqual(["log.db"])
    })
  )

  it.scoped("is read in WAL mode while its writer has it open", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const writer = work.database("log.db", `PRAGMA journal_mode = WAL; ${sql}`)
      yield* sealed(work)
      expect(yield* asOther(Effect.scoped(Effect.flatMap(open(work.path("log.db")), all)))).toEqual(events)
      yield* Effect.sync(() => writer.close())
    })
  )

  it.scoped("is refused in WAL mode without its other files, with a remedy", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.made("log.db", `PRAGMA journal_mode = WAL; ${sql}`)
      yield* sealed(work)
      const error = yield* asOther(failure(path))
      expect([error.reason, error.message]).toEqual([
        "Unreadable",
        `${path}: SQLite cannot open it (attempt to write a readonly database). A database in WAL mode needs a writable directory. Copy it (with its -wal or -journal file, if there is one) to a writable directory, and read the copy, or read a copy made by \`codex logs snapshot\`.`
      ])
    })
  )

  it.scoped("that cannot be read either is refused", () =>
    Effect.gen(function* () {
      const work = yield* workspace
      const path = work.made("log.db", sql)
      yield* sealed(work)
      chmodSync(path, 0o000)
      const error = yield* asOther(failure(path))
      expect(error.reason).toBe("Unreadable")
      expect(error.message).toContain("Check its permissions and those of its directory.")
    })
  )
})
