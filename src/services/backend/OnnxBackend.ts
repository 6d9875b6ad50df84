/**
 * The backend that computes with ONNX Runtime, in a worker thread that owns the sessions and the state.
 *
 * Acquired with the layer: one thread, in which the device has run a small model once. Acquired by `compile`: one session
 * per Program. Released in the order tensors, sessions, thread, when their scopes close. Only inputs and the requested
 * outputs cross between the threads, as transferred buffers, so the event loop stays
 * free while a step runs; an interruption takes effect between steps. State lives in memory: nothing survives the process.
 * `layerConfig` reads CODEX_DEVICE, CODEX_THREADS and CODEX_PRECISION; nothing else here reads the environment.
 * The thread's entry is onnx/OnnxWorker.ts.
 */
import { availableParallelism } from "node:os"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Backend, BackendError, type TensorDatas } from "../../core/Backend.ts"
import { describe } from "../../core/config/ConfigIssue.ts"
import { DeviceName } from "../../core/config/RunConfig.ts"
import { Threads } from "../../core/Numbers.ts"
import { plural } from "../../core/Plural.ts"
import { halfPrecision, Precision } from "../../core/tensor/HalfPrecision.ts"
import { lower, splitRowUpdates } from "../../core/tensor/Lower.ts"
import { elementTypes, type OnnxGraph } from "../../core/tensor/OnnxGraph.ts"
import { type Program, readsOf, type TensorTypes } from "../../core/tensor/Program.ts"
import { show, type TensorData, type TensorType } from "../../core/tensor/Tensor.ts"
import * as WorkerThread from "../WorkerThread.ts"
import {
  absence,
  accelerators,
  arithmetics,
  providers,
  RuntimeMissing,
  unavailable,
  withoutHalf
} from "./onnx/OnnxDevice.ts"
import { encode } from "./onnx/OnnxModel.ts"
import { type Device, type Reply, type Request, transfersOf, type WireTensor } from "./onnx/OnnxProtocol.ts"

/** What to compute on. */
export interface Options {
  /**
   * The device; `auto` takes the best one that starts, the CPU if no other does. Default: `cpu`, or `wasm` with a warning where
   * onnxruntime-node is not installed or cannot be loaded; `auto` does the same. A device that is named is never replaced.
   */
  readonly device?: Device | "auto" | undefined
  /** Threads that one operator may use, 1 to 256. Default: those of the machine, at most 4. */
  readonly threads?: number
  /**
   * A folder that exists. ONNX Runtime writes its profile of each Program there when the scope of `compile` closes:
   * `<program>_<time>.json`, in the format of Chrome's trace viewer. Runs are slower. Not on `wasm`. Default: no profile.
   */
  readonly profile?: string | undefined
  /**
   * What matrix products compute in (core/tensor/HalfPrecision.ts). Default: `float32`. A device that has no half precision does not
   * start with `float16`; `cpu` and `wasm` round to it and gain nothing.
   */
  readonly precision?: Precision | undefined
}

/** Backend on ONNX Runtime. A device that was named and cannot start is an error that says why. */
export const layer = (options: Options = {}): Layer.Layer<Backend, BackendError> => Layer.scoped(Backend, make(options))

/** Device, threads and precision from CODEX_DEVICE, CODEX_THREADS and CODEX_PRECISION. */
export const fromEnvironment: Effect.Effect<
  Pick<Options, "device" | "precision" | "threads">,
  ConfigError
> = Effect.map(
  Config.all({
    device: Config.option(Config.literal(...DeviceName.literals)("CODEX_DEVICE")),
    threads: Config.option(
      Config.integer("CODEX_THREADS").pipe(
        Config.validate({ message: "expected 1 or more threads, at most 256", validation: Schema.is(Threads) })
      )
    ),
    precision: Config.option(Config.literal(...Precision.literals)("CODEX_PRECISION"))
  }),
  ({ device, precision, threads }) => ({
    device: Option.getOrUndefined(device),
    precision: Option.getOrUndefined(precision),
    ...Option.match(threads, { onNone: () => ({}), onSome: (threads) => ({ threads }) })
  })
)

/** The layer with these. */
export const layerConfig: Layer.Layer<Backend, BackendError | ConfigError> = Layer.unwrapEffect(
  Effect.map(fromEnvironment, layer)
)

