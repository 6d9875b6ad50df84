/**
 * The worker thread's entry: owns ONNX Runtime's sessions and the state tensors, and answers the requests of OnnxProtocol.ts.
 *
 * ONNX Runtime computes on the thread that calls it, so it is loaded here. Requests are answered one after another, which
 * makes a run atomic: state is replaced only when every new value is there. New state is always written to new memory
 * (in place, later nodes of the graph would read values that are already new); only rows of host state
 * are replaced in place, after the run (core/tensor/Lower.ts).
 * On the CPU, outputs are JavaScript arrays that are inputs of the next run without a copy. On WebGPU state stays in device
 * buffers: they are disposed when replaced, never read directly (`getData` aborts the process), and everything is released
 * in the order tensors, sessions, thread (any other order aborts too). Does not import Effect, so a thread starts in 50 ms.
 */
import { join } from "node:path"
import { parentPort } from "node:worker_threads"
import type { InferenceSession, Tensor } from "onnxruntime-web"
import type { Envelope } from "../../WorkerThread.ts"
import {
  buffersOf,
  type Compile,
  type Device,
  type Reply,
  type Request,
  type Run,
  type Start,
  type WireProgram,
  type WireTensor
} from "./OnnxProtocol.ts"
import { load, type OnnxRuntime, whyMissing } from "./OnnxRuntime.ts"

interface LoadedProgram extends Pick<WireProgram, "outputs" | "reads" | "updates" | "writes"> {
  readonly session: InferenceSession
}

interface Copy {
  readonly up: InferenceSession
  readonly down: InferenceSession
}

interface Loaded {
  readonly programs: Map<string, LoadedProgram>
  readonly state: Map<string, Tensor>
  readonly copies: Map<string, Copy>
  readonly copyOf: Compile["copyOf"]
}

const done = (tensors: ReadonlyArray<WireTensor> = []): Reply => ({ _tag: "Done", tensors })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const failed = (subject: string, error: unknown): Reply => {
  const details = messageOf(error)
  return { _tag: "Failed", subject, details, memory: outOfMemory.test(details) }
}

/** C++ and ONNX Runtime's own; sizes beyond the 32 bits of WebAssembly; JavaScript's. */
const outOfMemory = /std::bad_alloc|failed to allocate|SafeIntOnOverflow|allocation failed/i

const sessionOptions = (device: Device, threads: number): InferenceSession.SessionOptions => ({
  executionProviders: device === "cpu" || device === "wasm" ? [device] : [device, "cpu"],
  // "basic" on WebGPU: higher levels fuse nodes into forms that this provider does not have and the CPU would run.
  graphOptimizationLevel: device === "webgpu" ? "basic" : "all",
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: "sequential",
  // Idle threads sleep instead of spinning: on two cores that other processes use too, a step of 2 M parameters took 120 ms
  // instead of 190, and on idle cores 95 instead of 90 (docs/performance.md).
  // Transposes that ops/matmul.ts writes on purpose are not fused into the product: its bits would depend on the threads.
  extra: {
    session: { intra_op: { allow_spinning: "0" } },
    optimization: { disable_specified_optimizers: "GemmTransposeFusion;MatmulTransposeFusion" }
  },
  enableCpuMemArena: true,
  enableMemPattern: device !== "dml",
  logSeverityLevel: 4
})

const fromTensor = (name: string, tensor: Tensor, options: { readonly copy: boolean }): WireTensor => {
  const { data, dims: shape } = tensor
  if (data instanceof Float32Array) return { name, dtype: "float32", shape, data: options.copy ? data.slice() : data }
  if (data instanceof Int32Array) return { name, dtype: "int32", shape, data: options.copy ? data.slice() : data }
  if (data instanceof Uint8Array) return { name, dtype: "bool", shape, data: options.copy ? data.slice() : data }
  throw new TypeError(`"${name}" came back as ${tensor.type}`)
}

/** Rows [..., n, D] that replace those from `position` on of a host tensor [..., S, D]. */
interface Update {
  readonly state: Tensor
  readonly rows: Tensor
  readonly position: number
}

const fits = ({ position, rows, state }: Update): boolean =>
  position >= 0 && position + rows.dims.at(-2)! <= state.dims.at(-2)!

