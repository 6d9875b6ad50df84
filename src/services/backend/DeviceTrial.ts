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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BackendError, type DeviceInfo } from "../../core/Backend.ts"
import * as WorkerThread from "../WorkerThread.ts"
import * as GraphicsDriver from "./GraphicsDriver.ts"
import { RuntimeMissing, unavailable } from "./onnx/OnnxDevice.ts"
import type { Device } from "./onnx/OnnxProtocol.ts"

/** The answer of the process. `Missing` is a build of ONNX Runtime that cannot be loaded, `Refused` anything else. */
export const Reply = Schema.Union(
  Schema.TaggedStruct("Started", {
    info: Schema.Struct({ device: Schema.String, threads: Schema.Number, description: Schema.String })
  }),
  Schema.TaggedStruct("Missing", { installed: Schema.Boolean, details: Schema.String }),
  Schema.TaggedStruct("Refused", { details: Schema.String, remedy: Schema.optional(Schema.String) })
)
export type Reply = typeof Reply.Type

/** How to try a device. */
export interface Options {
  /** Threads that one operator may use. */
  readonly threads: number
  /** How long the process may take. The default is long enough for a busy machine: what takes longer hangs. Default: 60 seconds. */
  readonly limit?: Duration.DurationInput
}

/** What the device says of itself. Fails with the error that a run on it would have, with a cause and a remedy where one is known. */
export const start = (
  device: Device,
  { limit = Duration.minutes(1), threads }: Options
): Effect.Effect<DeviceInfo, BackendError> =>
  Effect.acquireUseRelease(
    Effect.try({ try: () => spawn(device, threads), catch: (cause) => unavailable(device, String(cause), cause) }),
    (child) => Effect.timeoutOption(ended(child), limit),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(
    Effect.flatMap(
      Option.match({
        onNone: () => unavailable(device, `it did not answer in ${Duration.toSeconds(limit)} s.`),
        onSome: (end) => judge(device, end)
      })
    )
  )

/** How a process ended. */
interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The message that it sent, if it sent one. */
  readonly message: unknown
  readonly output: string
}

const judge = (device: Device, { code, message, output, signal }: End): Effect.Effect<DeviceInfo, BackendError> =>
  Effect.gen(function* () {
    const end = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
    const reply = Schema.decodeUnknownEither(Reply)(message)
    if (Either.isLeft(reply)) return yield* unavailable(device, `the process that tried it ${end}.`)
    if (reply.right._tag === "Missing") return yield* new RuntimeMissing({ device, ...reply.right }).asError
    if (reply.right._tag === "Started") {
      if (code === 0) return reply.right.info
      return yield* unavailable(device, `it started, but its process ${end}.`)
    }
    const known = yield* GraphicsDriver.explain(device, output)
    return yield* new BackendError({ reason: "Unavailable", subject: device, ...reply.right, ...known })
  })

const spawn = (device: Device, threads: number): ChildProcess => {
  const file = fileURLToPath(WorkerThread.locate("backend/onnx/TrialProcess"))
  // Only someone who works on codex itself runs the TypeScript sources.
  const execArgv = file.endsWith(".ts")
    ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href]
    : []
  return fork(file, [device, String(threads)], { execArgv, stdio: ["ignore", "pipe", "pipe", "ipc"] })
}

const ended = (child: ChildProcess): Effect.Effect<End> =>
  Effect.async((resume) => {
    let output = ""
    let message: unknown
    const collect = (data: Buffer) => {
      output += data.toString()
    }
    child.stdout?.on("data", collect)
    child.stderr?.on("data", collect)
    child.once("message", (sent) => {
      message = sent
    })
    child.once("error", (error) => resume(Effect.succeed({ code: null, signal: null, message, output: error.message })))
    child.once("close", (code, signal) => resume(Effect.succeed({ code, signal, message, output })))
  })
