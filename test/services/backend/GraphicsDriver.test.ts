/**
 * Cards and drivers, from a tree of files and from programs that print what the real ones do.
 *
 * Oracles: the kernel's file of NVIDIA's driver 550.54.15 and the formats of `nvidia-smi --query-gpu` and `vulkaninfo --summary`
 * as their documentation shows them, and what Dawn wrote on a machine without Vulkan, and on one without a driver.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as GraphicsDriver from "../../../src/services/backend/GraphicsDriver.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-graphics-"))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

const write = (path: string, content: string) => {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const program = (path: string, script: string) => chmodSync(write(path, `#!/bin/sh\n${script}\n`), 0o755)

const on = (root: string, programs: string) => {
  vi.stubEnv("PATH", join(folder, programs))
  vi.stubEnv("VK_DRIVER_FILES", undefined)
  vi.stubEnv("VK_ICD_FILENAMES", undefined)
  return GraphicsDriver.facts({ root: join(folder, root) })
}

describe.skipIf(process.platform !== "linux")("facts", () => {
  it.effect("are the cards, drivers and programs of the machine", () =>
    Effect.gen(function* () {
      write("card/dev/dri/card0", "")
      write("card/dev/dri/renderD128", "")
      write("card/dev/nvidiactl", "")
      write("card/sys/class/drm/renderD128/device/vendor", "0x10de\n")
      write("card/etc/vulkan/icd.d/nvidia_icd.json", "{}")
      write("card/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "{}")
      write(
        "card/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version:  gcc version 12.2.0\n"
      )
      program("card/bin/nvidia-smi", 'echo "NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB"')
      program(
        "card/bin/vulkaninfo",
        `printf '%s\\n' Devices: ======== GPU0: '	deviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU' '	deviceName         = NVIDIA H100' \
'	driverName         = NVIDIA' '	driverInfo         = 550.54.15' GPU1: '	deviceName         = llvmpipe' '	driverName         = llvmpipe'`
      )
      expect(yield* on("card", "card/bin")).toEqual([
        { source: "graphics card", status: "ok", details: "/dev/dri/renderD128 (NVIDIA), /dev/nvidiactl" },
        { source: "Vulkan drivers", status: "ok", details: "lvp_icd.x86_64, nvidia_icd" },
        { source: "NVIDIA driver", status: "ok", details: "550.54.15" },
        { source: "nvidia-smi", status: "ok", details: "NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB" },
        { source: "vulkaninfo", status: "ok", details: "NVIDIA H100, NVIDIA, 550.54.15; llvmpipe, llvmpipe" }
      ])
    })
  )

  it.effect("are there for a machine with nothing", () =>
    Effect.gen(function* () {
      const found = yield* on("nothing", "nothing")
      expect(found.map(({ status }) => status)).toEqual(["absent", "absent", "absent", "absent", "absent"])
      expect(found.at(-1)).toEqual({ source: "vulkaninfo", status: "absent", details: "not installed" })
    })
  )

  it.effect("have the words of a program that fails, and name driver files that do not exist", () =>
    Effect.gen(function* () {
      const said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
      program("broken/nvidia-smi", `echo "${said}"; exit 9`)
      program("broken/vulkaninfo", "echo 'Cannot create Vulkan instance.' >&2; exit 1")
      const facts = on("nothing", "broken")
      vi.stubEnv("VK_ICD_FILENAMES", "/nowhere/nvidia_icd.json")
      const [, drivers, , smi, vulkaninfo] = yield* facts
      expect(drivers).toEqual({
        source: "Vulkan drivers",
        status: "failed",
        details: "VK_ICD_FILENAMES names files that do not exist: /nowhere/nvidia_icd.json"
      })
      expect(smi).toEqual({ source: "nvidia-smi", status: "failed", details: said })
      expect(vulkaninfo).toEqual({ source: "vulkaninfo", status: "failed", details: "Cannot create Vulkan instance." })
    })
  )
})

describe.skipIf(process.platform !== "linux")("why webgpu does not start", () => {
  const noLoader =
    "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory\n" +
    "    at operator() (/build/Release/_deps/dawn-src/src/dawn/native/vulkan/BackendVk.cpp:368)\n"
  const noDriver =
    "Warning: vkCreateInstance: Found no drivers!\nWarning: vkCreateInstance failed with VK_ERROR_INCOMPATIBLE_DRIVER\n"

  it.effect("the loader is missing", () =>
    Effect.gen(function* () {
      expect(yield* GraphicsDriver.explain("webgpu", noLoader)).toEqual({
        details: "the Vulkan loader, libvulkan.so.1, is missing.",
        remedy:
          "Install it with `apt install libvulkan1` (Debian, Ubuntu) or `dnf install vulkan-loader` (Fedora), and the driver of the card."
      })
    })
  )

  it.effect("there is no driver, and a container of NVIDIA's toolkit that has none says so", () =>
    Effect.gen(function* () {
      vi.stubEnv("NVIDIA_DRIVER_CAPABILITIES", undefined)
      expect((yield* GraphicsDriver.explain("webgpu", noDriver))?.remedy).toContain(
        "`mesa-vulkan-drivers` for AMD and Intel"
      )
      vi.stubEnv("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")
      expect(yield* GraphicsDriver.explain("webgpu", noDriver)).toEqual({
        details: "Vulkan found no driver that works. This container has NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
        remedy: "Start it with NVIDIA_DRIVER_CAPABILITIES=all, which includes `graphics`."
      })
      vi.stubEnv("NVIDIA_DRIVER_CAPABILITIES", "all")
      expect((yield* GraphicsDriver.explain("webgpu", noDriver))?.remedy).toContain("Install the driver")
    })
  )

  it.effect("is not guessed from anything else", () =>
    Effect.gen(function* () {
      expect(yield* GraphicsDriver.explain("webgpu", "No supported adapters")).toBeUndefined()
      expect(yield* GraphicsDriver.explain("cpu", noLoader)).toBeUndefined()
    })
  )
})
