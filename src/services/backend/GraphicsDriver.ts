/**
 * What a machine says about its graphics cards and their drivers, and why a driver does not start.
 *
 * Only cheap sources are asked: files of the kernel, `nvidia-smi`, `vulkaninfo`, and `ldd` for the libraries that CUDA needs.
 * Nothing here fails, and nothing needs these programs: what is not there is reported as such.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { basename, delimiter } from "node:path"
import * as Arr from "effect/Array"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Excerpt from "../../core/Excerpt.ts"
import { plural } from "../../core/Plural.ts"
import { cudaLibrary, installCuda } from "./onnx/OnnxDevice.ts"
import type { Device } from "./onnx/OnnxProtocol.ts"

/** What one source says. `absent` is what many machines do not have; `failed` is a source that is there and does not work. */
export interface Fact {
  readonly source: string
  readonly status: "ok" | "absent" | "failed"
  readonly details: string
}

/** Where a driver can be looked for: the folder that holds `dev`, `proc`, `sys`, `etc` and `usr`. Default: `/`. */
export interface Options {
  readonly root?: string
}

/** Cards and drivers, by source. Sources that belong to another operating system are left out. */
export const facts = ({ root = "" }: Options = {}): Effect.Effect<ReadonlyArray<Fact>> =>
  Effect.all(
    process.platform === "linux"
      ? [cards(root), vulkanDrivers(root), nvidia(root), nvidiaSmi(), vulkaninfo()]
      : [nvidiaSmi()],
    { concurrency: "unbounded" }
  )

/** Why a device did not start, and what to do. */
export interface Explanation {
  readonly details: string
  readonly remedy: string
}

/** Looks for a cause that the error of a device does not name, in what it wrote to the console; undefined if there is none. */
export const explain = (device: Device, output: string): Effect.Effect<Explanation | undefined> =>
  device === "cuda"
    ? missingLibraries
    : Effect.succeed(device === "webgpu" && process.platform === "linux" ? vulkanFault(output) : undefined)

const vulkanFault = (output: string): Explanation | undefined => {
  if (output.includes("Couldn't load Vulkan")) {
    return {
      details: "the Vulkan loader, libvulkan.so.1, is missing.",
      remedy:
        "Install it with `apt install libvulkan1` (Debian, Ubuntu) or `dnf install vulkan-loader` (Fedora), and the driver of the card."
    }
  }
  if (!/Found no drivers|VK_ERROR_INCOMPATIBLE_DRIVER/.test(output)) return undefined
  const details = "Vulkan found no driver that works."
  const capabilities = process.env.NVIDIA_DRIVER_CAPABILITIES
  return capabilities === undefined || /\b(all|graphics)\b/.test(capabilities)
    ? {
        details,
        remedy:
          "Install the driver of the card: `mesa-vulkan-drivers` for AMD and Intel, NVIDIA's own for NVIDIA. For containers see docs/gpu.md."
      }
    : {
        details: `${details} This container has NVIDIA_DRIVER_CAPABILITIES=${Excerpt.of(capabilities)}.`,
        remedy: "Start it with NVIDIA_DRIVER_CAPABILITIES=all, which includes `graphics`."
      }
}

/** The provider says only that it "failed to load shared library": `ldd` names those that are not found. */
const missingLibraries: Effect.Effect<Explanation | undefined> = Effect.gen(function* () {
  const library = cudaLibrary()
  if (library === undefined) return undefined
  if (!existsSync(library)) {
    return {
      details: "its libraries are not installed.",
      remedy: `Run \`${installCuda}\`. CUDA also needs an NVIDIA driver, CUDA 12 and cuDNN 9.`
    }
  }
  const { stdout } = yield* Effect.orElseSucceed(output("ldd", [library]), () => ({ stdout: "" }))
  const missing = Arr.dedupe([...stdout.matchAll(/^\s*(\S+) => not found/gm)].map(([, name = ""]) => name))
  if (missing.length === 0) return undefined
  const [cudnn, others] = Arr.partition(missing, (name) => !name.startsWith("libcudnn"))
  const needs = [...(others.length > 0 ? ["CUDA 12"] : []), ...(cudnn.length > 0 ? ["cuDNN 9"] : [])]
  return {
    details: `${plural(missing.length, { one: "library is", other: "libraries are" })} not found: ${Excerpt.list(missing)}.`,
    remedy: `Install ${needs.join(" and ")}, or add the folder that has ${missing.length === 1 ? "it" : "them"} to LD_LIBRARY_PATH.`
  }
})

/** Vendors of the PCI bus. */
const vendors: { readonly [id: string]: string } = { "0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel" }

