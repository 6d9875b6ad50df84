/**
 * A set of files written into a directory: what it holds afterwards, where directories can be moved and where they cannot. Needs
 * the file system. A mount point, and a directory whose parent is not writable, are played by a file system that refuses what
 * theirs would.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { checkWritable, writeFiles } from "../../../src/services/files/AtomicFiles.ts"

const folder = realpathSync(mkdtempSync(join(tmpdir(), "codex-write-files-")))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const at = (...names: ReadonlyArray<string>) => join(folder, ...names)
const files = { "tokenizer.json": "new\n", "manifest.json": "{}\n" }

/** Name and content of everything in a folder, so that a leftover shows. */
const inside = (place: string) => Object.fromEntries(readdirSync(place).map((name) => [name, contentOf(place, name)]))
const contentOf = (place: string, name: string) =>
  statSync(join(place, name)).isDirectory() ? "a folder" : readFileSync(join(place, name), "utf8")

/** A folder in a new parent, with an older tokenizer in it. */
const older = (name: string, more: Record<string, string> = {}): string => {
  mkdirSync(at(name, "out"), { recursive: true })
  for (const [file, content] of Object.entries({ "tokenizer.json": "old\n", ...more })) {
    writeFileSync(at(name, "out", file), content)
  }
  return at(name, "out")
}

const refusal = (reason: "Busy" | "PermissionDenied", method: string, path: string) =>
  Effect.fail(new SystemError({ reason, module: "FileSystem", method, pathOrDescriptor: path }))

/** Like a mounted folder: it cannot be renamed, and nothing outside can be renamed into it. */
const mounted = (place: string) =>
  Effect.map(FileSystem.FileSystem, (fs) => ({
    ...fs,
    rename: (from: string, to: string) =>
      from === place || from.startsWith(place) !== to.startsWith(place)
        ? refusal("Busy", "rename", from)
        : fs.rename(from, to)
  }))

/** Like a folder whose parent belongs to another user. */
const ofSomebodyElse = (parent: string) =>
  Effect.map(FileSystem.FileSystem, (fs) => ({
    ...fs,
    makeDirectory: (path: string, options?: FileSystem.MakeDirectoryOptions) =>
      dirname(path) === parent && !existsSync(path)
        ? refusal("PermissionDenied", "makeDirectory", path)
        : fs.makeDirectory(path, options)
  }))

layer(NodeContext.layer)("writeFiles", (it) => {
  it.effect("a new folder, below folders that do not exist, has the files, and nothing is left next to it", () =>
    Effect.gen(function* () {
      yield* writeFiles(at("new", "below", "out"), files)
      expect(inside(at("new", "below", "out"))).toEqual(files)
      expect(readdirSync(at("new", "below"))).toEqual(["out"])
    })
  )

  it.effect("files of others stay", () =>
    Effect.gen(function* () {
      const place = older("others", { "notes.txt": "mine\n" })
      yield* writeFiles(place, files)
      expect(inside(place)).toEqual({ ...files, "notes.txt": "mine\n" })
      expect(readdirSync(at("others"))).toEqual(["out"])
    })
  )

  it.effect("a link to a folder stays one, and the folder has the files", () =>
    Effect.gen(function* () {
      const place = older("linked")
      symlinkSync(place, at("linked", "link"))
      yield* writeFiles(at("linked", "link"), files)
      expect(lstatSync(at("linked", "link")).isSymbolicLink()).toBe(true)
      expect(inside(place)).toEqual(files)
      expect(readdirSync(at("linked")).sort()).toEqual(["link", "out"])
    })
  )

  it.effect("a mounted folder, which cannot be moved, has the files", () =>
    Effect.gen(function* () {
      const place = older("mounted")
      yield* Effect.provideServiceEffect(writeFiles(place, files), FileSystem.FileSystem, mounted(place))
      expect(inside(place)).toEqual(files)
      expect(readdirSync(at("mounted"))).toEqual(["out"])
    })
  )

  it.effect("a folder in one that must not be written has the files", () =>
    Effect.gen(function* () {
      const place = older("foreign")
      yield* Effect.provideServiceEffect(writeFiles(place, files), FileSystem.FileSystem, ofSomebodyElse(at("foreign")))
      expect(inside(place)).toEqual(files)
    })
  )
})

layer(NodeContext.layer)("checkWritable", (it) => {
  it.effect("takes a directory that exists or can be created, and refuses a path through a file", () =>
    Effect.gen(function* () {
      yield* checkWritable(at("not", "yet", "there"))
      yield* checkWritable(folder)
      writeFileSync(at("plain"), "")
      const error = yield* Effect.flip(checkWritable(at("plain", "below")))
      expect(error.message).toBe(
        `${at("plain", "below")} could not be written: ${at("plain")} is not a directory. Choose another directory.`
      )
    })
  )
})
