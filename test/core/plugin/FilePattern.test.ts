/**
 * Which plugin reads which file. Oracle: the rules of FilePattern.ts, on patterns written here. Needs nothing.
 */
import { describe, expect, it } from "vitest"
import * as FilePattern from "../../../src/core/plugin/FilePattern.ts"

const readers = [
  {
    name: "folder",
    reads: FilePattern.fromDeclared([
      { name: "whole.json", priority: 1 },
      { name: "words.json", with: "rules.txt" },
      { name: "*.json", inDirectory: false }
    ])
  },
  { name: "binary", reads: FilePattern.fromDeclared(["*.bin"]) },
  { name: "special", reads: FilePattern.fromDeclared(["special*.bin"]) },
  { name: "none", reads: FilePattern.fromDeclared(undefined) }
]

describe("the reader of a file", () => {
  it("has the most specific pattern", () => {
    const reader = (fileName: string) => FilePattern.readerOf(readers, fileName)
    expect(reader("a.bin")).toEqual({ plugin: "binary", fileName: "a.bin" })
    expect(reader("special-a.bin")).toEqual({ plugin: "special", fileName: "special-a.bin" })
    expect(reader("other.json")).toEqual({ plugin: "folder", fileName: "other.json" })
    expect(reader("a.binary")).toBeUndefined()
    expect(reader("aXbin")).toBeUndefined()
  })

  it("of a companion gets the file that it belongs to", () => {
    expect(FilePattern.readerOf(readers, "rules.txt")).toEqual({ plugin: "folder", fileName: "words.json" })
  })
})

describe("the files of a directory that plugins read", () => {
  it("are those of the highest priority", () => {
    expect(FilePattern.readableIn(readers, ["a.bin", "b.bin", "notes.txt"])).toEqual([
      { plugin: "binary", fileName: "a.bin" },
      { plugin: "binary", fileName: "b.bin" }
    ])
    expect(FilePattern.readableIn(readers, ["a.bin", "whole.json"])).toEqual([
      { plugin: "folder", fileName: "whole.json" }
    ])
  })

  it("need their companion, and a name that is not too general", () => {
    expect(FilePattern.readableIn(readers, ["words.json", "config.json", "rules.md"])).toEqual([])
    expect(FilePattern.readableIn(readers, ["rules.txt", "words.json"])).toEqual([
      { plugin: "folder", fileName: "words.json" }
    ])
  })

  it("are listed for messages", () => {
    expect(FilePattern.describe(readers)).toEqual(["whole.json", "words.json with rules.txt", "*.bin", "special*.bin"])
  })
})
