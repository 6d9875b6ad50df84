/**
 * The command where onnxruntime-node is not installed, or cannot be loaded: the device `wasm`, with one line that says so.
 *
 * A copy of the bundled command in a folder whose node_modules has links to all packages but that one. Oracles: exit codes,
 * stderr, and the device that a checkpoint's manifest names.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { node, startProgram } from "./children.ts"
import { make, tiny } from "./workspace.ts"

const workspace = make()
const home = realpathSync(mkdtempSync(join(tmpdir(), "codex-portable-")))
const modules = join(home, "node_modules")
afterAll(() => {
  workspace.remove()
  rmSync(home, { recursive: true, force: true })
})

beforeAll(() => {
  mkdirSync(modules)
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "onnxruntime-node") symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  for (const name of [
    "dist/bin.js",
    "dist/OnnxWorker.js",
    "dist/EncodeWorker.js",
    "dist/chunks",
    "configs",
    "package.json"
  ]) {
    cpSync(join(root, name), join(home, name), { recursive: true })
  }
})

const codex = (env: Record<string, string>, ...words: ReadonlyArray<string>) =>
  node([join(home, "dist/bin.js"), ...words], env, workspace.directory).finished

/** With stdout and stderr in one stream, as on a terminal. */
const together = (env: Record<string, string>, ...words: ReadonlyArray<string>) =>
  startProgram("sh", ["-c", 'exec "$0" "$@" 2>&1', process.execPath, join(home, "dist/bin.js"), ...words], {
    cwd: workspace.directory,
    env
  }).finished

const settings = [...tiny, "training.max_steps=2", "training.eval_steps=2", "training.save_steps=2"]
const install = "npm install --ignore-scripts onnxruntime-node@1.30.0"

describe("without onnxruntime-node", () => {
  it("trains on wasm and says so in one line, with the command that installs the native build", async () => {
    const { code, stderr } = await codex({}, "train", ...settings)
    expect(code, stderr).toBe(0)
    expect(stderr.split("\n").filter((line) => /wasm|onnxruntime-node/.test(line))).toEqual([
      expect.stringContaining(
        "Running on device wasm, which is several times slower: onnxruntime-node is not installed. To install it: " +
          install
      )
    ])
    expect(stderr).toContain("Device: onnxruntime-web")
    const manifest = join(workspace.directory, workspace.runs()[0]!, "checkpoints/step-00000002/manifest.json")
    expect(JSON.parse(readFileSync(manifest, "utf8")).provenance).toMatchObject({
      backend: "wasm",
      device: "onnxruntime-web 1.30.0, WebAssembly, 1 thread"
    })
  })

  // Both streams as one text need a shell.
  it.skipIf(process.platform === "win32")("warns before the prompt, which begins a line of its own", async () => {
    const [run = ""] = workspace.runs()
    const words = ["generate", "--run", run, "--prompt", "the whale", "--max-new-tokens", "2", "--temperature", "0"]
    // A folder that cannot be made gives a warning after the text.
    writeFileSync(join(workspace.directory, "artifacts"), "")
    const { code, stdout } = await together({}, ...words)
    expect(code, stdout).toBe(0)
    expect(stdout).toMatch(
      /^warning: Running on device wasm[^\n]*\nthe whale.*\nwarning: The generated text was not saved\. [^\n]*\n2 tokens in /s
    )
  })

  it("refuses a cpu that is named, with both ways on", async () => {
    const [run = ""] = workspace.runs()
    const { code, stderr } = await codex({ CODEX_DEVICE: "cpu" }, "generate", "--run", run)
    expect(stderr).toBe(
      `Device "cpu" cannot start: onnxruntime-node is not installed. To install it: ${install} (or use device wasm)\n`
    )
    expect(code).toBe(1)
  })
})

describe("an onnxruntime-node that cannot be loaded", () => {
  // Both streams as one text need a shell.
  it.skipIf(process.platform === "win32")(
    "is the same, with the reason and the platforms that it has builds for",
    async () => {
      const folder = join(modules, "onnxruntime-node")
      mkdirSync(folder)
      writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "onnxruntime-node", main: "index.js" }))
      writeFileSync(
        join(folder, "index.js"),
        `throw new Error("libc.musl-x86_64.so.1: cannot open shared object file")`
      )
      const [run = ""] = workspace.runs()
      const { code, stdout } = await together({ CODEX_DEVICE: "auto" }, "evaluate", "--run", run)
      expect(code, stdout).toBe(0)
      expect(stdout).toContain(
        `onnxruntime-node cannot be loaded on ${process.platform}-${process.arch} (libc.musl-x86_64.so.1: cannot open shared object file). ` +
          "It has builds for Linux with glibc (x64, arm64), macOS (arm64) and Windows (x64, arm64)"
      )
      expect(stdout.match(/device wasm/g)).toHaveLength(1)
      // The line of progress ends before the report.
      expect(stdout).toMatch(/ windows\nmetric +value/)
    }
  )
})
