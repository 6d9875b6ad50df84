/**
 * What each device of ONNX Runtime is called, where it exists, what it needs, and which ones `auto` tries.
 *
 * Where a device exists is what onnxruntime-node 1.30 contains for the platform, not what its README says: there is no build for
 * Intel Macs, and the one for Linux on arm64 has the CPU only.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import * as Data from "effect/Data"
import { BackendError } from "../../../core/Backend.ts"
import type { Arithmetic } from "../../../core/tensor/HalfPrecision.ts"
import type { Device } from "./OnnxProtocol.ts"
import { version } from "./OnnxRuntime.ts"

/** All devices, the processor first. */
export const devices = ["cpu", "wasm", "webgpu", "cuda", "coreml", "dml"] as const satisfies ReadonlyArray<Device>

/** The execution provider behind a device, as ONNX Runtime names it. */
export const providers: { readonly [D in Device]: string } = {
  cpu: "CPUExecutionProvider",
  wasm: "WebAssembly",
  webgpu: "WebGpuExecutionProvider",
  cuda: "CUDAExecutionProvider",
  coreml: "CoreMLExecutionProvider",
  dml: "DmlExecutionProvider"
}

/** What a device computes half precision in. */
export const arithmetics: { readonly [D in Device]: Arithmetic } = {
  cpu: "float32",
  wasm: "float32",
  webgpu: "float16",
  cuda: "float16",
  coreml: "float16",
  dml: "float16"
}

/** Where the builds have a device, as a message says it; undefined for everywhere. */
export const elsewhere = (
  device: Device,
  { arch, platform }: Pick<NodeJS.Process, "arch" | "platform"> = process
): string | undefined => {
  if (device === "coreml") return platform === "darwin" ? undefined : "macOS only"
  if (device === "dml") return platform === "win32" ? undefined : "Windows only"
  if (device === "cuda") return platform === "linux" && arch === "x64" ? undefined : "Linux x64 only"
  if (device === "webgpu" && platform === "linux" && arch !== "x64") return "on Linux, x64 only"
  return undefined
}

/** The command that installs the CUDA libraries of onnxruntime-node, in a clone of codex and where it is a dependency. */
export const installCuda = import.meta.url.includes("/node_modules/")
  ? "node node_modules/codex-ml/scripts/gpu-install.mjs"
  : "npm run gpu:install"

/** What to do about a device that does not start. */
export const remedies: { readonly [D in Device]: string } = {
  cpu: "Install onnxruntime-node again for this platform, or use device wasm.",
  wasm: "Node must support WebAssembly with SIMD and, for more than one thread, SharedArrayBuffer.",
  webgpu:
    "WebGPU needs a graphics driver (on Linux a Vulkan driver), or use device cpu. `codex doctor` says what is missing.",
  cuda: `CUDA needs an NVIDIA driver, CUDA 12, cuDNN 9 and \`${installCuda}\` (Linux x64), or use device cpu. \`codex doctor\` says what is missing.`,
  coreml: "CoreML exists on macOS only; use device cpu.",
  dml: "DirectML exists on Windows only; use device cpu."
}

/** Devices that `auto` tries, best first. WebGPU keeps state on the device; the others copy it at every run. */
export const accelerators = (platform: NodeJS.Platform): ReadonlyArray<Device> =>
  platform === "darwin" ? ["webgpu"] : platform === "win32" ? ["webgpu", "dml"] : ["cuda", "webgpu"]

/**
 * Why `auto` skips a device, or `undefined`. Providers write to the console when a library is missing, as on most machines.
 * A device that was named is always tried.
 */
export const absence = (device: Device): string | undefined => {
  if (process.platform !== "linux") return undefined
  if (device === "cuda") {
    const library = cudaLibrary()
    // Without the package, the device is tried and says so.
    return library === undefined || existsSync(library)
      ? undefined
      : `its libraries are not installed (\`${installCuda}\`).`
  }
  if (device === "webgpu") {
    const cards = ["/dev/dri", "/dev/nvidiactl", "/dev/dxg"]
    return cards.some((path) => existsSync(path)) ? undefined : "this machine shows no graphics card."
  }
  return undefined
}

/** The file of the CUDA provider, which `installCuda` downloads; undefined where onnxruntime-node is not installed. */
export const cudaLibrary = (): string | undefined => {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"))
    return join(folder, "bin/napi-v6/linux", process.arch, "libonnxruntime_providers_cuda.so")
  } catch {
    return undefined
  }
}

/** The build of ONNX Runtime that a device needs cannot be loaded. */
export class RuntimeMissing extends Data.TaggedError("RuntimeMissing")<{
  readonly device: Device
  readonly installed: boolean
  readonly details: string
}> {
  get howToGet() {
    if (this.device === "wasm") return "Install codex-ml again: onnxruntime-web is one of its dependencies."
    const install = `npm install --ignore-scripts onnxruntime-node@${version}`
    return this.installed
      ? `It has builds for Linux with glibc (x64, arm64), macOS (arm64) and Windows (x64, arm64); there, install it again: ${install}`
      : `To install it: ${install}`
  }
  /** The error of a device that was named. */
  get asError() {
    const { details, device, howToGet } = this
    const remedy = device === "wasm" ? howToGet : `${howToGet} (or use device wasm)`
    return new BackendError({ reason: "Unavailable", subject: device, details, remedy, cause: this })
  }
}

/** A device that does not start, with what ONNX Runtime says about it. */
export const unavailable = (device: Device, details: string, cause?: unknown): BackendError =>
  new BackendError({
    reason: "Unavailable",
    subject: device,
    details: withoutPlace(details),
    remedy: remedies[device],
    cause
  })

/** A device that starts, and cannot compute in half precision. */
export const withoutHalf = (device: Device, details: string): BackendError =>
  new BackendError({
    reason: "Unavailable",
    subject: device,
    details: `it has no half precision (${withoutPlace(details).replace(/[.\s]*$/, "")}).`,
    remedy:
      "Use backend.precision=float32 (CODEX_PRECISION=float32), or a card that has it (for WebGPU, the feature shader-f16)."
  })

/** ONNX Runtime begins some messages with a place in its C++ and the condition that failed there. */
const withoutPlace = (details: string): string =>
  details.trim().replace(/^\/\S+\.(?:cc|h):\d+ [\s\S]*? was false\. /, "")