const cards = (root: string): Effect.Effect<Fact> =>
  Effect.gen(function* () {
    const nodes = (yield* names(`${root}/dev/dri`)).filter((name) => name.startsWith("renderD"))
    const found = yield* Effect.forEach(nodes, (node) =>
      Effect.map(text(`${root}/sys/class/drm/${node}/device/vendor`), (vendor = "") => {
        const known = vendors[vendor.trim()]
        return known === undefined ? node : `${node} (${known})`
      })
    )
    const others = ["nvidiactl", "dxg"].filter((name) => existsSync(`${root}/dev/${name}`))
    const all = [...found.map((node) => `/dev/dri/${node}`), ...others.map((name) => `/dev/${name}`)]
    return all.length === 0
      ? { source: "graphics card", status: "absent", details: "no /dev/dri, /dev/nvidiactl or /dev/dxg" }
      : { source: "graphics card", status: "ok", details: all.join(", ") }
  })

/** The loader reads VK_DRIVER_FILES (formerly VK_ICD_FILENAMES) instead of the folders where it is set. */
const vulkanDrivers = (root: string): Effect.Effect<Fact> =>
  Effect.gen(function* () {
    const source = "Vulkan drivers"
    const variable = process.env.VK_DRIVER_FILES === undefined ? "VK_ICD_FILENAMES" : "VK_DRIVER_FILES"
    const chosen = process.env[variable]
    if (chosen !== undefined) {
      const missing = chosen.split(delimiter).filter((path) => path !== "" && !existsSync(path))
      return missing.length === 0
        ? { source, status: "ok", details: `${variable}=${chosen}` }
        : { source, status: "failed", details: `${variable} names files that do not exist: ${missing.join(", ")}` }
    }
    const folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
    const found = (yield* Effect.forEach(folders, (folder) => names(`${root}${folder}`))).flat()
    const manifests = found.filter((name) => name.endsWith(".json")).map((name) => basename(name, ".json"))
    return manifests.length === 0
      ? { source, status: "absent", details: "none in /usr/share/vulkan/icd.d or /etc/vulkan/icd.d" }
      : { source, status: "ok", details: manifests.join(", ") }
  })

const nvidia = (root: string): Effect.Effect<Fact> =>
  Effect.map(text(`${root}/proc/driver/nvidia/version`), (found) => {
    const source = "NVIDIA driver"
    if (found === undefined) return { source, status: "absent", details: "not loaded" }
    const version = /Kernel Module.*?\s(\d+(?:\.\d+)+)/.exec(found)?.[1]
    return { source, status: "ok", details: version ?? Excerpt.of(found.split("\n")[0]!) }
  })

const nvidiaSmi = (): Effect.Effect<Fact> =>
  ask("nvidia-smi", ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"], (stdout) =>
    stdout.trim().split("\n")
  )

const vulkaninfo = (): Effect.Effect<Fact> =>
  ask("vulkaninfo", ["--summary"], (stdout) =>
    stdout
      .split(/^GPU\d+:$/m)
      .slice(1)
      .map((block) =>
        ["deviceName", "driverName", "driverInfo"]
          .flatMap((key) => new RegExp(`^\\s*${key}\\s*= (.+)$`, "m").exec(block)?.[1] ?? [])
          .join(", ")
      )
  )

/** What a program prints, as one line; `read` finds the cards in it. */
const ask = (
  program: string,
  words: ReadonlyArray<string>,
  read: (stdout: string) => ReadonlyArray<string>
): Effect.Effect<Fact> =>
  output(program, words).pipe(
    Effect.map(({ code, stderr, stdout }): Fact => {
      const cards = code === 0 ? read(stdout).filter((line) => line !== "") : []
      if (cards.length > 0) return { source: program, status: "ok", details: cards.map(line).join("; ") }
      const [said = "it shows no card"] = `${stdout}\n${stderr}`.split("\n").filter((text) => text.trim() !== "")
      return { source: program, status: "failed", details: line(said) }
    }),
    Effect.catchTag("NoProgram", ({ installed }) => {
      const fact: Fact = installed
        ? { source: program, status: "failed", details: `did not answer in ${limitSeconds} s` }
        : { source: program, status: "absent", details: "not installed" }
      return Effect.succeed(fact)
    })
  )

const line = (text: string): string => Excerpt.of(text.trim(), 160)

/** Long enough for a busy machine: a driver that hangs is told from one that is slow. */
const limitSeconds = 60

/** A program that does not exist or does not answer. */
class NoProgram extends Data.TaggedError("NoProgram")<{ readonly installed: boolean }> {}

interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a program prints, and its exit code. */
const output = (program: string, words: ReadonlyArray<string>): Effect.Effect<Output, NoProgram> =>
  Effect.async<Output, NoProgram>((resume) => {
    const child = execFile(program, words, { env: { ...process.env, LC_ALL: "C" } }, (error, stdout, stderr) => {
      if (error?.code === "ENOENT" || error?.code === "EACCES") resume(new NoProgram({ installed: false }))
      else resume(Effect.succeed({ code: error === null ? 0 : 1, stdout, stderr }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutFail({
      duration: Duration.seconds(limitSeconds),
      onTimeout: () => new NoProgram({ installed: true })
    })
  )

const names = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.orElseSucceed(
    Effect.tryPromise(() => readdir(folder)),
    () => []
  )

const text = (path: string): Effect.Effect<string | undefined> =>
  Effect.orElseSucceed(
    Effect.tryPromise(() => readFile(path, "utf8")),
    () => undefined
  )
