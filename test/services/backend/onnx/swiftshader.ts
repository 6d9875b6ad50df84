/**
 * A WebGPU device without a graphics card: SwiftShader, the software Vulkan driver of Debian's chromium.
 *
 * The dynamic loader and Vulkan read their variables when a process starts, so tests on WebGPU run in their own
 * process: the `*.suite.ts` files of webgpu/, started by webgpu.test.ts. So an abort of the native
 * code does not end other tests.
 */
import { existsSync } from "node:fs"

const folder = "/usr/lib/chromium"
const driver = `${folder}/vk_swiftshader_icd.json`

export const isInstalled = existsSync(driver) && existsSync(`${folder}/libvulkan.so.1`)

export const absence = `no ${driver}: install Debian's chromium to test WebGPU without a graphics card`

/** `runtimeFolder`: a writable directory for the driver's files. */
export const environment = (runtimeFolder: string): NodeJS.ProcessEnv => ({
  ...process.env,
  LD_LIBRARY_PATH: folder,
  VK_DRIVER_FILES: driver,
  VK_ICD_FILENAMES: driver,
  XDG_RUNTIME_DIR: runtimeFolder
})
