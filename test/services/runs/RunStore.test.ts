/**
 * Runs on disk: made, found, locked. Oracles: the layout that the header of RunStore.ts states, and processes that are
 * really alive or really dead. Needs the file system.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe } from "vitest"
import { type RunDirectory, RunStore } from "../../../src/services/runs/RunStore.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-runs-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
/** A new store in a directory that does not exist yet. */
const withStore = <A, E>(use: (store: RunStore.Service) => Effect.Effect<A, E>) =>
  Effect.flatMap(RunStore, use).pipe(
    Effect.provide(RunStore.layer(join(folder, `runs-${++count}`)).pipe(Layer.provide(NodeContext.layer)))
  )

/** The number of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ["-e", "0"]).pid

describe("a new run", () => {
  it.live("has a sortable id with its name, the config it ran with, and a lock while it is written", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const run = yield* store.create({ name: "whale", config: "a: 1\n" }).pipe(
          Effect.tap((run) =>
            Effect.sync(() => expect(readFileSync(join(run.directory, ".lock"), "utf8")).toContain(`${process.pid}`))
          ),
          Effect.scoped
        )
        expect(run.id).toMatch(/^\d{8}-\d{6}-whale-[0-9a-f]{4}$/)
        expect(run.directory).toBe(join(store.root, run.id))
        expect(yield* store.config(run)).toBe("a: 1\n")
        expect(readdirSync(run.directory)).toEqual(["config.yaml"])
      })
    )
  )

  it.live("keeps the last config next to the directory of the runs, not in the working directory", () =>
    withStore((store) =>
      Effect.gen(function* () {
        yield* Effect.scoped(store.create({ name: "first", config: "a: 1\n" }))
        yield* Effect.scoped(store.create({ name: "second", config: "a: 2\n" }))
        expect(readFileSync(join(folder, ".codex/hydra_last/config.yaml"), "utf8")).toBe("a: 2\n")
      })
    )
  )

  it.live("is one of many that start at once", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const names = Array.from({ length: 20 }, (_, i) => `r${i}`)
        yield* Effect.forEach(names, (name) => Effect.scoped(store.create({ name, config: `name: ${name}\n` })), {
          concurrency: "unbounded"
        })
        const runs = yield* store.list
        expect(runs.map(({ id }) => id.split("-")[2]).sort()).toEqual([...names].sort())
        const configs = yield* Effect.forEach(runs, store.config)
        expect(configs).toEqual(runs.map(({ id }) => `name: ${id.split("-")[2]}\n`))
      })
    )
  )

  it.live("that cannot be written says where and why", () => {
    const file = join(folder, "file")
    writeFileSync(file, "")
    return Effect.flatMap(RunStore, (store) => Effect.scoped(store.create({ name: "x", config: "" }))).pipe(
      Effect.provide(RunStore.layer(join(file, "runs")).pipe(Layer.provide(NodeContext.layer))),
      Effect.flip,
      Effect.tap((error) => {
        expect(error).toMatchObject({ _tag: "FileError", operation: "write", code: "ENOTDIR" })
        expect(error.path).toContain(file)
      })
    )
  })
})

describe("finding a run", () => {
  it.live("works by id and by directory, lists the newest first, and skips directories that are not runs", () =>
    withStore((store) =>
      Effect.gen(function* () {
        for (const id of ["20260101-000000-a-0001", "20260301-000000-b-0002", "20260201-000000-c-0003"]) {
          mkdirSync(join(store.root, id), { recursive: true })
          writeFileSync(join(store.root, id, "config.yaml"), "")
        }
        mkdirSync(join(store.root, "eval"))
        expect((yield* store.list).map(({ id }) => id.slice(16, 17))).toEqual(["b", "c", "a"])
        const id = "20260201-000000-c-0003"
        const byId = yield* store.open(id)
        const byDirectory = yield* store.open(join(store.root, id))
        expect(byId).toEqual(byDirectory)
        expect(byId).toMatchObject({ id, checkpoints: join(store.root, id, "checkpoints") })
      })
    )
  )

  it.live("that is not there fails with what there is", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const none = yield* Effect.flip(store.open("nope"))
        expect(none).toMatchObject({ reason: "NotFound", path: "nope" })
        expect(none.message).toContain("codex train")
        const run = yield* Effect.scoped(store.create({ name: "x", config: "" }))
        expect((yield* Effect.flip(store.open("nope"))).message).toContain(run.directory)
      })
    )
  )
})

describe("the lock of a run", () => {
  const withRun = <A, E>(use: (run: RunDirectory, store: RunStore.Service) => Effect.Effect<A, E>) =>
    withStore((store) =>
      Effect.flatMap(Effect.scoped(store.create({ name: "x", config: "" })), (run) => use(run, store))
    )

  it.live("keeps a second writer out, and opens when the first one is done", () =>
    withRun((run, store) =>
      Effect.gen(function* () {
        const error = yield* store
          .lock(run)
          .pipe(Effect.zipRight(Effect.flip(Effect.scoped(store.lock(run)))), Effect.scoped)
        expect(error).toMatchObject({ _tag: "RunError", reason: "Locked", path: run.directory })
        expect(error.message).toContain(`Process ${process.pid} is writing`)
        expect(existsSync(join(run.directory, ".lock"))).toBe(false)
        yield* Effect.scoped(store.lock(run))
      })
    )
  )

  it.live("keeps out while another process lives, and is taken over once that is dead", () =>
    withRun((run, store) =>
      Effect.gen(function* () {
        const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })
        const ended = new Promise((resolve) => other.once("exit", resolve))
        writeFileSync(join(run.directory, ".lock"), `${other.pid} 1700000000000`)
        const error = yield* Effect.flip(Effect.scoped(store.lock(run)))
        expect(error.message).toContain(`Process ${other.pid} is writing to this run.`)
        other.kill("SIGKILL")
        yield* Effect.promise(() => ended)
        yield* Effect.scoped(store.lock(run))
        expect(readdirSync(run.directory)).toEqual(["config.yaml"])
      })
    )
  )

  it.live("of a process whose number another process has now is taken over", () =>
    withRun((run, store) =>
      Effect.gen(function* () {
        // The parent of this process lives, but it started at another time.
        writeFileSync(join(run.directory, ".lock"), `${process.ppid} 7:1234 ${hostname()}`)
        yield* Effect.scoped(store.lock(run))
        expect(existsSync(join(run.directory, ".lock"))).toBe(false)
      })
    )
  )

  it.live("of an earlier process that had our number is taken over", () =>
    withRun((run, store) =>
      Effect.gen(function* () {
        writeFileSync(join(run.directory, ".lock"), `${process.pid} 1700000000000`)
        yield* Effect.scoped(store.lock(run))
        expect(existsSync(join(run.directory, ".lock"))).toBe(false)
      })
    )
  )

  for (const [what, content] of [
    ["empty", () => ""],
    ["garbage", () => "not a number"],
    ["of a dead process", () => `${deadPid()} 1700000000000`]
  ] as const) {
    it.live(`that is ${what} goes to exactly one of ten who want it at once`, () =>
      withRun((run, store) =>
        Effect.gen(function* () {
          writeFileSync(join(run.directory, ".lock"), content())
          const got = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.either(store.lock(run)), {
            concurrency: "unbounded"
          })
          expect(got.filter(({ _tag }) => _tag === "Right")).toHaveLength(1)
          for (const each of got) {
            if (each._tag === "Left") expect(each.left).toMatchObject({ _tag: "RunError", reason: "Locked" })
          }
          expect(readdirSync(run.directory).sort()).toEqual([".lock", "config.yaml"])
        }).pipe(Effect.scoped)
      )
    )
  }
})

describe("the commit", () => {
  it.live("is that of the working directory's repository", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const commit = yield* store.gitCommit
        const git = spawnSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" })
        expect(commit).toBe(git.status === 0 ? git.stdout.trim() : undefined)
      })
    )
  )
})
