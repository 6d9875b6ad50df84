/**
 * Where devices exist, and the messages about those that do not start.
 *
 * Oracle: the folders of onnxruntime-node's npm package, and the strings of its libraries: `webgpu` is in all of them but
 * that of Linux on arm64. The text of an adapter that is missing is what ONNX Runtime 1.30 said on a machine without Vulkan.
 */
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { devices, elsewhere, remedies, unavailable } from "../../../../src/services/backend/onnx/OnnxDevice.ts"

const folder = join(dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json")), "bin/napi-v6")

const exist = (platform: NodeJS.Platform, arch: NodeJS.Architecture) =>
  devices.filter((device) => elsewhere(device, { platform, arch }) === undefined)

describe("devices", () => {
  it("are those of the platform", () => {
    expect(exist("linux", "x64")).toEqual(["cpu", "wasm", "webgpu", "cuda"])
    expect(exist("linux", "arm64")).toEqual(["cpu", "wasm"])
    expect(exist("darwin", "arm64")).toEqual(["cpu", "wasm", "webgpu", "coreml"])
    expect(exist("win32", "x64")).toEqual(["cpu", "wasm", "webgpu", "dml"])
    expect(elsewhere("cuda", { platform: "darwin", arch: "arm64" })).toBe("Linux x64 only")
  })

  it("webgpu is where the binding of onnxruntime-node has it", () => {
    const builds = ["linux/x64", "linux/arm64", "darwin/arm64", "win32/x64", "win32/arm64"]
    const found = readdirSync(folder).flatMap((platform) =>
      readdirSync(join(folder, platform)).map((arch) => `${platform}/${arch}`)
    )
    expect(found.sort()).toEqual([...builds].sort())
    const has = builds.filter((build) =>
      readFileSync(join(folder, build, "onnxruntime_binding.node")).includes("WebGPU EP has an unrecognized option")
    )
    expect(has).toEqual(builds.filter((build) => build !== "linux/arm64"))
  })
})

describe("a device that does not start", () => {
  it("says why without a place in C++", () => {
    const said =
      "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize" +
      "(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success" +
      " was false. Failed to get a WebGPU adapter: No supported adapters\n"
    expect(unavailable("webgpu", said).message).toBe(
      `Device "webgpu" cannot start: Failed to get a WebGPU adapter: No supported adapters. ${remedies.webgpu}`
    )
  })

  it("is left as it is otherwise", () => {
    expect(unavailable("cuda", "Failed to load shared library").message).toBe(
      'Device "cuda" cannot start: Failed to load shared library. CUDA needs an NVIDIA driver, CUDA 12, cuDNN 9 and ' +
        "`npm run gpu:install` (Linux x64), or use device cpu. `codex doctor` says what is missing."
    )
  })
})
