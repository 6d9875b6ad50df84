/**
 * `npm run bench:gpu` in real child processes: that one part's failure is reported and does not stop the others, what is wrong with
 * its options, and its reading of ONNX Runtime's profile and logs. The whole bench, on the processor and on a software Vulkan, is run
 * in test:full only.
 *
 * Oracles: documents by schema, and profiles and logs written by hand in the form in which ONNX Runtime 1.30 writes them.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Children from "../../bench/gpu/Children.ts"
import { readLog } from "../../bench/gpu/Device.ts"
import { type Options, Row } from "../../bench/gpu/Job.ts"
import { jobNamed } from "../../bench/gpu/Parts.ts"
import * as Profile from "../../bench/gpu/Profile.ts"
import { node, startProgram } from "../cli/children.ts"
import { full } from "../full.ts"
import * as Swiftshader from "../services/backend/onnx/swiftshader.ts"

const Document = Schema.Struct({
  bench: Schema.Literal("gpu"),
  device: Schema.String,
  passed: Schema.Boolean,
  parts: Schema.Array(
    Schema.Struct({
      part: Schema.Number,
      name: Schema.String,
      status: Schema.Literal("done", "failed"),
      failures: Schema.Array(Schema.Struct({ job: Schema.String, failure: Schema.String })),
      tables: Schema.Record({ key: Schema.String, value: Schema.Array(Row) })
    })
  )
})

const start = (words: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  node(["--import", "tsx", "bench/gpu.ts", "--tiny", "--minutes", "600", ...words], env)

const documentOf = (stdout: string) =>
  Schema.decodeUnknownSync(Schema.parseJson(Document))(stdout.trim().split("\n").at(-1))

describe("bench/gpu.ts", () => {
  it("a part that fails is reported and the others run; the last line is JSON; the exit status is 1", async () => {
    const { code, stdout } = await start(["--parts", "4,6", "--device", "dml", "--python", "/nowhere/python"]).finished
    const { parts, passed } = documentOf(stdout)
    expect(parts.map(({ name, part, status }) => [part, name, status])).toEqual([
      [4, "PyTorch", "done"],
      [6, "memory", process.platform === "win32" ? "done" : "failed"]
    ])
    const [pytorch, memory] = parts
    expect(pytorch!.tables["no PyTorch"]!.map(({ why }) => why)).toContain(
      "no Python with torch for cuda: /nowhere/python does not start"
    )
    if (process.platform === "win32") return
    expect(memory!.failures[0]!.failure).toMatch(/^Device "dml" cannot start: .+DirectML exists on Windows only/)
    expect([passed, code]).toEqual([false, 1])
  })

  it("says in one sentence what is wrong with an option", async () => {
    const { code, stderr, stdout } = await start(["--device", "gpu"]).finished
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toBe(
      'Unknown device "gpu". Known: cpu, wasm, webgpu, cuda, coreml, dml. See npm run bench:gpu -- --help.\n'
    )
  })

  const options: Options = { device: "cpu", tiny: true, variants: ["base"], python: "python3" }

  it.live("a job that exceeds its time is stopped and reported", () =>
    Effect.gen(function* () {
      const outcome = yield* Children.run(jobNamed(options, "memory and shutdown"), options, 0.05)
      expect(outcome.failures).toEqual(["It was stopped: its limit was 0 s. What it had measured until then is kept."])
    })
  )

  it("tells a crash in a job from one in its shutdown", () => {
    const done = { _tag: "Done" } as const
    expect(Children.faultOf([done], 0, null, "")).toBeUndefined()
    expect(Children.faultOf([], 0, null, "")).toBe("It ended before its work was done.")
    expect(Children.faultOf([done], null, "SIGSEGV", "")).toBe(
      "It ended with signal SIGSEGV while it was shutting down."
    )
    expect(Children.faultOf([], 134, null, "x\nFatal error: no device\ny")).toBe(
      "It ended with exit status 134 before its work was done. It printed: Fatal error: no device"
    )
  })

  it.effect("reads a profile: time by operator, and what crosses the host", () =>
    Effect.gen(function* () {
      const node = (name: string, provider: string, ts: number, dur: number, bytes = 4) => ({
        cat: "Node",
        name: `${name}_kernel_time`,
        ts,
        dur,
        args: {
          op_name: name.replace(/_\d$/, ""),
          provider: `${provider}ExecutionProvider`,
          output_size: String(bytes)
        }
      })
      const run = (ts: number) => ({ cat: "Session", name: "model_run", ts, dur: 90, args: {} })
      const kernel = (dur: number) => ({ cat: "Api", name: "&MatMul&MatMul", ts: 0, dur, args: {} })
      // The first run compiles kernels, so its nodes do not count.
      const text = JSON.stringify([
        { cat: "Session", name: "session_initialization", ts: 1, dur: 5, args: {} },
        run(100),
        node("MatMul_0", "WebGpu", 101, 9000),
        run(200),
        node("MatMul_0", "WebGpu", 201, 30),
        node("OneHot_1", "CPU", 231, 50, 64),
        node("Memcpy_2", "WebGpu", 281, 20, 64),
        kernel(1000),
        kernel(3000)
      ])
      const { crossings, operators, total } = Profile.summarize(yield* Profile.decode(text), 1)
      expect(operators).toEqual([
        { clock: "device", operator: "MatMul MatMul", per_step: 1, millis: 2, share: 1 },
        { clock: "host", operator: "OneHot on CPU", per_step: 1, millis: 0.05, share: 0.5 },
        { clock: "host", operator: "MatMul on WebGpu", per_step: 1, millis: 0.03, share: 0.3 },
        { clock: "host", operator: "Memcpy on WebGpu", per_step: 1, millis: 0.02, share: 0.2 }
      ])
      expect(crossings.map(({ bytes, node }) => [node, bytes])).toEqual([
        ["OneHot_1", 64],
        ["Memcpy_2", 64]
      ])
      expect(total).toMatchObject({
        nodes_per_step: 3,
        kernels_per_step: 1,
        nodes_on_cpu: 1,
        copies: 1,
        copied_bytes: 64
      })
    })
  )

  it("reads the card, the driver and the features from the logs of Vulkan and ONNX Runtime", () => {
    const log = [
      "[Vulkan Loader] INFO:           Vulkan Loader Version 1.4.352",
      '[Vulkan Loader] DRIVER:                Using "Some Card" with driver: "/usr/lib/libsome.so"',
      "2026-11-27 21:38:09.9 [V:onnxruntime:onnxruntime-node, x.cc:281 F] WebGPU EP max pending dispatches: 16",
      '=== WebGPU Shader code [Neg, Key="Neg"] Start ===',
      "enable f16;",
      "2026-11-27 21:38:10.0 [V:onnxruntime:, s.cc:1380 V]  All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 1"
    ].join("\n")
    expect(Object.fromEntries(readLog(log).map(({ row: { value, what } }) => [what, value]))).toEqual({
      "Vulkan loader": "1.4.352",
      "Vulkan device in use": "Some Card",
      "Vulkan driver": "/usr/lib/libsome.so",
      "WebGPU option": "max pending dispatches: 16",
      nodes: "All nodes placed on [WebGpuExecutionProvider]. Number of nodes: 1",
      "feature shader-f16": "yes",
      "feature subgroups": "no",
      "other features, and the adapter's limits": "not known: ONNX Runtime does not show them in Node"
    })
  })
})

const six = ["device", "correctness", "speed", "PyTorch", "generation", "memory"]

// Minutes of processor time.
describe.skipIf(!full)("bench/gpu.ts, all of it", () => {
  /** Every part done, with the correctness rows and a step of both sizes. */
  const expectAll = (code: number | null, stdout: string, device: string) => {
    const document = documentOf(stdout)
    expect(document.parts.map(({ name, status }) => `${name} ${status}`)).toEqual(six.map((name) => `${name} done`))
    expect([code, document.passed, document.device]).toEqual([0, true, device])
    const [, correctness, speed] = document.parts
    expect(correctness!.tables.training).toHaveLength(16)
    for (const row of Object.values(correctness!.tables).flat()) expect(row).toMatchObject({ passed: true })
    expect(speed!.tables.training!.map(({ batch, size }) => [size, batch])).toHaveLength(4)
    return document
  }

  it("runs on the processor", async () => {
    const { code, stdout } = await start(["--device", "cpu", "--python", "/nowhere/python"]).finished
    expectAll(code, stdout, "cpu")
  })

  it("runs on a software Vulkan, where only inputs and scalars cross the host", async (context) => {
    if (!Swiftshader.isInstalled) return context.skip(Swiftshader.absence)
    const folder = mkdtempSync(join(tmpdir(), "codex-webgpu-"))
    try {
      const environment = Object.entries(Swiftshader.environment(folder)).filter(
        (entry): entry is [string, string] => entry[1] !== undefined
      )
      const { code, stdout } = await start(["--python", "/nowhere/python"], Object.fromEntries(environment)).finished
      const [device, , speed] = expectAll(code, stdout, "webgpu").parts
      expect(device!.tables.devices).toContainEqual(expect.objectContaining({ device: "webgpu", starts: true }))
      // Tokens and targets of 2 × 32; learning rate, step, loss and gradient norm. Without dropout the seed is not read.
      expect(speed!.tables.training![0]).toMatchObject({ batch: 2, host_bytes_per_step: 2 * 2 * 32 * 4 + 4 * 4 })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("runs from the packed archive in an empty environment", async (context) => {
    if (`${process.platform} ${process.arch}` !== "linux x64") return context.skip("packs for Linux x64")
    const folder = mkdtempSync(join(tmpdir(), "codex-pack-"))
    try {
      // Packs, extracts, starts, and refuses 60 MiB.
      const packed = await startProgram("bash", ["scripts/gpu-pack.sh", folder]).finished
      expect(packed.code, packed.stderr).toBe(0)
      const bare = `mkdir codex && tar xJf codex.tar.xz -C codex && cd codex &&
        env -i PATH="$PWD/bin" node --import tsx bench/gpu.ts --tiny --device cpu --minutes 600 --parts 2,5`
      const { code, stderr, stdout } = await startProgram("bash", ["-c", bare], { cwd: folder }).finished
      expect(code, stderr).toBe(0)
      expect(documentOf(stdout).parts.map(({ name, status }) => `${name} ${status}`)).toEqual([
        "correctness done",
        "generation done"
      ])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("SIGINT ends it and its children", async (context) => {
    if (process.platform !== "linux") return context.skip("reads /proc")
    const bench = start(["--device", "cpu", "--parts", "2"])
    /** The parent and the command line of a process, or nothing where it has ended. */
    const read = (id: string | number, file: string) => {
      try {
        return readFileSync(`/proc/${id}/${file}`, "utf8")
      } catch {
        return ""
      }
    }
    const isJob = (id: string) =>
      read(id, "stat").split(") ")[1]?.split(" ")[1] === String(bench.process.pid) &&
      read(id, "cmdline").includes("Child.ts")
    let jobs: ReadonlyArray<string> = []
    while (jobs.length === 0) {
      await setTimeout(50)
      jobs = readdirSync("/proc").filter(isJob)
    }
    bench.process.kill("SIGINT")
    const { code } = await bench.finished
    expect(code).toBe(130)
    expect(jobs.filter((id) => read(id, "cmdline") !== "")).toEqual([])
  })
})
