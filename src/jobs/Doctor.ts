/**
 * Examines a machine: what of codex works there, and why the rest does not.
 *
 *     const report = yield* Doctor.examine()
 *     report.devices.filter(({ status }) => status === "ok").map(({ name }) => name)       // ["cpu", "wasm"]
 *
 * Nothing is installed or written. Each device of the platform is really started, in a process of its own (DeviceTrial), so one
 * that aborts or hangs is a finding like any other. Plugins and configs are not examined.
 */
import { statfs } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { BackendError, type DeviceInfo } from "../core/Backend.ts"
import { DeviceName } from "../core/config/RunConfig.ts"
import * as FileFault from "../core/data/FileFault.ts"
import * as Version from "../core/Version.ts"
import * as DeviceTrial from "../services/backend/DeviceTrial.ts"
import * as GraphicsDriver from "../services/backend/GraphicsDriver.ts"
import * as OnnxBackend from "../services/backend/OnnxBackend.ts"
import * as OnnxDevice from "../services/backend/onnx/OnnxDevice.ts"
import * as OnnxRuntime from "../services/backend/onnx/OnnxRuntime.ts"
import * as Sqlite from "../services/logs/Sqlite.ts"
import { defaultDirectory } from "../services/runs/TokenCache.ts"

/** One thing that was examined. */
export const Finding = Schema.Struct({
  /** A package, a device, a program or a folder. */
  name: Schema.String,
  /** `warning`: it works, and something about it may surprise. `absent`: it is not there, and codex works without it. */
  status: Schema.Literal("ok", "warning", "failed", "absent"),
  /** What it is, or what is wrong. */
  details: Schema.String,
  /** What to do, where something is wrong. */
  remedy: Schema.optional(Schema.String)
})
export type Finding = typeof Finding.Type

/** The result of `examine`, and of `codex doctor --json`. */
export const Report = Schema.Struct({
  /** The version of codex. */
  codex: Schema.String,
  /** As Node names it: `linux-x64`. */
  platform: Schema.String,
  /** Node, packages, and what they provide. */
  software: Schema.Array(Finding),
  /** Every device; `threads` for those that start. */
  devices: Schema.Array(Schema.Struct({ ...Finding.fields, threads: Schema.optional(Schema.Number) })),
  /** The device of a run that names none, and of one with `backend.device=auto`. */
  chosen: Schema.Struct({
    default: Schema.String,
    auto: Schema.String,
    /** The value of CODEX_DEVICE, where it decides the default. */
    variable: Schema.optional(DeviceName)
  }),
  /** What the machine says about graphics cards and drivers. */
  graphics: Schema.Array(Finding),
  /** Where codex writes, below the working directory. */
  folders: Schema.Array(Schema.Struct({ ...Finding.fields, freeBytes: Schema.optional(Schema.Number) }))
})
export type Report = typeof Report.Type

/** Examines this machine, from the working directory. Fails only where CODEX_DEVICE or CODEX_THREADS is wrong. */
export const examine = (): Effect.Effect<Report, ConfigError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { device: variable, threads } = yield* OnnxBackend.fromEnvironment
    const { folders, graphics, sqlite, trials } = yield* Effect.all(
      {
        trials: Effect.forEach(OnnxDevice.devices, (device) => tryDevice(device, threads), {
          concurrency: "unbounded"
        }),
        graphics: GraphicsDriver.facts(),
        sqlite: examineSqlite,
        folders: Effect.forEach(["runs", ".codex", defaultDirectory, "artifacts"], examineFolder)
      },
      { concurrency: "unbounded" }
    )
    const [cpu, wasm] = trials
    return {
      codex: Version.version,
      platform: `${process.platform}-${process.arch}`,
      software: [
        examineNode(process.versions.node),
        examineEffect(versionOf("effect")),
        examineRuntime("onnxruntime-node", cpu!.outcome),
        examineRuntime("onnxruntime-web", wasm!.outcome),
        sqlite
      ],
      devices: trials.map(deviceFinding),
      chosen: { ...choose(trials, variable), ...(variable === undefined ? {} : { variable }) },
      graphics: graphics.map(({ details, source, status }) => ({ name: source, status, details })),
      folders
    }
  })

/** Why a run without a named device cannot start; `none` where it can. */
export const problem = ({ chosen, devices }: Report): Option.Option<BackendError> =>
  Arr.findFirst(devices, ({ name, status }) => name === chosen.default && status !== "ok").pipe(
    Option.map(
      ({ details, name, remedy }) => new BackendError({ reason: "Unavailable", subject: name, details, remedy })
    )
  )

type Device = (typeof OnnxDevice.devices)[number]

/** A device, and how it started; undefined where it was not tried, because the platform does not have it. */
interface Trial {
  readonly device: Device
  readonly outcome: Either.Either<DeviceInfo, BackendError> | undefined
}

const tryDevice = (device: Device, threads: number | undefined): Effect.Effect<Trial> =>
  OnnxDevice.elsewhere(device) === undefined
    ? Effect.map(Effect.either(DeviceTrial.start(device, { threads })), (outcome) => ({ device, outcome }))
    : Effect.succeed({ device, outcome: undefined })