/** A started backend, for the lifetime of the scope. */
export const make = (options: Options = {}): Effect.Effect<Backend.Service, BackendError, Scope.Scope> =>
  Effect.gen(function* () {
    const threads = options.threads ?? Math.min(availableParallelism(), 4)
    if (!Schema.is(Threads)(threads)) {
      const details = `expected ${describe(Threads.ast)}, got ${threads}.`
      return yield* new BackendError({ reason: "Input", subject: "threads", details })
    }
    const precision = options.precision ?? "float32"
    const scope = yield* Effect.scope
    // The thread of a device that does not start ends at once.
    const start = (device: Device) =>
      Effect.acquireUseRelease(
        Scope.fork(scope, ExecutionStrategy.sequential),
        (attempt) => Scope.extend(startDevice({ ...options, device, threads, precision }), attempt),
        (attempt, exit) => (Exit.isFailure(exit) ? Scope.close(attempt, exit) : Effect.void)
      )
    const named = (device: Device) => Effect.catchTag(start(device), "RuntimeMissing", ({ asError }) => asError)
    const portable = (missing: RuntimeMissing) =>
      Effect.zipLeft(
        named("wasm"),
        Effect.logWarning(
          `Running on device wasm, which is several times slower: ${missing.details} ${missing.howToGet}`
        )
      )
    const onProcessor = Effect.catchTag(start("cpu"), "RuntimeMissing", portable)
    if (options.device === undefined) return yield* onProcessor
    if (options.device !== "auto") return yield* named(options.device)
    const reasons: Array<string> = []
    for (const candidate of accelerators(process.platform)) {
      const absent = absence(candidate)
      if (absent === undefined) {
        const started = yield* Effect.either(start(candidate))
        if (Either.isRight(started)) return started.right
        // The other devices need the same build.
        if (started.left._tag === "RuntimeMissing") return yield* portable(started.left)
        reasons.push(started.left.message)
      } else reasons.push(`${candidate}: ${absent}`)
    }
    const backend = yield* onProcessor
    if (backend.info.device === "cpu") {
      yield* Effect.logWarning(`Running on the CPU, because no accelerator started. ${reasons.join(" ")}`)
    }
    return backend
  })

/** Options with a device that is tried. */
interface Chosen extends Options {
  readonly device: Device
  readonly threads: number
  readonly precision: Precision
}

const startDevice = (chosen: Chosen): Effect.Effect<Backend.Service, BackendError | RuntimeMissing, Scope.Scope> =>
  Effect.gen(function* () {
    const { device, precision, profile, threads } = chosen
    const refused = (details: string, cause?: unknown) => unavailable(device, details, cause)
    const client = yield* WorkerThread.make<Request, Reply>({
      spawn: () => WorkerThread.spawn("backend/onnx/OnnxWorker", "codex-onnx"),
      transfers: transfersOf,
      stop: { _tag: "Stop" }
    }).pipe(Effect.mapError((error) => refused(error.message, error.cause)))
    const probe = yield* encode(identityGraph({ dtype: "float32", shape: [1] })).pipe(Effect.orDie)
    const half = arithmetics[device] === "float16" && precision === "float16"
    const halfProbe = half ? yield* encode(halfGraph).pipe(Effect.orDie) : undefined
    const reply = yield* client
      .ask({ _tag: "Start", device, threads, probe, halfProbe, profile })
      .pipe(Effect.mapError((error) => refused(error.message, error.cause)))
    if (reply._tag === "Missing") return yield* new RuntimeMissing({ device, ...reply })
    if (reply._tag === "NoHalf") return yield* withoutHalf(device, reply.details)
    if (reply._tag !== "Started") return yield* refused(detailsOf(reply))
    let executables = 0
    return Backend.make({
      info: {
        device,
        threads,
        precision,
        description:
          `${reply.runtime}, ${providers[device]}, ${plural(threads, "thread")}` +
          (precision === "float32" ? "" : `, ${precision}`)
      },
      compile: (programs, state) => Effect.suspend(() => compile(client, chosen, executables++, programs, state))
    })
  })

/** The Programs as sessions in the thread. */
const compile = (
  client: WorkerThread.WorkerThread<Request, Reply>,
  { device, precision }: Chosen,
  executable: number,
  programs: { readonly [name: string]: Program },
  state: TensorTypes
): Effect.Effect<Backend.Computation, BackendError, Scope.Scope> =>
  Effect.gen(function* () {
    // WebGPU writes rows on the device; on the host, each run would return the whole cache.
    const onHost = device !== "webgpu"
    const inputs = new Map<string, ReadonlySet<string>>()
    const models = yield* Effect.forEach(Object.entries(programs), ([name, whole]) => {
      const { program, updates } = onHost ? splitRowUpdates(whole) : { program: whole, updates: [] }
      const reads = readsOf(program)
      inputs.set(name, new Set(reads.inputs))
      const lowered = lower(program, onHost ? "cpu" : "webgpu")
      const graph = precision === "float32" ? lowered : halfPrecision(lowered, arithmetics[device])
      return Effect.map(encodeFor(name, graph), (model) => ({
        name,
        model,
        reads: reads.state,
        writes: Object.keys(program.nextState),
        updates,
        outputs: Object.keys(program.outputs)
      }))
    })
    const copies = onHost ? { copies: {}, copyOf: {} } : yield* copiesOf(state)
    const ask = (request: Request, subject: string): Effect.Effect<ReadonlyArray<WireTensor>, BackendError> =>
      Effect.flatMap(
        Effect.mapError(client.ask(request), (gone) => fromGone(gone, subject)),
        (reply) => fromReply(reply, request, device)
      )
    yield* Effect.acquireRelease(ask({ _tag: "Compile", executable, programs: models, ...copies }, "compile"), () =>
      Effect.ignore(client.ask({ _tag: "Release", executable }))
    )
    return {
      run: (name, values, fetch) => {
        const used = inputs.get(name)!
        const sent = toWire(values, (input) => used.has(input))
        return Effect.map(ask({ _tag: "Run", executable, program: name, inputs: sent, fetch }, name), toDatas)
      },
      readState: (names) => Effect.map(ask({ _tag: "ReadState", executable, names }, "state"), toDatas),
      writeState: (values) => Effect.asVoid(ask({ _tag: "WriteState", executable, values: toWire(values) }, "state"))
    }
  })