const replaceRows = ({ position, rows, state }: Update): void => {
  const [into, from] = [state.data, rows.data]
  if (!(into instanceof Float32Array && from instanceof Float32Array)) throw new TypeError("rows are float32")
  const [size, width] = [state.dims.at(-2)!, state.dims.at(-1)!]
  const block = rows.dims.at(-2)! * width
  for (let i = 0; i * block < from.length; i++) {
    into.set(from.subarray(i * block, (i + 1) * block), (i * size + position) * width)
  }
}

/** The sessions and state of one worker: starts with a device, then answers until `Stop`. */
const makeEngine = (
  { device, profile, threads }: Start,
  { InferenceSession, name: runtime, providers, Tensor }: OnnxRuntime
) => {
  const keepsState = device === "webgpu"
  const executables = new Map<number, Loaded>()
  const standing: Array<InferenceSession> = []

  const toTensor = ({ data, dtype, shape }: WireTensor): Tensor =>
    data instanceof Float32Array
      ? new Tensor("float32", data, shape)
      : data instanceof Int32Array
        ? new Tensor("int32", data, shape)
        : new Tensor(dtype === "bool" ? "bool" : "uint8", data, shape)

  const createSession = (
    model: Uint8Array,
    preferredOutputLocation?: { readonly [output: string]: "gpu-buffer" | "cpu" },
    program?: string
  ) =>
    InferenceSession.create(model, {
      ...sessionOptions(device, threads),
      ...(keepsState && preferredOutputLocation !== undefined ? { preferredOutputLocation } : {}),
      ...(profile !== undefined && program !== undefined
        ? { enableProfiling: true, profileFilePrefix: join(profile, program) }
        : {})
    })

  const probe = async ({ halfProbe, probe }: Start): Promise<Reply> => {
    // Without a provider of this name, ONNX Runtime prints a line and runs on the CPU instead.
    if (!providers.includes(device)) {
      return failed(device, `${runtime} has ${providers.join(", ")} on ${process.platform}-${process.arch}.`)
    }
    const run = async (model: Uint8Array) => {
      const session = await createSession(model)
      // Kept until the end: when its last session is released, WebGPU drops the device and every compiled shader.
      standing.push(session)
      await session.run({ x: new Tensor("float32", Float32Array.of(1), [1]) })
    }
    await run(probe)
    try {
      if (halfProbe !== undefined) await run(halfProbe)
    } catch (error) {
      return { _tag: "NoHalf", details: messageOf(error) }
    }
    return { _tag: "Started", runtime }
  }

  const release = async (executable: number): Promise<Reply> => {
    const loaded = executables.get(executable)
    if (loaded === undefined) return done()
    executables.delete(executable)
    for (const tensor of loaded.state.values()) tensor.dispose()
    for (const { session } of loaded.programs.values()) await session.release()
    for (const { down, up } of loaded.copies.values()) {
      await up.release()
      await down.release()
    }
    return done()
  }

  const compile = async (request: Compile): Promise<Reply> => {
    const loaded: Loaded = { programs: new Map(), state: new Map(), copies: new Map(), copyOf: request.copyOf }
    executables.set(request.executable, loaded)
    for (const program of request.programs) {
      try {
        const locations = [
          ...program.writes.map((name) => [`next/${name}`, "gpu-buffer"] as const),
          ...program.outputs.map((name) => [`output/${name}`, "cpu"] as const)
        ]
        const session = await createSession(program.model, Object.fromEntries(locations), program.name)
        // The bytes may be as large as the weights and are not needed any more: only these fields are kept.
        const { outputs, reads, updates, writes } = program
        loaded.programs.set(program.name, { session, outputs, reads, updates, writes })
      } catch (error) {
        await release(request.executable)
        return failed(program.name, error)
      }
    }
    for (const [type, model] of Object.entries(request.copies)) {
      try {
        const up = await createSession(model, { y: "gpu-buffer" })
        loaded.copies.set(type, { up, down: await createSession(model, { y: "cpu" }) })
      } catch (error) {
        await release(request.executable)
        return failed(`copy of ${type}`, error)
      }
    }
    return done()
  }

  const run = async (loaded: Loaded, { fetch, inputs, program: name }: Run): Promise<Reply> => {
    const program = loaded.programs.get(name)
    if (program === undefined) return failed(name, "it is not compiled")
    const feeds: Record<string, Tensor> = {}
    for (const input of inputs) feeds[`input/${input.name}`] = toTensor(input)
    for (const state of program.reads) feeds[`state/${state}`] = loaded.state.get(state)!
    // Where outputs have a place (on WebGPU), onnxruntime-node 1.30 fails if a run requests fewer of them than one before it
    // ("Output count mismatch"): there all of them are requested.
    const requested = keepsState
      ? program.outputs
      : new Set([...fetch, ...program.updates.flatMap(({ position, rows }) => [position, rows])])
    const fetches = [
      ...program.writes.map((state) => `next/${state}`),
      ...[...requested].map((name) => `output/${name}`)
    ]
    // Nothing is written and nothing is requested: the run has no effect, and ONNX Runtime refuses an empty list.
    if (fetches.length === 0) return done()
    const results = await program.session.run(feeds, fetches)
    const updates = program.updates.map(({ position, rows, state }) => ({
      state: loaded.state.get(state)!,
      rows: results[`output/${rows}`]!,
      position: Number(results[`output/${position}`]!.data[0])
    }))
    const outside = updates.find((update) => !fits(update))
    if (outside !== undefined)
      return failed(name, `rows from ${outside.position} are outside of the state [${outside.state.dims.join(", ")}]`)
    for (const state of program.writes) replace(loaded, state, results[`next/${state}`]!)
    updates.forEach(replaceRows)
    return done(fetch.map((output) => fromTensor(output, results[`output/${output}`]!, { copy: false })))
  }

  const replace = (loaded: Loaded, name: string, tensor: Tensor) => {
    if (keepsState) loaded.state.get(name)?.dispose()
    loaded.state.set(name, tensor)
  }

  const readState = async (loaded: Loaded, names: ReadonlyArray<string>): Promise<Reply> => {
    const tensors: Array<WireTensor> = []
    for (const name of names) {
      const tensor = loaded.state.get(name)!
      if (tensor.location === "cpu") tensors.push(fromTensor(name, tensor, { copy: true }))
      else {
        const { down } = loaded.copies.get(loaded.copyOf[name]!)!
        const { y } = await down.run({ x: tensor })
        tensors.push(fromTensor(name, y!, { copy: false }))
      }
    }
    return done(tensors)
  }

  const writeState = async (loaded: Loaded, values: ReadonlyArray<WireTensor>): Promise<Reply> => {
    for (const value of values) {
      const copy = keepsState ? loaded.copies.get(loaded.copyOf[value.name]!) : undefined
      const tensor = copy === undefined ? toTensor(value) : (await copy.up.run({ x: toTensor(value) })).y!
      replace(loaded, value.name, tensor)
    }
    return done()
  }

  const stop = async (): Promise<Reply> => {
    for (const executable of [...executables.keys()]) await release(executable)
    for (const session of standing.splice(0)) await session.release()
    return done()
  }

  const answer = (request: Exclude<Request, Start>): Promise<Reply> => {
    if (request._tag === "Compile") return compile(request)
    if (request._tag === "Release") return release(request.executable)
    if (request._tag === "Stop") return stop()
    const loaded = executables.get(request.executable)
    if (loaded === undefined) return Promise.resolve(failed(String(request.executable), "it was released"))
    if (request._tag === "Run") return run(loaded, request)
    if (request._tag === "ReadState") return readState(loaded, request.names)
    return writeState(loaded, request.values)
  }

  return { probe, answer }
}

