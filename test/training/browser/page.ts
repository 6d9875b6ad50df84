/**
 * The program of the page that trains in a browser: core, a model plugin, and ONNX Runtime's WebAssembly build. It fetches its
 * task from the server and posts the hash of the parameters, or the error, back to it. browser.test.ts bundles and serves it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { env, InferenceSession, Tensor } from "onnxruntime-web"
import { Backend, BackendError, type TensorDatas } from "../../../src/core/Backend.ts"
import { lower } from "../../../src/core/tensor/Lower.ts"
import { type Program, readsOf } from "../../../src/core/tensor/Program.ts"
import type { TensorData } from "../../../src/core/tensor/Tensor.ts"
import { encode } from "../../../src/services/backend/onnx/OnnxModel.ts"
import { Task, trainedHash } from "./hash.ts"

const toTensor = ({ data, shape }: TensorData): Tensor =>
  data instanceof Int32Array ? new Tensor("int32", data, shape) : new Tensor("float32", Float32Array.from(data), shape)

/** Everything that training reads back is float32. */
const toData = ({ data, dims, type }: Tensor): TensorData => {
  if (data instanceof Float32Array) return { dtype: "float32", shape: dims, data }
  throw new TypeError(`a tensor came back as ${type}`)
}

const attempt = <A>(subject: string, use: () => Promise<A>) =>
  Effect.tryPromise({
    try: use,
    catch: (cause) => new BackendError({ reason: "Run", subject, details: String(cause) })
  })

/** Sessions on this thread, with the state beside them. */
const backend = (threads: number) =>
  Backend.make({
    info: { device: "wasm", threads, description: "a browser" },
    compile: (programs) =>
      Effect.gen(function* () {
        const compiled = new Map<string, { readonly program: Program; readonly session: InferenceSession }>()
        for (const [name, program] of Object.entries(programs)) {
          const model = yield* Effect.orDie(encode(lower(program, "cpu")))
          const session = yield* attempt(name, () =>
            InferenceSession.create(model, {
              executionProviders: ["wasm"],
              extra: { optimization: { disable_specified_optimizers: "GemmTransposeFusion;MatmulTransposeFusion" } }
            })
          )
          compiled.set(name, { program, session })
        }
        const state = new Map<string, Tensor>()
        return {
          run: (name, inputs: TensorDatas) =>
            attempt(name, async () => {
              const { program, session } = compiled.get(name)!
              const reads = readsOf(program)
              const results = await session.run({
                ...Object.fromEntries(reads.inputs.map((input) => [`input/${input}`, toTensor(inputs[input]!)])),
                ...Object.fromEntries(reads.state.map((key) => [`state/${key}`, state.get(key)!]))
              })
              for (const key of Object.keys(program.nextState)) state.set(key, results[`next/${key}`]!)
              return Object.fromEntries(
                Object.keys(program.outputs).map((output) => [output, toData(results[`output/${output}`]!)])
              )
            }),
          readState: (names) => Effect.succeed(Object.fromEntries(names.map((key) => [key, toData(state.get(key)!)]))),
          writeState: (values) =>
            Effect.sync(() => {
              for (const [key, value] of Object.entries(values)) state.set(key, toTensor(value))
            })
        }
      })
  })

const main = Effect.gen(function* () {
  const response = yield* Effect.promise(async () => (await fetch("/task.json")).json())
  const task = yield* Schema.decodeUnknown(Task)(response)
  env.logLevel = "fatal"
  env.wasm.numThreads = task.threads
  env.wasm.wasmPaths = "/ort/"
  return yield* Effect.provideService(trainedHash(task), Backend, backend(task.threads))
})

const text = await Effect.runPromise(Effect.catchAllCause(main, (cause) => Effect.succeed(`failed: ${cause}`)))
await fetch("/result", { method: "POST", body: text })