const encodeFor = (subject: string, graph: OnnxGraph) =>
  encode(graph).pipe(
    Effect.mapError((cause) => new BackendError({ reason: "Compile", subject, details: cause.message, cause }))
  )

const identityGraph = (type: TensorType): OnnxGraph => ({
  name: "copy",
  inputs: [{ name: "x", type }],
  outputs: [{ name: "y", type }],
  initializers: [],
  nodes: [{ opType: "Identity", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} }]
})

/** y = x · x in half precision. */
const halfGraph: OnnxGraph = {
  ...identityGraph({ dtype: "float32", shape: [1] }),
  name: "half precision",
  nodes: [
    { opType: "Cast", domain: "", inputs: ["x"], outputs: ["half"], attributes: { to: elementTypes.float16 } },
    { opType: "Mul", domain: "", inputs: ["half", "half"], outputs: ["square"], attributes: {} },
    { opType: "Cast", domain: "", inputs: ["square"], outputs: ["y"], attributes: { to: elementTypes.float32 } }
  ]
}

/** One copying model per type of state tensor, for devices whose tensors cannot be read in place. */
const copiesOf = (types: TensorTypes) =>
  Effect.gen(function* () {
    const distinct = new Map(Object.values(types).map((type) => [show(type), type]))
    const models = yield* Effect.forEach(distinct, ([key, type]) =>
      Effect.map(encodeFor(key, identityGraph(type)), (model) => [key, model] as const)
    )
    const copyOf = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, show(type)]))
    return { copies: Object.fromEntries(models), copyOf }
  })

const fromGone = (gone: WorkerThread.WorkerGone, subject: string) =>
  new BackendError({
    reason: gone.pending ? "Run" : "Closed",
    subject,
    details: gone.message,
    remedy: "Start the backend again; state that was not saved is lost.",
    cause: gone.cause
  })

const fromReply = (
  reply: Reply,
  request: Request,
  device: Device
): Effect.Effect<ReadonlyArray<WireTensor>, BackendError> => {
  if (reply._tag === "Done") return Effect.succeed(reply.tensors)
  const subject = reply._tag === "Failed" ? reply.subject : request._tag
  if (reply._tag === "Failed" && reply.memory) {
    const [details, other] =
      device === "wasm" ? ["WebAssembly has at most 4 GB.", ", or device cpu"] : ["an allocation failed.", ""]
    const remedy = `Use a smaller model or batch (training.gradient_accumulation_steps divides a batch)${other}.`
    // ONNX Runtime's text names an exception of C++.
    return new BackendError({ reason: "Memory", subject, details, remedy, cause: reply.details })
  }
  const reason = request._tag === "Compile" ? "Compile" : request._tag === "Run" ? "Run" : "State"
  return new BackendError({ reason, subject, details: detailsOf(reply) })
}

const detailsOf = (reply: Reply): string =>
  "details" in reply ? reply.details : `the thread answered "${reply._tag}" to another request.`

/** Copies, so that the buffers can be transferred and the caller keeps its own. */
const toWire = (values: TensorDatas, wanted: (name: string) => boolean = () => true): ReadonlyArray<WireTensor> =>
  Object.entries(values)
    .filter(([name]) => wanted(name))
    .map(([name, { data, dtype, shape }]) => ({
      name,
      dtype,
      shape,
      data: data instanceof Float64Array ? Float32Array.from(data) : data.slice()
    }))

const toDatas = (tensors: ReadonlyArray<WireTensor>): TensorDatas =>
  Object.fromEntries(
    tensors.map(({ data, dtype, name, shape }): [string, TensorData] => [name, { data, dtype, shape }])
  )
