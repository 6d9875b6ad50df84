/**
 * The messages between the backend and its worker thread: plain data by structured clone, with transferred arrays.
 *
 * Each request has one reply with the same `id`, and the worker answers in the order of the requests. The worker does not
 * check names, types and lengths: `Backend.make` has.
 */
import type { BackendConfig } from "../../../core/config/RunConfig.ts"
import type { RowUpdate } from "../../../core/tensor/Lower.ts"
import type { DType, Shape } from "../../../core/tensor/Tensor.ts"

/** What a backend runs on. `auto` is resolved before a worker starts. `wasm` is always there; the others need onnxruntime-node. */
export type Device = Exclude<BackendConfig["device"], "auto" | undefined>

/** A tensor in a message. */
export interface WireTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
  readonly data: Float32Array | Int32Array | Uint8Array
}

/** A Program as the worker sees it: a model, and the state it reads and writes by name. */
export interface WireProgram {
  readonly name: string
  readonly model: Uint8Array<ArrayBuffer>
  readonly reads: ReadonlyArray<string>
  readonly writes: ReadonlyArray<string>
  /** State whose rows are replaced in place after a run, by outputs of the model. Host state only. */
  readonly updates: ReadonlyArray<RowUpdate>
  readonly outputs: ReadonlyArray<string>
}

/**
 * `probe` has one float32[1] input `x` and one output `y`; it is run once, because a device that starts may still fail to compute.
 * `halfProbe` is the same for half precision, where that is needed.
 */
export interface Start {
  readonly _tag: "Start"
  readonly device: Device
  readonly threads: number
  readonly probe: Uint8Array<ArrayBuffer>
  readonly halfProbe: Uint8Array<ArrayBuffer> | undefined
  /** Folder for the profiles of the Programs: see `OnnxBackend.Options`. */
  readonly profile: string | undefined
}

/** Makes the sessions of Programs that share state, under a number. */
export interface Compile {
  readonly _tag: "Compile"
  readonly executable: number
  readonly programs: ReadonlyArray<WireProgram>
  /** Which of `copies` copies a state tensor to and from a device that keeps state. */
  readonly copyOf: { readonly [state: string]: string }
  /** One model `x -> Identity -> y` for each type of state tensor. Empty for devices that keep state on the host. */
  readonly copies: { readonly [type: string]: Uint8Array<ArrayBuffer> }
}

/** Runs a Program and replies with the outputs in `fetch`. */
export interface Run {
  readonly _tag: "Run"
  readonly executable: number
  readonly program: string
  readonly inputs: ReadonlyArray<WireTensor>
  readonly fetch: ReadonlyArray<string>
}

/** Replies with copies of state tensors. */
export interface ReadState {
  readonly _tag: "ReadState"
  readonly executable: number
  readonly names: ReadonlyArray<string>
}

/** Replaces state tensors. */
export interface WriteState {
  readonly _tag: "WriteState"
  readonly executable: number
  readonly values: ReadonlyArray<WireTensor>
}

/** Releases the sessions and the state of a number. */
export interface Release {
  readonly _tag: "Release"
  readonly executable: number
}

/** Releases everything; the thread ends after the reply. */
export interface Stop {
  readonly _tag: "Stop"
}

/** What the backend sends. */
export type Request = Start | Compile | Run | ReadState | WriteState | Release | Stop

/** The answer to `Start` where the build of ONNX Runtime that the device needs cannot be loaded. */
export interface Missing {
  readonly _tag: "Missing"
  readonly installed: boolean
  readonly details: string
}

/** What the worker sends. */
export type Reply =
  | { readonly _tag: "Done"; readonly tensors: ReadonlyArray<WireTensor> }
  /** The answer to `Start`: package and version of the runtime. */
  | { readonly _tag: "Started"; readonly runtime: string }
  | Missing
  /** The answer to `Start` where the device starts, and the probe of half precision fails. */
  | { readonly _tag: "NoHalf"; readonly details: string }
  /** `details` is ONNX Runtime's own message; `memory` tells that there was not enough of it. */
  | { readonly _tag: "Failed"; readonly subject: string; readonly details: string; readonly memory: boolean }

/** The buffers to transfer with tensors, so that they are not copied. */
export const buffersOf = (tensors: ReadonlyArray<WireTensor>): Array<ArrayBuffer> =>
  tensors.flatMap(({ data }) => (data.buffer instanceof ArrayBuffer ? [data.buffer] : []))

/** The buffers to transfer with a request. */
export const transfersOf = (request: Request): Array<ArrayBuffer> => {
  if (request._tag === "Run") return buffersOf(request.inputs)
  if (request._tag === "WriteState") return buffersOf(request.values)
  if (request._tag === "Compile") return request.programs.map(({ model }) => model.buffer)
  return []
}
