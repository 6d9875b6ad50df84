/**
 * Locks between processes. Oracles: real child processes that increment one number without losing a step, and processes that
 * are known to be alive, dead, or others than the ones that had their ids.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import * as FileLock from "../../../src/services/files/FileLock.ts"
import { program } from "../../cli/children.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-lock-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lock = join(folder, "lock")
const acquire = Effect.scoped(FileLock.acquire(lock)).pipe(Effect.provide(NodeContext.layer))

describe("a lock", () => {
  it.live("names its process, when it started and its host, and is gone afterwards", () =>
    Effect.gen(function* () {
      yield* FileLock.acquire(lock)
      const own = readFileSync(lock, "utf8")
      expect(own).toMatch(new RegExp(`^${process.pid} \\S+ ${hostname()}$`))
      expect((yield* Effect.flip(acquire)).message).toContain(`process ${process.pid} has this lock`)
      expect(readFileSync(lock, "utf8")).toBe(own)
    }).pipe(
      Effect.scoped,
      Effect.andThen(Effect.sync(() => expect(existsSync(lock)).toBe(false))),
      Effect.provide(NodeContext.layer)
    )
  )

  it.live("of a process whose id another one has now is taken over", () =>
    Effect.gen(function* () {
      // The parent runs, but it did not start then.
      writeFileSync(lock, `${process.ppid} 7:1234 ${hostname()}`)
      yield* acquire
      writeFileSync(lock, `${process.ppid} - ${hostname()}`)
      expect((yield* Effect.flip(acquire)).message).toContain(`process ${process.ppid} has this lock`)
    })
  )

  it.live("of a process on another host is held while it is renewed, and taken over two minutes later", () =>
    Effect.gen(function* () {
      const dead = spawnSync(process.execPath, ["-e", ""]).pid
      writeFileSync(lock, `${dead} 7:1234 elsewhere`)
      expect((yield* Effect.flip(acquire)).message).toContain(`process ${dead} on elsewhere has this lock`)
      const then = Date.now() / 1000 - 121
      utimesSync(lock, then, then)
      yield* acquire
      expect(existsSync(lock)).toBe(false)
    })
  )

  it.live("is given back where nothing may be interrupted", () =>
    FileLock.exclusively(lock, Effect.void).pipe(
      Effect.uninterruptible,
      Effect.andThen(Effect.sync(() => expect(existsSync(lock)).toBe(false))),
      Effect.provide(NodeContext.layer)
    )
  )

  it("lets processes change one file in turn, also after one of them was killed with the lock", async () => {
    const file = join(folder, "number")
    writeFileSync(file, "0")
    const dead = spawnSync(process.execPath, ["-e", ""]).pid
    writeFileSync(`${file}.lock`, `${dead} 7:1234 ${hostname()}`)
    const children = Array.from({ length: 2 }, () => program("test/services/files/increment.ts", file, "20"))
    for (const { finished } of children) expect(await finished).toMatchObject({ code: 0, stderr: "" })
    expect(readFileSync(file, "utf8")).toBe("40")
    expect(existsSync(`${file}.lock`)).toBe(false)
  })
})