const subjectOf = (request: Request): string =>
  request._tag === "Start" ? request.device : request._tag === "Run" ? request.program : request._tag

/** Answers the messages of `port` in the order in which they arrive. */
const serve = (port: NonNullable<typeof parentPort>) => {
  let engine: ReturnType<typeof makeEngine> | undefined
  const start = async (request: Start): Promise<Reply> => {
    let runtime: OnnxRuntime
    try {
      runtime = await load(request.device, request.threads)
    } catch (error) {
      return { _tag: "Missing", ...whyMissing(request.device, error) }
    }
    engine = makeEngine(request, runtime)
    return await engine.probe(request)
  }
  const answer = async (request: Request): Promise<Reply> => {
    try {
      if (request._tag === "Start") return await start(request)
      return engine === undefined ? failed(request._tag, "no device was started") : await engine.answer(request)
    } catch (error) {
      return failed(subjectOf(request), error)
    }
  }
  let last = Promise.resolve()
  port.on("message", ({ id, body: request }: Envelope<Request>) => {
    last = last.then(async () => {
      const reply = await answer(request)
      const tensors = reply._tag === "Done" ? reply.tensors : []
      const envelope: Envelope<Reply> = { id, body: reply }
      port.postMessage(envelope, buffersOf(tensors))
      if (request._tag === "Stop") port.close()
    })
  })
}

if (parentPort !== null) serve(parentPort)
