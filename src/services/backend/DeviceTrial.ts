/**
 * Tries a device in a process of its own: `Effect.either(DeviceTrial.start("webgpu", { threads: 2 }))`.
 *
 * A driver may abort its process, hang, or write to the console. Here an abort and a hang are errors like any other, and what is
 * written is not shown, but searched for a cause that ONNX Runtime's own message does not name. The process starts the device as a
 * run does (OnnxBackend), with a model of one node, and releases it. Its entry is onnx/TrialProcess.ts.
 */
import { type ChildProcess, fork } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BackendError, type DeviceInfo } from "../../core/Backend.ts"
import * as WorkerThread from "../WorkerThread.ts"
import * as GraphicsDriver from "./GraphicsDriver.ts"
import { RuntimeMissing, unavailable } from "./onnx/OnnxDevice.ts"
import type { Device } from "./onnx/OnnxProtocol.ts"

/**
 * The messages of the process: that it is up, then one of the others. `Missing` is a build of ONNX Runtime that cannot be loaded,
 * `Refused` anything else.
 */
export const Message = Schema.Union(
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Started", {
    info: Schema.Struct({ device: Schema.String, threads: Schema.Number, description: Schema.String })
  }),
  Schema.TaggedStruct("Missing", { installed: Schema.Boolean, details: Schema.String }),
  Schema.TaggedStruct("Refused", { details: Schema.String, remedy: Schema.optional(Schema.String) })
)
export type Message = typeof Message.Type

/** How to try a device. */
export interface Options {
  /** Threads that one operator may use. Default: as for a run. */
  readonly threads?: number | undefined
  /** The process, with a channel for messages. Default: onnx/TrialProcess.ts. */
  readonly spawn?: (device: Device, threads: number | undefined) => ChildProcess
}

/**
 * What the device says of itself. Fails with the error that a run on it would have, with a cause and a remedy where one is known.
 *
 * A device that hangs is told from a busy machine: the process may take any time until it is up, and then a minute, or twenty
 * times as long as that took. A start on a processor takes about twice as long as that, on a graphics card some seconds.
 */
export const start = (
  device: Device,
  { spawn = spawnTrial, threads }: Options = {}
): Effect.Effect<DeviceInfo, BackendError> =>
  Effect.acquireUseRelease(
    Effect.try({
      try: () => listen(spawn(device, threads)),
      catch: (cause) => unavailable(device, String(cause), cause)
    }),
    ({ end, ready }) =>
      Effect.gen(function* () {
        const [came] = yield* Effect.timed(Effect.raceFirst(Deferred.await(ready), Deferred.await(end)))
        const limit = Duration.max(Duration.minutes(1), Duration.times(came, 20))
        const ended = yield* Effect.timeoutOption(Deferred.await(end), limit)
        if (Option.isSome(ended)) return yield* judge(device, ended.value)
        return yield* unavailable(device, `it did not answer in ${Math.round(Duration.toSeconds(limit))} s.`)
      }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** How a process ended. */
interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it sent after it was up. */
  readonly message: Message | undefined
  /** What it wrote to stdout and stderr. */
  readonly output: string
}

const judge = (device: Device, { code, message, output, signal }: End): Effect.Effect<DeviceInfo, BackendError> =>
  Effect.gen(function* () {
    const end = signal !== null ? `was ended by ${signal}` : code === null ? "did not start" : `ended with code ${code}`
    if (message === undefined || message._tag === "Ready") {
      return yield* unavailable(device, `the process that tried it ${end}.`)
    }
    if (message._tag === "Missing") {
      const { details, installed } = message
      return yield* new RuntimeMissing({ device, installed, details }).asError
    }
    if (message._tag === "Started") {
      if (code === 0) return message.info
      return yield* unavailable(device, `it started, but then its process ${end}.`)
    }
    const known = yield* GraphicsDriver.explain(device, output)
    const { details, remedy } = known ?? message
    return yield* new BackendError({ reason: "Unavailable", subject: device, details, remedy })
  })

const spawnTrial = (device: Device, threads: number | undefined): ChildProcess => {
  const file = fileURLToPath(WorkerThread.locate("backend/onnx/TrialProcess"))
  // Only someone who works on codex itself runs the TypeScript sources.
  const execArgv = file.endsWith(".ts")
    ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href]
    : []
  return fork(file, [device, ...(threads === undefined ? [] : [String(threads)])], {
    execArgv,
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
}

/** Collects what a process says, from its start. */
const listen = (child: ChildProcess) => {
  const ready = Deferred.unsafeMake<void>(FiberId.none)
  const end = Deferred.unsafeMake<End>(FiberId.none)
  let output = ""
  let message: Message | undefined
  const collect = (data: Buffer) => {
    output += data.toString()
  }
  child.stdout?.on("data", collect)
  child.stderr?.on("data", collect)
  child.on("message", (sent) => {
    message = Option.getOrUndefined(Schema.decodeUnknownOption(Message)(sent))
    Deferred.unsafeDone(ready, Exit.void)
  })
  const ended = (code: number | null, signal: NodeJS.Signals | null) =>
    Deferred.unsafeDone(end, Exit.succeed({ code, signal, message, output }))
  child.once("error", () => ended(null, null))
  child.once("close", ended)
  return { child, ready, end }
}