const deviceFinding = ({ device, outcome }: Trial): Report["devices"][number] => {
  if (outcome === undefined) return { name: device, status: "absent", details: OnnxDevice.elsewhere(device)! }
  if (Either.isLeft(outcome)) {
    const { details, remedy } = outcome.left
    return { name: device, status: "failed", details, ...(remedy === undefined ? {} : { remedy }) }
  }
  const { description, threads } = outcome.right
  const skipped = OnnxDevice.absence(device)
  const details =
    skipped === undefined ? description : `${description}; auto skips it, because ${skipped.replace(/\.$/, "")}`
  return { name: device, status: "ok", details, threads }
}

/** As OnnxBackend chooses: a test compares the two. */
const choose = (trials: ReadonlyArray<Trial>, variable: typeof DeviceName.Type | undefined) => {
  const starts = (device: Device) =>
    trials.some((trial) => trial.device === device && trial.outcome !== undefined && Either.isRight(trial.outcome))
  const processor = isMissing(trials[0]!.outcome) ? "wasm" : "cpu"
  const accelerator = OnnxDevice.accelerators(process.platform).find(
    (device) => OnnxDevice.absence(device) === undefined && starts(device)
  )
  const auto = accelerator ?? processor
  return { default: variable === undefined ? processor : variable === "auto" ? auto : variable, auto }
}

/** The build of ONNX Runtime that the device needs is not installed, or cannot be loaded. */
const isMissing = (outcome: Trial["outcome"]): boolean =>
  outcome !== undefined && Either.isLeft(outcome) && Predicate.isTagged(outcome.left.cause, "RuntimeMissing")

const examineNode = (version: string): Finding =>
  Version.isNodeSupported(version)
    ? { name: "Node", status: "ok", details: version }
    : {
        name: "Node",
        status: "failed",
        details: `${version}; codex needs ${Version.node} or newer.`,
        remedy: "Install a newer Node: https://nodejs.org"
      }

const examineEffect = (version: string | undefined): Finding => {
  const name = "effect"
  if (version === undefined) {
    return { name, status: "failed", details: "not installed.", remedy: "To install it: npm install effect@3" }
  }
  const problem = Version.effectProblem(version)
  return problem === undefined
    ? { name, status: "ok", details: version }
    : { name, status: "failed", details: `${problem}.` }
}

/** Judged by the device that needs nothing but this package. */
const examineRuntime = (name: string, outcome: Trial["outcome"]): Finding => {
  if (outcome === undefined) return { name, status: "absent", details: "not for this platform" }
  if (Either.isRight(outcome)) {
    // The description begins with the package and the version that it says it has.
    const found = outcome.right.description.split(/[ ,]+/)[1]!
    const tested = OnnxRuntime.version
    return found === tested
      ? { name, status: "ok", details: found }
      : {
          name,
          status: "warning",
          details: `${found}; codex is tested with ${tested}.`,
          remedy: `npm install ${name}@${tested}`
        }
  }
  if (!isMissing(outcome)) return { name, status: "failed", details: "its device does not start: see the devices." }
  const { details, remedy } = outcome.left
  return {
    name,
    // Without the native build, runs use the other one.
    status: name === "onnxruntime-node" ? "warning" : "failed",
    details,
    ...(remedy === undefined ? {} : { remedy })
  }
}

/** Session logs use it; without it they are files of NDJSON. */
const examineSqlite: Effect.Effect<Finding> = Effect.gen(function* () {
  const { rows } = yield* Sqlite.open({ path: ":memory:" })
  const [row] = yield* rows("SELECT sqlite_version() AS version")
  return `${versionOf("better-sqlite3") ?? "installed"}, SQLite ${row?.version}`
}).pipe(
  Effect.scoped,
  Effect.match({
    onSuccess: (details): Finding => ({ name: "better-sqlite3", status: "ok", details }),
    onFailure: (fault): Finding => {
      const { details, remedy } =
        fault.reason === "Unavailable" ? Sqlite.unavailable(fault) : { details: fault.message, remedy: undefined }
      return {
        name: "better-sqlite3",
        status: "warning",
        details: `${details} Session logs are files of NDJSON.`,
        ...(remedy === undefined ? {} : { remedy })
      }
    }
  })
)

/** A folder need not exist: codex creates it, so the nearest folder above it that does exist must be writable. */
const examineFolder = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const existing = (folder: string): Effect.Effect<string> =>
      Effect.orElseSucceed(fs.exists(folder), () => true).pipe(
        Effect.flatMap((exists) => (exists ? Effect.succeed(folder) : existing(dirname(folder))))
      )
    const folder = yield* existing(resolve(path))
    return yield* Effect.gen(function* () {
      const { type } = yield* fs.stat(folder)
      if (type !== "Directory") {
        return {
          name: path,
          status: "failed",
          details: `${folder} is not a directory.`,
          remedy: "Move or rename it."
        } as const
      }
      yield* fs.access(folder, { writable: true })
      const { bavail, bsize } = yield* Effect.tryPromise(() => statfs(folder))
      return { name: path, status: "ok", details: "writable", freeBytes: bavail * bsize } as const
    }).pipe(
      Effect.catchAll((cause) => {
        const { details, remedy } = FileFault.of(cause)
        return Effect.succeed({ name: path, status: "failed", details: `${folder}: ${details}.`, remedy } as const)
      })
    )
  })

/** The version of a package that is installed here. */
const versionOf = (name: string): string | undefined =>
  Option.getOrUndefined(
    Option.flatMap(
      Option.liftThrowable((path: string): unknown => createRequire(import.meta.url)(path))(`${name}/package.json`),
      (manifest) =>
        Predicate.hasProperty(manifest, "version") && Predicate.isString(manifest.version)
          ? Option.some(manifest.version)
          : Option.none()
    )
  )
