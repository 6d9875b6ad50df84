/**
 * Loads the build of ONNX Runtime that a device needs: the native one (onnxruntime-node, an optional dependency) or the
 * WebAssembly one (onnxruntime-web), which runs wherever Node does.
 *
 * Both are loaded with `import()` and never statically, because the native build may be missing, and both keep global state:
 * one thread loads one of them, once. The WebAssembly build reads its `.wasm` file from its own package; neither uses the
 * network. Both have the API of onnxruntime-common.
 */
import { createRequire } from "node:module"
import type * as Onnx from "onnxruntime-web"
import type { Device, Missing } from "./OnnxProtocol.ts"

/** The version of both builds that codex is tested with, as in its package.json. */
export const version = "1.30.0"

/** A loaded build. */
export interface OnnxRuntime extends Pick<typeof Onnx, "InferenceSession" | "Tensor"> {
  /** Package and version: `onnxruntime-node 1.30.0`. */
  readonly name: string
  /** The execution providers that it was built with. */
  readonly providers: ReadonlyArray<string>
}

/** The build for a device. Rejects where it cannot be loaded: see `whyMissing`. */
export const load = (device: Device, threads: number): Promise<OnnxRuntime> =>
  device === "wasm" ? loadWeb(threads) : loadNative()

const loadNative = async (): Promise<OnnxRuntime> => {
  const { env, InferenceSession, listSupportedBackends, Tensor } = await import("onnxruntime-node")
  silence(env)
  return {
    InferenceSession,
    Tensor,
    name: `onnxruntime-node ${env.versions.node}`,
    providers: listSupportedBackends().map(({ name }) => name)
  }
}

const loadWeb = async (threads: number): Promise<OnnxRuntime> => {
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web")
  silence(env)
  // One pool for all sessions, made with the first of them; the option of a session has no effect.
  env.wasm.numThreads = threads
  return { InferenceSession, Tensor, name: `onnxruntime-web ${env.versions.web}`, providers: ["wasm"] }
}

/** Errors are returned as values with ONNX Runtime's own text, so it should not print them too. */
const silence = (env: Onnx.Env) => {
  env.logLevel = "fatal"
}

/** Why a build that was rejected is missing: not installed, or installed and not loadable here. */
export const whyMissing = (device: Device, error: unknown): Omit<Missing, "_tag"> => {
  const name = device === "wasm" ? "onnxruntime-web" : "onnxruntime-node"
  if (!isInstalled(name)) return { installed: false, details: `${name} is not installed.` }
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n")
  const platform = `${process.platform}-${process.arch}`
  return { installed: true, details: `${name} cannot be loaded on ${platform} (${line.replace(/\.$/, "")}).` }
}

const isInstalled = (name: string): boolean => {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}
