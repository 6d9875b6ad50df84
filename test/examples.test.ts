/**
 * The example programs run as child processes, on the sources, and do what they say.
 *
 * Oracles: the rhyme that the model must recite, files on disk, and 8 bits per byte for an untrained model.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { type Bundle, bundlePrograms } from "./bundle.ts"
import { node } from "./cli/children.ts"
import { text } from "./cli/workspace.ts"

const directory = realpathSync(mkdtempSync(join(tmpdir(), "codex-examples-")))
const examples = readdirSync(join(root, "examples"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(root, "examples", name))

let bundle: Bundle
beforeAll(async () => {
  bundle = await bundlePrograms(examples)
  writeFileSync(join(directory, "1.txt"), text(1, 60))
  writeFileSync(join(directory, "2.txt"), text(2, 60))
})
afterAll(() => {
  bundle.remove()
  rmSync(directory, { recursive: true, force: true })
})

const example = (name: string, ...words: ReadonlyArray<string>) =>
  node([bundle.pathOf(join(root, "examples", name)), ...words], {}, directory).finished

/** Lines of code without imports, comments and empty lines. */
const programLines = (name: string): number => {
  const code = readFileSync(join(root, "examples", name), "utf8").replace(/^\/\*\*[\s\S]*?\*\/\n/, "")
  return code
    .replace(/^import [\s\S]*? from "[^"]*"$/gm, "")
    .split("\n")
    .filter((line) => line.trim() !== "").length
}

describe("examples", () => {
  it("train-from-scratch.ts learns a rhyme by heart", async () => {
    const { code, stderr, stdout } = await example("train-from-scratch.ts")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    const losses = [...stdout.matchAll(/^step (\d+) {2}loss ([\d.]+)$/gm)].map(([, , loss]) => Number(loss))
    expect(losses).toHaveLength(5)
    // An untrained model needs ln 256 = 5.55 nats per byte.
    expect(losses[0]).toBeGreaterThan(4.5)
    expect(losses.at(-1)).toBeLessThan(0.2)
    const rhyme = "Twinkle, twinkle, little star, how I wonder what you are!\n"
    expect(stdout).toContain(rhyme + rhyme.slice(0, 30))
  })

  it("train-from-typescript.ts trains, evaluates, keeps checkpoints and writes", async () => {
    const { code, stderr, stdout } = await example("train-from-typescript.ts", "*.txt", "60", "run")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    const [, bits = ""] = /^step 60: ([\d.]+) bits per byte on held-out text$/m.exec(stdout) ?? []
    expect(Number(bits)).toBeGreaterThan(0)
    expect(Number(bits)).toBeLessThan(4)
    expect(stdout).toContain("step 60: run/checkpoints/step-00000060\n")
    expect(readdirSync(join(directory, "run/checkpoints"))).toEqual(["step-00000060"])
    expect(existsSync(join(directory, "run/checkpoints/step-00000060/model.safetensors"))).toBe(true)
    const lines = readFileSync(join(directory, "run/metrics.ndjson"), "utf8").trimEnd().split("\n")
    const steps = lines.map((line): { step: number; split: string } => JSON.parse(line))
    expect(steps.filter(({ split }) => split === "train").map(({ step }) => step)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1)
    )
    // 80 bytes that the model chose, as text after the prompt.
    expect(stdout).toMatch(/^The [\s\S]{20,}$/m)
  })

  it("train-on-strings.ts trains on strings and generates, in twelve lines", async () => {
    const { code, stderr, stdout } = await example("train-on-strings.ts")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    // The numbers of a rhyme that it has read forty times are the only thing that it may not know.
    expect(stdout).toMatch(/^7 little birds sang in a tree; one flew away, and \d+ were left\.\n/)
    expect(programLines("train-on-strings.ts")).toBeLessThanOrEqual(12)
  })

  it("evaluate-a-run.ts opens that run and prints a table, in eight lines", async () => {
    const [run = ""] = readdirSync(join(directory, "runs")).filter((name) => name !== "eval")
    const { code, stderr, stdout } = await example("evaluate-a-run.ts", `runs/${run}`, "*.txt")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/│ \(index\) +│ value +│ stderr +│ unit +│\n/)
    expect(stdout).toMatch(/│ perplexity +│ [\d.]+ +│ [\d.]+ +│ '' +│\n/)
    expect(stdout).toMatch(/│ bits_per_byte │ [\d.]+ +│ [\d.]+ +│ 'bits\/byte' │\n/)
    expect(programLines("evaluate-a-run.ts")).toBeLessThanOrEqual(8)
  })

  it("gradient-alarm.ts adds a combinator to training, in fifteen lines", async () => {
    const { code, stderr, stdout } = await example("gradient-alarm.ts", "*.txt")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    // What it reports is longer than the mean before it.
    const reports = [...stdout.matchAll(/mean: ([\d.]+),[\s\S]*?gradientNorm: ([\d.]+),/g)]
    expect(reports.length).toBeGreaterThan(0)
    for (const [, mean, norm] of reports) expect(Number(norm)).toBeGreaterThan(1.2 * Number(mean))
    expect(programLines("gradient-alarm.ts")).toBeLessThanOrEqual(15)
  })

  it("learning-rate-sweep.ts trains three models, two at a time, in fifteen lines", async () => {
    const { code, stderr, stdout } = await example("learning-rate-sweep.ts", "*.txt")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    const rows = [...stdout.matchAll(/│ \d +│ (0\.\d+) +│ ([\d.]+) +│ [\d.]+ +│ '(runs\/\S+)' │/g)]
    expect(rows.map(([, lr]) => Number(lr)).sort()).toEqual([0.001, 0.003, 0.01])
    const bits = rows.map(([, , value]) => Number(value))
    expect(bits).toEqual([...bits].sort((a, b) => a - b))
    for (const [, , , run = ""] of rows) expect(existsSync(join(directory, run, "config.yaml"))).toBe(true)
    expect(programLines("learning-rate-sweep.ts")).toBeLessThanOrEqual(15)
  })

  it("train-a-tokenizer.ts trains, splits a sentence and makes a batch", async () => {
    const { code, stderr, stdout } = await example("train-a-tokenizer.ts", "*.txt", "300", "tokenizer")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    expect(stdout).toContain("300 tokens in tokenizer\n")
    expect(stdout).toContain("and back: Naïve, isn't it? 👍🏽\n")
    expect(stdout).toContain("shape 2 × 8, mask ")
    const { model } = JSON.parse(readFileSync(join(directory, "tokenizer/tokenizer.json"), "utf8"))
    expect(Object.keys(model.vocab)).toHaveLength(300)
  })

  it("encode-a-batch.ts loads a tokenizer.json and encodes texts to typed arrays, in six lines", async () => {
    const { code, stderr, stdout } = await example("encode-a-batch.ts", "tokenizer/tokenizer.json")
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/shape: \[ 2, \d+ \]/)
    expect(stdout).toMatch(/inputIds: Int32Array\(\d+\)/)
    expect(programLines("encode-a-batch.ts")).toBeLessThanOrEqual(6)
  })
})
