/**
 * `codex doctor` for real, as an installed package: on this machine, without optional packages, and with a native build that aborts.
 *
 * Oracles: the devices that OnnxBackend starts here, signals, the schema of the report, the width of a terminal.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import { afterAll, describe, expect, it } from "vitest"
import { root } from "../../scripts/build.mjs"
import { Report } from "../../src/jobs/Doctor.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { full } from "../full.ts"
import { install, type Project } from "../installed.ts"
import * as Swiftshader from "../services/backend/onnx/swiftshader.ts"
import { type Finished, node } from "./children.ts"

const projects: Array<Project> = []
afterAll(() => {
  for (const { directory } of projects) rmSync(directory, { recursive: true, force: true })
})

const project = (...without: ReadonlyArray<string>): Project => {
  const made = install({ without })
  projects.push(made)
  return made
}

const doctor = ({ directory }: Project, env: Record<string, string>, ...words: ReadonlyArray<string>) =>
  node([join(directory, "node_modules/codex-ml/dist/bin.js"), "doctor", ...words], env, directory).finished

const read = ({ stdout }: Finished) => Schema.decodeUnknownSync(Schema.parseJson(Report))(stdout.split("\n").at(-2))

const finding = <A extends { readonly name: string }>(findings: ReadonlyArray<A>, name: string) =>
  findings.find((each) => each.name === name)

describe("codex doctor", () => {
  const here = project()

  it("says in 80 columns what works here, why the rest does not, and what to do, and writes nothing", async () => {
    const { code, stderr, stdout } = await doctor(here, {})
    expect([code, stderr]).toEqual([0, ""])
    const lines = stdout.split("\n")
    expect(lines.filter((line) => line.length > 80)).toEqual([])
    expect(stdout).toMatch(/^ {2}Node +ok +\d/m)
    expect(stdout).toMatch(/^ {2}effect +ok +3\./m)
    expect(stdout).toMatch(/^ {2}better-sqlite3 +ok +12\.[\d.]+, SQLite 3\./m)
    expect(stdout).toMatch(/^ {2}cpu +ok +onnxruntime-node 1\.30\.0, CPUExecutionProvider, \d\s+threads?$/m)
    expect(stdout).toMatch(/^ {2}wasm +ok +onnxruntime-web 1\.30\.0, WebAssembly, \d\s+threads?$/m)
    expect(stdout).toMatch(/^ {2}dml +(?:- +Windows only|ok|failed)/m)
    expect(stdout).toMatch(/^ {2}\.codex\/cache\/tokens +ok +writable, [\d.]+ [kMGT]B free$/m)
    // The command for CUDA is one that a project has.
    const [script] = /node_modules\/\S+gpu-install\.mjs/.exec(stdout) ?? []
    if (/^ {2}cuda +failed +its libraries/m.test(stdout))
      expect(existsSync(join(here.directory, script ?? "-"))).toBe(true)
    // What ONNX Runtime and drivers write themselves.
    expect(stdout).not.toMatch(/Warning:|\.cc:|\.cpp:|\n {4}at /)
    const auto = await Effect.runPromise(
      OnnxBackend.make({ device: "auto" }).pipe(
        Effect.map(({ info }) => info.device),
        Effect.scoped,
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    )
    expect(stdout.endsWith(`A run that names no device uses cpu. With backend.device=auto it uses ${auto}.\n`)).toBe(
      true
    )
    expect(readdirSync(here.directory).sort()).toEqual(["node_modules", "package.json"])
  })

  it("refuses a CODEX_DEVICE that is not a device", async () => {
    const { code, stderr, stdout } = await doctor(here, { CODEX_DEVICE: "gpu" })
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toMatch(/CODEX_DEVICE.*auto, cpu, wasm/)
  })

  it("has the report as JSON where packages are missing: wasm is the default, and SQLite is replaced", async () => {
    const without = project("onnxruntime-node", "better-sqlite3", "@effect/sql-sqlite-node")
    // Folders that cannot be made.
    writeFileSync(join(without.directory, "runs"), "")
    const finished = await doctor(without, {}, "--json")
    expect([finished.code, finished.stderr]).toEqual([0, ""])
    const { chosen, devices, folders, software } = read(finished)
    expect(chosen).toEqual({ default: "wasm", auto: "wasm" })
    const install = "To install it: npm install --ignore-scripts onnxruntime-node@1.30.0"
    const missing = {
      status: "failed",
      details: "onnxruntime-node is not installed.",
      remedy: `${install} (or use device wasm)`
    }
    expect(finding(devices, "cpu")).toEqual({ name: "cpu", ...missing })
    expect(finding(devices, "wasm")?.status).toBe("ok")
    expect(finding(software, "onnxruntime-node")).toEqual({ ...missing, name: "onnxruntime-node", status: "warning" })
    expect(finding(software, "onnxruntime-web")).toEqual({ name: "onnxruntime-web", status: "ok", details: "1.30.0" })
    expect(finding(software, "better-sqlite3")).toEqual({
      name: "better-sqlite3",
      status: "warning",
      details: "SQLite is not available: better-sqlite3 is not installed. Session logs are files of NDJSON.",
      remedy: "To use SQLite, run `npm install better-sqlite3@12 @effect/sql-sqlite-node@0.53`."
    })
    expect(finding(folders, "runs")).toMatchObject({
      status: "failed",
      details: `${join(without.directory, "runs")} is not a directory.`
    })
  })

  // What is examined is a library of Linux, with `ldd`.
  it.skipIf(process.platform !== "linux")(
    "survives a native build that aborts, names libraries that are not found, and fails if that is the default",
    async () => {
      const broken = project("onnxruntime-node")
      const folder = join(broken.directory, "node_modules/onnxruntime-node")
      const binaries = join(folder, `bin/napi-v6/linux/${process.arch}`)
      mkdirSync(binaries, { recursive: true })
      writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "onnxruntime-node", main: "index.js" }))
      // It aborts on the CPU, and says of CUDA what ONNX Runtime says when the provider's libraries are not found.
      writeFileSync(
        join(folder, "index.js"),
        `const create = async (_, { executionProviders: [device] }) => {
  if (device === "cuda") throw new Error("OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library")
  process.kill(process.pid, "SIGABRT")
  await new Promise(() => {})
}
exports.env = { versions: { node: "1.30.0" } }
exports.InferenceSession = { create }
exports.Tensor = class {}
exports.listSupportedBackends = () => [{ name: "cpu" }, { name: "webgpu" }, { name: "cuda" }]
`
      )
      const native = join(root, "node_modules/onnxruntime-node", `bin/napi-v6/linux/${process.arch}`)
      copyFileSync(join(native, "onnxruntime_binding.node"), join(binaries, "libonnxruntime_providers_cuda.so"))
      const finished = await doctor(broken, { CODEX_DEVICE: "cpu" }, "--json")
      const { chosen, devices } = read(finished)
      expect(chosen).toMatchObject({ default: "cpu", variable: "cpu" })
      const aborted = "the process that tried it was ended by SIGABRT."
      expect(finding(devices, "cpu")).toMatchObject({ status: "failed", details: aborted })
      expect(finding(devices, "wasm")).toMatchObject({ status: "ok" })
      if (process.arch === "x64") {
        expect(finding(devices, "cuda")).toMatchObject({
          status: "failed",
          details: "1 library is not found: libonnxruntime.so.1.",
          remedy: "Install CUDA 12, or add the folder that has it to LD_LIBRARY_PATH."
        })
      }
      expect(finished.stderr).toBe(
        `Device "cpu" cannot start: ${aborted} Install onnxruntime-node again for this platform, or use device wasm.\n`
      )
      expect(finished.code).toBe(1)
    }
  )

  it("starts webgpu on a software Vulkan", async (context) => {
    if (!full) return context.skip("only in test:full")
    if (!Swiftshader.isInstalled) return context.skip(Swiftshader.absence)
    const runtimeFolder = mkdtempSync(join(tmpdir(), "codex-doctor-"))
    try {
      const { LD_LIBRARY_PATH = "", VK_DRIVER_FILES = "" } = Swiftshader.environment(runtimeFolder)
      const env = { LD_LIBRARY_PATH, VK_DRIVER_FILES, XDG_RUNTIME_DIR: runtimeFolder }
      const finished = await doctor(here, env, "--json")
      expect([finished.code, finished.stderr]).toEqual([0, ""])
      const { chosen, devices, graphics } = read(finished)
      expect(finding(devices, "webgpu")).toMatchObject({
        status: "ok",
        details: expect.stringMatching(/^onnxruntime-node 1\.30\.0, WebGpuExecutionProvider, \d threads?/)
      })
      expect(chosen.auto).toBe(existsSync("/dev/dri") ? "webgpu" : "cpu")
      expect(finding(graphics, "Vulkan drivers")?.details).toMatch(/^VK_DRIVER_FILES=.*swiftshader/)
    } finally {
      rmSync(runtimeFolder, { recursive: true, force: true })
    }
  })
})
