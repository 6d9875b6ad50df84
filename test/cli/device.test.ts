/**
 * Where a command computes: option, then CODEX_DEVICE and CODEX_THREADS, then the config, for every command that computes.
 *
 * Oracle: the device that stderr names, and the errors of devices that do not exist.
 */
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { node } from "./children.ts"
import { make, tiny } from "./workspace.ts"

const workspace = make()
const { directory, runs } = workspace
afterAll(() => workspace.remove())

const codex = (env: Record<string, string>, ...words: ReadonlyArray<string>) =>
  node([join(root, "dist/bin.js"), ...words], env, directory).finished

const settings = [...tiny.filter((word) => !word.startsWith("backend.")), "backend.device=cpu"]

let run = ""
beforeAll(async () => {
  const trained = await codex({}, "train", ...settings, "backend.threads=1")
  expect(trained, trained.stderr).toMatchObject({ code: 0 })
  run = runs()[0] ?? ""
})

const generate = (...words: ReadonlyArray<string>) => ["generate", "--run", run, "--max-new-tokens", "2", ...words]
const evaluate = (...words: ReadonlyArray<string>) => ["evaluate", "--run", run, ...words]

describe("CODEX_DEVICE", () => {
  it("is refused by every command that computes, where it is not a device", async () => {
    const commands = [evaluate(), generate(), ["train", "--run", run], ["train", ...tiny]]
    for (const words of commands) {
      const { code, stderr } = await codex({ CODEX_DEVICE: "abacus" }, ...words)
      expect(stderr, words.join(" ")).toMatch(/^CODEX_DEVICE: backend\.device: expected "auto" \|.*, got "abacus"\n$/)
      expect(code).toBe(2)
    }
  })

  it("overrides the config, and an option overrides it", async () => {
    const unavailable = { CODEX_DEVICE: "coreml" }
    for (const words of [evaluate(), generate()]) {
      const refused = await codex(unavailable, ...words)
      expect(refused.stderr, words.join(" ")).toMatch(/coreml/i)
      expect(refused.code).toBe(1)
      expect(await codex(unavailable, ...words, "--device", "cpu")).toMatchObject({ code: 0 })
    }
  })
})

describe("CODEX_THREADS", () => {
  it("is refused where it is not a number, by every command that computes", async () => {
    for (const words of [evaluate(), generate(), ["train", "--run", run]]) {
      const { code, stderr } = await codex({ CODEX_THREADS: "many" }, ...words)
      expect(stderr, words.join(" ")).toMatch(/^CODEX_THREADS: backend\.threads: expected .*, got "many"\n$/)
      expect(code).toBe(2)
    }
  })

  it("overrides the config of a training, and the command line overrides it", async () => {
    const words = ["train", ...settings, "+dry_run=true"]
    expect((await codex({ CODEX_THREADS: "3" }, ...words)).stdout).toMatch(/Device .*, 3 threads\n/)
    const both = await codex({ CODEX_THREADS: "3" }, ...words, "backend.threads=1")
    expect(both.stdout).toMatch(/Device .*, 1 thread\n/)
  })
})
