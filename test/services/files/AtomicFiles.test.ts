/**
 * Files and directories that appear whole, with the process killed before each call to the file system. Oracle: the content
 * before and after, which are the only two that may be found. Needs the file system.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { afterAll } from "vitest"
import * as AtomicFiles from "../../../src/services/files/AtomicFiles.ts"
import { atEachCall } from "./crash.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-files-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0
const fresh = () => {
  const directory = join(folder, String(++count))
  mkdirSync(directory)
  return directory
}

const leftover = (name: string, kind: "new" | "old") => `.${name}.0a1b2c3d.codex-${kind}`
const writeBoth = (content: string) => (directory: string) =>
  Effect.zipRight(
    AtomicFiles.writeSynced(join(directory, "a"), content),
    AtomicFiles.writeSynced(join(directory, "b"), content)
  )
const contents = (directory: string) => ["a", "b"].map((name) => readFileSync(join(directory, name), "utf8")).join("")

const refusal = (code: string) => {
  const cause = Object.assign(new Error(code), { code })
  return Effect.fail(new SystemError({ reason: "Unknown", module: "FileSystem", method: "open", cause }))
}

layer(NodeContext.layer)("a file", (it) => {
  it.effect("is written in pieces, replaces another one and leaves nothing else", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const path = join(directory, "file")
      yield* AtomicFiles.writeFile(path, "old")
      yield* AtomicFiles.writeFile(path, [Uint8Array.of(0x6e, 0x65), Uint8Array.of(0x77)])
      expect(readFileSync(path, "utf8")).toBe("new")
      expect(readdirSync(directory)).toEqual(["file"])
    })
  )

  it.effect("is the old or the new one, whenever the writer is killed", () =>
    Effect.gen(function* () {
      const found = new Set<string>()
      const calls = yield* atEachCall({
        prepare: () => {
          const path = join(fresh(), "file")
          writeFileSync(path, "old")
          return path
        },
        run: (path) => AtomicFiles.writeFile(path, "new"),
        check: (path, _, completed) =>
          Effect.sync(() => {
            const content = readFileSync(path, "utf8")
            expect(completed ? ["new"] : ["old", "new"]).toContain(content)
            found.add(content)
          })
      })
      expect(found).toEqual(new Set(["old", "new"]))
      expect(calls).toBeGreaterThanOrEqual(8)
    })
  )

  it.effect("behind a symbolic link is replaced, and the link stays", () =>
    Effect.gen(function* () {
      const directory = fresh()
      mkdirSync(join(directory, "below"))
      writeFileSync(join(directory, "below", "file"), "old")
      symlinkSync(join(directory, "below", "file"), join(directory, "link"))
      yield* AtomicFiles.writeFile(join(directory, "link"), "new")
      expect(lstatSync(join(directory, "link")).isSymbolicLink()).toBe(true)
      expect(readFileSync(join(directory, "below", "file"), "utf8")).toBe("new")
      expect(readdirSync(join(directory, "below"))).toEqual(["file"])
    })
  )

  it.effect("in a directory that does not exist fails with the path that was given", () =>
    Effect.gen(function* () {
      const path = join(fresh(), "no", "file")
      const error = yield* Effect.flip(AtomicFiles.writeFile(path, ""))
      expect(error.message).toBe(`${path} could not be written: there is no such file or directory. Check the path.`)
    })
  )

  it.effect("needs no sync of its directory where the file system has none, and fails where the disk is at fault", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const path = join(directory, "file")
      const write = (code: string, content: string) =>
        Effect.updateService(AtomicFiles.writeFile(path, content), FileSystem.FileSystem, (fs) => ({
          ...fs,
          open: (name, options) => (name === directory ? refusal(code) : fs.open(name, options))
        }))
      yield* write("EINVAL", "new")
      expect(readFileSync(path, "utf8")).toBe("new")
      expect((yield* Effect.flip(write("EIO", "newer"))).message).toContain("the disk reports an error")
    })
  )

  it.effect("that is staged and not published is removed with the scope", () =>
    Effect.gen(function* () {
      const directory = fresh()
      yield* Effect.scoped(
        Effect.map(AtomicFiles.stageFile(join(directory, "file")), ({ path }) => writeFileSync(path, "half"))
      )
      expect(readdirSync(directory)).toEqual([])
    })
  )
})

layer(NodeContext.layer)("a directory", (it) => {
  it.effect("is created with its parents, and replaces another one with all that is in it", () =>
    Effect.gen(function* () {
      const parent = join(fresh(), "x", "y")
      const path = join(parent, "z")
      yield* AtomicFiles.writeDirectory(path, writeBoth("1"))
      writeFileSync(join(path, "c"), "")
      yield* AtomicFiles.writeDirectory(path, writeBoth("2"))
      expect(readdirSync(path)).toEqual(["a", "b"])
      expect(contents(path)).toBe("22")
      expect(readdirSync(parent)).toEqual(["z"])
    })
  )

  it.effect("is found whole, the old or the new one, whenever the writer is killed", () =>
    Effect.gen(function* () {
      const places = new Set<string>()
      const calls = yield* atEachCall({
        prepare: () => {
          const path = join(fresh(), "z")
          mkdirSync(path)
          for (const name of ["a", "b"]) writeFileSync(join(path, name), "1")
          return path
        },
        run: (path) => AtomicFiles.writeDirectory(path, writeBoth("2")),
        check: (path, _, completed) =>
          Effect.gen(function* () {
            const found = Option.getOrThrow(yield* AtomicFiles.current(path))
            expect(completed ? ["22"] : ["11", "22"]).toContain(contents(found))
            places.add(found === path ? "in place" : "moved aside")
            // And the next writer is not disturbed by what was left.
            yield* AtomicFiles.writeDirectory(path, writeBoth("3"))
            expect(contents(path)).toBe("33")
          })
      })
      expect(places).toEqual(new Set(["in place", "moved aside"]))
      expect(calls).toBeGreaterThanOrEqual(15)
    })
  )

  it.effect("stays where it is good, if the writer says so", () =>
    Effect.gen(function* () {
      const path = join(fresh(), "z")
      yield* AtomicFiles.writeDirectory(path, writeBoth("1"))
      for (const [good, expected] of [
        [true, "11"],
        [false, "22"]
      ] as const) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const staged = yield* AtomicFiles.stageDirectory(path)
            yield* writeBoth("2")(staged.path)
            yield* staged.publish({ keep: Effect.succeed(good) })
          })
        )
        expect(contents(path)).toBe(expected)
        expect(readdirSync(join(path, ".."))).toEqual(["z"])
      }
    })
  )

  it.effect("is whole after many writers at once", () =>
    Effect.gen(function* () {
      const path = join(fresh(), "z")
      yield* Effect.forEach(
        Array.from({ length: 16 }, (_, i) => i % 10),
        (digit) => AtomicFiles.writeDirectory(path, writeBoth(String(digit))),
        { concurrency: "unbounded" }
      )
      expect(contents(path)).toMatch(/^(\d)\1$/)
      expect(readdirSync(join(path, ".."))).toEqual(["z"])
    })
  )

  it.effect("leaves nothing when what fills it fails or is interrupted", () =>
    Effect.gen(function* () {
      const parent = fresh()
      const path = join(parent, "z")
      const fill = (end: Effect.Effect<never, "no">) => (directory: string) =>
        Effect.zipRight(
          Effect.sync(() => writeFileSync(join(directory, "a"), "")),
          end
        )
      expect(yield* Effect.flip(AtomicFiles.writeDirectory(path, fill(Effect.fail("no"))))).toBe("no")
      const fiber = yield* Effect.fork(AtomicFiles.writeDirectory(path, fill(Effect.never)))
      yield* Effect.promise(() => expect.poll(() => readdirSync(parent)).toHaveLength(1))
      yield* Fiber.interrupt(fiber)
      expect(readdirSync(parent)).toEqual([])
    })
  )

  it.effect("that does not exist is none", () =>
    Effect.gen(function* () {
      expect(yield* AtomicFiles.current(join(fresh(), "z"))).toEqual(Option.none())
      expect(yield* AtomicFiles.current(join(fresh(), "no", "z"))).toEqual(Option.none())
    })
  )
})

layer(NodeContext.layer, { excludeTestServices: true })("what killed writers left", (it) => {
  const aged = (path: string, minutes: number) => {
    const time = Date.now() / 1000 - 60 * minutes
    utimesSync(path, time, time)
  }

  it.effect("is removed when nothing was written there for an hour", () =>
    Effect.gen(function* () {
      const directory = fresh()
      const make = (name: string, minutes: number, fileMinutes = minutes) => {
        mkdirSync(join(directory, name))
        writeFileSync(join(directory, name, "file"), "")
        aged(join(directory, name, "file"), fileMinutes)
        aged(join(directory, name), minutes)
      }
      make(leftover("dead", "new"), 61)
      make(leftover("alive", "new"), 59)
      // Its file is still growing.
      make(leftover("growing", "new"), 600, 1)
      make(".foreign.tmp", 600)
      writeFileSync(join(directory, leftover("file", "new")), "")
      aged(join(directory, leftover("file", "new")), 61)
      yield* AtomicFiles.writeFile(join(directory, "any"), "")
      expect(readdirSync(directory).sort()).toEqual(
        [leftover("alive", "new"), leftover("growing", "new"), ".foreign.tmp", "any"].sort()
      )
    })
  )

  it.effect("is restored when it was moved aside and not replaced, and removed when it was", () =>
    Effect.gen(function* () {
      const directory = fresh()
      for (const name of [leftover("lost", "old"), leftover("there", "old"), "there"]) {
        mkdirSync(join(directory, name))
        aged(join(directory, name), 61)
      }
      yield* AtomicFiles.writeFile(join(directory, "any"), "")
      expect(readdirSync(directory).sort()).toEqual(["any", "lost", "there"])
      expect(existsSync(join(directory, leftover("lost", "old")))).toBe(false)
    })
  )
})
