/**
 * Part 1: the machine, its cards and drivers, and what the devices of ONNX Runtime can do here.
 *
 * Node has no `navigator.gpu`, and ONNX Runtime's package for Node does not show the adapter that its WebGPU provider chose. What can
 * be found out comes from nvidia-smi, vulkaninfo and /proc where they are there, from the Vulkan loader's log, from the shaders that the
 * provider prints at its most verbose level (their first lines enable the features that the device has), and from trying.
 */
import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { cpus, loadavg, release, totalmem } from "node:os"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Backend } from "../../src/core/Backend.ts"
import { elementTypes, type OnnxGraph } from "../../src/core/tensor/OnnxGraph.ts"
import { broadcastTo } from "../../src/core/tensor/ops/broadcast.ts"
import { neg } from "../../src/core/tensor/ops/elementwise.ts"
import { max } from "../../src/core/tensor/ops/reduce.ts"
import * as Program from "../../src/core/tensor/Program.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { devices, elsewhere } from "../../src/services/backend/onnx/OnnxDevice.ts"
import { encode } from "../../src/services/backend/onnx/OnnxModel.ts"
import { version } from "../../src/services/backend/onnx/OnnxRuntime.ts"
import { type Job, messageOf, type Options, type Report, type Row } from "./Job.ts"

/** What a program prints, or why there is nothing. */
const output = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.async<Either.Either<string, string>>((resume) => {
    execFile(command, args, { timeout: 20_000 }, (error, stdout) => {
      const missing = error !== null && "code" in error && error.code === "ENOENT"
      const why = missing ? "not installed" : `failed: ${messageOf(error)}`
      resume(Effect.succeed(error === null ? Either.right(stdout) : Either.left(`${command} is ${why}`)))
    })
  })

const cardFields = [
  "name",
  "driver_version",
  "vbios_version",
  "memory.total",
  "memory.used",
  "compute_cap",
  "clocks.max.sm",
  "clocks.max.mem",
  "power.limit",
  "pcie.link.gen.current",
  "pcie.link.width.current"
]

/** The lines of `vulkaninfo --summary` that name a card or a driver. */
const vulkanLine =
  /^\s*(deviceName|deviceType|driverName|driverInfo|driverVersion|apiVersion|vendorID|deviceID)\s*=\s*(.*)$/

const machine = (_: Options, report: Report) =>
  Effect.gen(function* () {
    const say = (what: string, value: string | number) => report("machine", { what, value })
    yield* say("processor", `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} threads`)
    yield* say(
      "load",
      loadavg()
        .map((each) => each.toFixed(1))
        .join(" ")
    )
    yield* say("memory, GiB", Math.round(totalmem() / 2 ** 30))
    yield* say("system", `${process.platform} ${release()} ${process.arch}`)
    yield* say("node", process.version)
    yield* say("onnxruntime", version)
    const cards = yield* output("nvidia-smi", `--query-gpu=${cardFields.join(",")}`, "--format=csv,noheader")
    if (Either.isLeft(cards)) yield* say("nvidia-smi", cards.left)
    else {
      for (const [i, line] of cards.right.trim().split("\n").entries()) {
        for (const [field, value] of Arr.zip(cardFields, line.split(", "))) yield* say(`card ${i}: ${field}`, value)
      }
    }
    const proc = "/proc/driver/nvidia/version"
    yield* say(proc, existsSync(proc) ? readFileSync(proc, "utf8").split("\n")[0]! : "not there")
    yield* say("/dev/dri", existsSync("/dev/dri") ? "there" : "not there")
    const vulkan = yield* output("vulkaninfo", "--summary")
    if (Either.isLeft(vulkan)) yield* say("vulkaninfo", vulkan.left)
    else {
      for (const line of vulkan.right.split("\n")) {
        const [, name, value] = vulkanLine.exec(line) ?? []
        if (name !== undefined && value !== undefined) yield* say(`vulkaninfo: ${name}`, value)
      }
    }
  })

/** The devices of this platform, and the one that was asked for. */
const candidates = ({ device }: Options): ReadonlyArray<Options["device"]> =>
  devices.filter((name) => name === device || elsewhere(name) === undefined)

const starts = (device: Options["device"]) => (_: Options, report: Report) =>
  Effect.gen(function* () {
    const info = yield* Effect.either(Effect.scoped(Effect.map(OnnxBackend.make({ device }), ({ info }) => info)))
    yield* report(
      "devices",
      Either.isRight(info)
        ? { device, starts: true, what: info.right.description }
        : { device, starts: false, what: messageOf(info.left) }
    )
  })

/** The largest tensors that one operator writes and another one reads, until one does not fit. */
const tensors = (options: Options, report: Report) =>
  Effect.gen(function* () {
    for (const mib of options.tiny ? [16, 64] : [128, 512, 1024, 2048, 4096, 8192]) {
      const shape = [mib * 64, 4096]
      const fits = yield* Effect.gen(function* () {
        const program = yield* Program.make({
          name: "large",
          state: {},
          inputs: { x: { dtype: "float32", shape: [] } },
          build: (_, { x }) => ({ outputs: { y: max(max(neg(broadcastTo(x!, shape)), { axes: [1] })) } })
        })
        const executable = yield* (yield* Backend).compile({ program })
        const x = { dtype: "float32", shape: [], data: Float32Array.of(-3) } as const
        return (yield* executable.run("program", { x })).y!.data[0] === 3
      }).pipe(Effect.scoped, Effect.provide(OnnxBackend.layer({ device: options.device })), Effect.either)
      const works = Either.isRight(fits) && fits.right
      const why = Either.isLeft(fits) ? messageOf(fits.left) : works ? "" : "wrong numbers"
      yield* report("tensors", { mib, works, why })
      if (!works) return
    }
  })

