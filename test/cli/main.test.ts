/**
 * The command as a shell sees it: help, version, and a wrong line. The children run the bundle.
 *
 * Oracle: the words that the user typed, and the nearest right ones.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { codex, node } from "./children.ts"

const escape = String.fromCharCode(27)

describe("codex", () => {
  it("prints its version, that of package.json", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    expect(await codex("--version")).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" })
  })

  it("shows help without escape sequences in a pipe", async () => {
    const { code, stdout, stderr } = await codex("--help")
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain("plugins list [--kind text] [--json]")
    expect(stdout).not.toContain(escape)
  })

  it("names the whole command in the usage of a command below another", async () => {
    const { code, stdout } = await codex("plugins", "list", "--help")
    expect(code).toBe(0)
    expect(stdout).toContain("$ codex plugins list [--kind text] [--json]\n")
    expect(stdout).toContain("Example: codex plugins list --kind tokenizer")
  })

  it.each([
    [["plugin"], 'Unknown command "plugin". Did you mean plugins?', "codex"],
    [["plugins", "lst"], 'Unknown command "lst". Did you mean list?', "codex plugins"],
    [["plugins", "list", "--josn"], 'Unknown option "--josn". Did you mean --json?', "codex plugins list"],
    [["plugins", "list", "--kind"], 'Option "--kind" has no value, or is given twice.', "codex plugins list"],
    [["plugins", "list", "more"], 'Unexpected argument "more".', "codex plugins list"],
    [["generate", "--prompt", "x"], 'Option "--run" is missing.', "codex generate"],
    [["evaluate", "--run"], 'Option "--run" has no value.', "codex evaluate"],
    [
      ["tokenizer", "encode", "--tokenizer", "byte", "--format", "jsn"],
      'Option "--format" cannot be "jsn". Did you mean json? Its values: ids, json, tokens, table.',
      "codex tokenizer encode"
    ],
    [
      ["evaluate", "--device=gpu"],
      'Option "--device" cannot be "gpu". Did you mean webgpu? Its values: auto, cpu,',
      "codex evaluate"
    ],
    [["--zzz"], 'Unknown option "--zzz".', "codex"]
  ])("refuses %j with 2, the nearest word and the usage", async (words, problem, command) => {
    const { code, stdout, stderr } = await codex(...words)
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr.split("\n")[0]).toContain(problem)
    expect(stderr).toContain(`\nUsage: ${command} `)
    expect(
      stderr
        .split("\n")
        .slice(1)
        .filter((line) => line.length > 80)
    ).toEqual([])
    expect(stderr.endsWith(`\nMore: ${command} --help\n`)).toBe(true)
  })

  it("starts with less than twice the work of an empty Node plus 250 ms of processor time", async () => {
    // Printed at the end: the processor time of the process, in microseconds.
    const report =
      "process.on('exit', () => { const { user, system } = process.cpuUsage(); console.log(user + system) })"
    const millis = async (words: ReadonlyArray<string>) => {
      const { stdout } = await node(["--import", `data:text/javascript,${encodeURIComponent(report)}`, ...words])
        .finished
      return Number(stdout.trimEnd().split("\n").at(-1)) / 1000
    }
    // Other processes disturb the caches, so the best of three.
    const best = async (words: ReadonlyArray<string>) =>
      Math.min(await millis(words), await millis(words), await millis(words))
    expect(await best(["dist/bin.js", "--help"])).toBeLessThan(2 * (await best(["-e", "0"])) + 250)
  })
})
