/**
 * The Dockerfile, without Docker: it passes a linter, and the files that it copies exist and are not ignored by .dockerignore.
 *
 * Oracle: dockerfile-utils (the linter of the Docker language server), git's list of files.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DockerfileParser } from "dockerfile-ast"
import { validate } from "dockerfile-utils"
import { describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"

const text = readFileSync(join(root, "Dockerfile"), "utf8")
const dockerfile = DockerfileParser.parse(text)
const instructions = (keyword: string) =>
  dockerfile.getInstructions().filter((instruction) => instruction.getKeyword() === keyword)
const words = (keyword: string) =>
  instructions(keyword).map((instruction) => instruction.getArguments().map((argument) => argument.getValue()))

describe("Dockerfile", () => {
  it("passes the linter", () => expect(validate(text).map((problem) => problem.message)).toEqual([]))

  it("copies files that exist, are committed and are not ignored", () => {
    const fromHere = dockerfile.getCOPYs().filter((copy) => copy.getFromFlag() === null)
    const sources = fromHere.flatMap((copy) =>
      copy
        .getArguments()
        .slice(0, -1)
        .map((argument) => argument.getValue())
    )
    expect(sources).toContain("src")
    const allowed = readFileSync(join(root, ".dockerignore"), "utf8").split("\n")
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true)
      expect(execFileSync("git", ["ls-files", source], { cwd: root, encoding: "utf8" }), source).not.toBe("")
      expect(allowed).toContain(`!${source}`)
    }
  })

  it("ends as a user who is not root, running codex", () => {
    expect(words("USER").at(-1)).toEqual(["node"])
    expect(text).toMatch(/^ENTRYPOINT \["codex"\]$/m)
    expect(dockerfile.getFROMs().map((from) => from.getImage())).toEqual([
      "node:20-bookworm-slim",
      "node:20-bookworm-slim"
    ])
  })
})