/** −x, in the type of its nodes. */
const negated = (name: string, nodes: OnnxGraph["nodes"]): OnnxGraph => {
  const type = { dtype: "float32", shape: [4] } as const
  return { name, inputs: [{ name: "x", type }], outputs: [{ name: "y", type }], initializers: [], nodes }
}

const node = (opType: string, from: string, to: string, attributes: OnnxGraph["nodes"][number]["attributes"] = {}) => ({
  opType,
  domain: "",
  inputs: [from],
  outputs: [to],
  attributes
})

const inFloat32 = negated("float32", [node("Neg", "x", "y")])
const inFloat16 = negated("float16", [
  node("Cast", "x", "h", { to: elementTypes.float16 }),
  node("Neg", "h", "n"),
  node("Cast", "n", "y", { to: elementTypes.float32 })
])

/** Runs two small models with ONNX Runtime's own log on, which goes to stderr: `readLog` gets it. */
const verbose = (options: Options, report: Report) =>
  Effect.forEach([inFloat32, inFloat16], (graph) =>
    Effect.gen(function* () {
      const model = yield* encode(graph)
      const negated = yield* Effect.either(
        Effect.tryPromise(async () => {
          const { env, InferenceSession, Tensor } = await import("onnxruntime-node")
          env.logLevel = "verbose"
          const executionProviders = options.device === "cpu" ? ["cpu"] : [options.device, "cpu"]
          const session = await InferenceSession.create(model, { executionProviders, logSeverityLevel: 0 })
          const { y } = await session.run({ x: new Tensor("float32", Float32Array.of(1, 2, 3, 0.1), [4]) })
          const numbers = Array.from(y!.data, Number)
          await session.release()
          return numbers
        })
      )
      const value = Either.isRight(negated) ? negated.right.join(" ") : messageOf(negated.left.cause)
      yield* report("provider", { what: `${graph.name}: −1, −2, −3, −0.1`, value: value.slice(0, 200) })
    })
  )

/** Facts in the log of the Vulkan loader and of ONNX Runtime. */
const facts: ReadonlyArray<{ readonly what: string; readonly pattern: RegExp }> = [
  { what: "Vulkan loader", pattern: /Vulkan Loader Version ([\d.]+)/ },
  { what: "Vulkan device", pattern: /\]\s+(?:INFO \| DRIVER:|DRIVER:)\s+\[\d+\] (.+)/ },
  { what: "Vulkan device in use", pattern: /Using "(.+?)" with driver/ },
  { what: "Vulkan driver", pattern: /Using ".+" with driver: "(.+)"/ },
  { what: "WebGPU option", pattern: /WebGPU EP (?!Context|WGPU|Dawn)(.+?: .*)/ },
  { what: "nodes", pattern: /((?:All nodes|Node\(s\)) placed on .*)/ },
  { what: "ONNX Runtime warns", pattern: /\[W:onnxruntime:.*?\] (.*)/ },
  { what: "ONNX Runtime fails", pattern: /\[E:onnxruntime:.*?\] (.*)/ }
]

/** Reads those facts, and the features that the shaders enable. */
export const readLog = (log: string): ReadonlyArray<{ readonly table: string; readonly row: Row }> => {
  const lines = log.split("\n")
  const found = facts.flatMap(({ pattern, what }) =>
    Arr.dedupe(
      lines.flatMap((line) => {
        const value = pattern.exec(line)?.[1]?.trim()
        return value === undefined ? [] : [value.slice(0, 160)]
      })
    ).map((value) => ({ what, value }))
  )
  if (!log.includes("WebGPU Shader code")) return found.map((row) => ({ table: "provider", row }))
  const enables = (feature: string) => (lines.some((line) => line.startsWith(`enable ${feature};`)) ? "yes" : "no")
  const features = [
    { what: "feature shader-f16", value: enables("f16") },
    { what: "feature subgroups", value: enables("subgroups") },
    { what: "other features, and the adapter's limits", value: "not known: ONNX Runtime does not show them in Node" }
  ]
  return [...found, ...features].map((row) => ({ table: "provider", row }))
}

/** Each in its own child, because a device that fails may take its process with it. */
export const jobs = (options: Options): ReadonlyArray<Job> => [
  { name: "machine", weight: 2, run: machine },
  ...candidates(options).map((device): Job => ({ name: `start of ${device}`, weight: 2, run: starts(device) })),
  ...(options.device === "wasm"
    ? []
    : [{ name: "log of the provider", weight: 3, run: verbose, read: readLog } satisfies Job]),
  { name: "large tensors", weight: 3, run: tensors }
]
