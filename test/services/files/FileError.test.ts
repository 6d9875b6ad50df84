/** Messages of file errors. Oracles: errors that Node itself reports on this machine, and its codes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { readFile, rmdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import { FileError } from "../../../src/services/files/FileError.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-file-error-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("FileError", () => {
  it.effect("translates an error of Node and of the platform into the same words", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = join(folder, "absent")
      const node = yield* Effect.flip(
        Effect.tryPromise({ try: () => readFile(path), catch: FileError.from(path, "read") })
      )
      const platform = yield* Effect.flip(Effect.mapError(fs.readFile(path), FileError.from(path, "read")))
      expect(platform.message).toBe(node.message)
      expect(node.message).toBe(`${path} could not be read: there is no such file or directory. Check the path.`)
      expect(node.code).toBe("ENOENT")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("says what was tried", () =>
    Effect.gen(function* () {
      const path = join(folder, "full")
      mkdirSync(path)
      writeFileSync(join(path, "file"), "")
      const error = yield* Effect.flip(
        Effect.tryPromise({ try: () => rmdir(path), catch: FileError.from(path, "remove", "Empty it first.") })
      )
      expect(error.message).toBe(`${path} could not be removed: the directory is not empty. Empty it first.`)
    })
  )

  it.each([
    ["ENOSPC", "x could not be written: there is no space left on the disk. Free some space."],
    ["EACCES", "x could not be written: permission is denied. Check its permissions and those of its directory."],
    ["EROFS", "x could not be written: the file system is read-only. Choose another path."],
    ["EMFILE", "x could not be written: too many files are open. Raise the limit (`ulimit -n`)."],
    ["ENAMETOOLONG", "x could not be written: the name is too long. Choose a shorter path."],
    ["EISDIR", "x could not be written: it is a directory. Name a file in it."],
    ["EWEIRD", "x could not be written: the system reports EWEIRD. Check the path."]
  ])("knows the code %s", (code, message) => {
    const cause = Object.assign(new Error(`${code}: something`), { code })
    expect(FileError.from("x", "write")(cause).message).toBe(message)
  })

  it("knows the reasons of the platform where the code is lost, and leaves a FileError alone", () => {
    const cause = new PlatformError.SystemError({ reason: "PermissionDenied", module: "FileSystem", method: "open" })
    const error = FileError.from("x", "read")(cause)
    expect(error).toMatchObject({ code: "EACCES", path: "x", operation: "read" })
    expect(FileError.from("y", "write")(error)).toBe(error)
    const other = new PlatformError.BadArgument({ module: "FileSystem", method: "open", description: "no" })
    expect(FileError.from("x", "read")(other).details).toBe("FileSystem.open: no")
    expect(FileError.from("x", "read")("broken.").details).toBe("broken")
  })
})
