/**
 * Runs that are already there: which one is meant, the config that it was made with, and which of its checkpoints to use.
 *
 * A run is its config: resuming it with another one would give bits that no config describes. Configs are compared as decoded,
 * so the order of keys, comments and defaults that are written out do not matter.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type { DeviceInfo } from "../core/Backend.ts"
import { formatPath, show } from "../core/config/ConfigIssue.ts"
import { RunConfig } from "../core/config/RunConfig.ts"
import * as ExitCode from "../core/ExitCode.ts"
import { plural } from "../core/Plural.ts"
import { maximumThreads } from "../core/tensor/ThreadDependence.ts"
import { type Checkpoint, CheckpointError, CheckpointStore } from "../core/training/Checkpoint.ts"
import { type RunDirectory, RunStore } from "../services/runs/RunStore.ts"
import { decodeSaved } from "./RunPlan.ts"

/** Which checkpoint of a run: the newest, the best on held-out text, or the one of a step. */
export type Which = "last" | "best" | number

/** No run has the config, so there is nothing to resume. */
export class NothingToResume extends Schema.TaggedError<NothingToResume>()("NothingToResume", {
  root: Schema.String,
  runs: Schema.Number,
  /** The newest run that could be given the config, else the newest, and where its config differs. */
  nearest: Schema.optional(Schema.String),
  differences: Schema.Array(Schema.String),
  /** Whether a run that is resumed may change these keys. */
  changeable: Schema.Boolean
}) {
  override get message() {
    if (this.runs === 0) return `${this.root}: there is no run to resume. Start one without --resume.`
    const differs = this.differences.slice(0, 5).join(", ")
    const none = this.runs === 1 ? "the only run does not have" : `none of the ${this.runs} runs has`
    return (
      `${this.root}: ${none} this config, so there is nothing to resume. ` +
      (this.changeable
        ? `${this.nearest} differs only in ${differs}: to resume it with this change, name it with --run ${this.nearest}. Or start a new run without --resume.`
        : `The newest, ${this.nearest}, differs in ${differs}. Start a new run without --resume, or name the run with --run.`)
    )
  }
}

/** What a resumed run may change in its config: how long it trains, and what does not touch its weights. */
const mayChange = [
  "training.max_steps",
  "training.epochs",
  "training.early_stopping_patience",
  "training.eval_steps",
  "training.eval_windows",
  "training.save_steps",
  "training.save_total_limit",
  "training.logging_steps",
  "evaluation",
  "generation",
  "tracking",
  "plugins",
  // The data itself decides (RunData.ts): the same text under another path is the same data.
  "data"
]

/** A resumed run is given another config where that would change what its weights mean. */
export class OtherConfig extends Schema.TaggedError<OtherConfig>()("OtherConfig", {
  run: Schema.String,
  differences: Schema.Array(Schema.String)
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    const keys = this.differences.length === 1 ? "this key" : "these keys"
    return (
      `${this.run}: this run was made with another config: ${this.differences.join(", ")}. A run that is resumed cannot change ${keys}; ` +
      "it can change its length (training.max_steps, training.epochs), how it is evaluated, saved, tracked and logged, and where " +
      `its data is. Resume it without the change, or start a new run from its weights: codex train --from ${this.run} …`
    )
  }
}

/** A run that was trained on another device than the one that started: resuming it there would not give the same bits. */
export class OtherDevice extends Schema.TaggedError<OtherDevice>()("OtherDevice", {
  run: Schema.String,
  trained: Schema.String,
  started: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: this run was trained on device ${this.trained}, and on ${this.started} it would not continue with the same bits. ` +
      `Resume it with CODEX_DEVICE=${this.trained}, or start a new run.`
    )
  }
}

/** A run that was trained in another precision than the one that was started. */
export class OtherPrecision extends Schema.TaggedError<OtherPrecision>()("OtherPrecision", {
  run: Schema.String,
  trained: Schema.String,
  started: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: this run was trained in ${this.trained}, and in ${this.started} it would not continue with the same bits. ` +
      `Resume it with CODEX_PRECISION=${this.trained}, or start a new run.`
    )
  }
}

/**
 * A run that was trained with another number of threads than the one that was started, and whose bits depend on it. Those of most
 * runs do not: see core/tensor/ThreadDependence.ts.
 */
export class OtherThreads extends Schema.TaggedError<OtherThreads>()("OtherThreads", {
  run: Schema.String,
  trained: Schema.Number,
  started: Schema.Number,
  /** What depends on the number. */
  dependence: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return (
      `${this.run}: this run was trained with ${plural(this.trained, "thread")}, and with ${this.started} it would not continue ` +
      `with the same bits. ${this.dependence}. ` +
      `Resume it with CODEX_THREADS=${this.trained}, or start a new run.`
    )
  }
}

/** A run on disk, with the config that it was made with. */
export interface SavedRun {
  readonly run: RunDirectory
  readonly config: RunConfig
  /** The checkpoint that was named by its directory, instead of the run. */
  readonly checkpoint: string | undefined
}

/** Finds a run by its directory or id, or by the directory of one of its checkpoints, and reads its config. */
export const find = (pathOrId: string) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const isCheckpoint = yield* fs.exists(paths.join(pathOrId, "manifest.json")).pipe(Effect.orElseSucceed(() => false))
    const run = yield* store.open(isCheckpoint ? paths.dirname(paths.dirname(paths.resolve(pathOrId))) : pathOrId)
    return { run, config: yield* configOf(run), checkpoint: isCheckpoint ? pathOrId : undefined } satisfies SavedRun
  })

/** The newest run of this config. */
export const newestOf = (config: RunConfig) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const runs = yield* store.list
    let nearest:
      | { readonly run: RunDirectory; readonly differences: ReadonlyArray<Difference>; readonly changeable: boolean }
      | undefined
    for (const run of runs) {
      const saved = yield* Effect.either(configOf(run))
      if (Either.isLeft(saved)) continue
      const differences = difference(encoded(saved.right), encoded(config))
      if (differences.length === 0) return { run, config: saved.right, checkpoint: undefined } satisfies SavedRun
      const changeable = differences.every(isChangeable)
      if (nearest === undefined || (changeable && !nearest.changeable)) nearest = { run, differences, changeable }
    }
    return yield* new NothingToResume({
      root: store.root,
      runs: runs.length,
      nearest: nearest?.run.directory,
      differences: nearest?.differences.map(({ words }) => words) ?? ["a config that cannot be read"],
      changeable: nearest?.changeable ?? false
    })
  })

const isChangeable = ({ key }: Difference): boolean =>
  mayChange.some((prefix) => key === prefix || key.startsWith(`${prefix}.`))

/** The keys in which a config differs from that of a run. Fails if a run that is resumed cannot change one of them. */
export const changesOf = (
  { config, run }: SavedRun,
  wanted: RunConfig
): Effect.Effect<ReadonlyArray<string>, OtherConfig> => {
  const differences = difference(encoded(config), encoded(wanted))
  const refused = differences.filter((found) => !isChangeable(found))
  return refused.length === 0
    ? Effect.succeed(differences.map(({ key }) => key))
    : new OtherConfig({ run: run.directory, differences: refused.map(({ words }) => words) })
}

/**
 * Fails if the checkpoint that a run is resumed from was written on another device, in another precision, or with another number of
 * threads where the bits depend on it. Checkpoints of codex 0.1.0 do not say.
 */
export const requireDevice = (
  run: Pick<RunDirectory, "directory">,
  { provenance }: Pick<Checkpoint, "provenance">,
  { device, precision = "float32", threads }: Pick<DeviceInfo, "device" | "precision" | "threads">
): Effect.Effect<void, OtherDevice | OtherPrecision | OtherThreads> => {
  const trained = { device: provenance.backend ?? device, threads: Number(provenance.threads ?? threads) }
  if (trained.device !== device) {
    return new OtherDevice({ run: run.directory, trained: trained.device, started: device })
  }
  const { precision: trainedIn = "float32" } = provenance
  if (trainedIn !== precision) {
    return new OtherPrecision({ run: run.directory, trained: trainedIn, started: precision })
  }
  if (trained.threads === threads) return Effect.void
  const { thread_dependence: recorded = "none" } = provenance
  const tooMany = Math.max(trained.threads, threads) > maximumThreads
  const dependence = recorded === "none" && tooMany ? `Bits are the same at 1 to ${maximumThreads} threads` : recorded
  return dependence === "none"
    ? Effect.void
    : new OtherThreads({ run: run.directory, trained: trained.threads, started: threads, dependence })
}

const configOf = (run: RunDirectory) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    return yield* decodeSaved(yield* store.config(run), run.configFile)
  })

/**
 * What decides a run's bits. How it is logged does not, and its checkpoints say on which device, in which precision and with how
 * many threads they were written.
 */
const encoded = (config: RunConfig): unknown => {
  const { backend, logging: _, ...deciding } = Schema.encodeSync(RunConfig)(config)
  return { ...deciding, backend: Struct.omit({ ...backend }, "device", "threads", "precision") }
}

interface Difference {
  readonly key: string
  /** `training.lr (0.001 there, 0.002 here)` */
  readonly words: string
}

/** Keys in which two configs differ. */
const difference = (there: unknown, here: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<Difference> => {
  if (Predicate.isRecord(there) && Predicate.isRecord(here)) {
    const keys = new Set([...Object.keys(there), ...Object.keys(here)])
    return [...keys].flatMap((key) => difference(there[key], here[key], [...path, key]))
  }
  const key = formatPath(path)
  return JSON.stringify(there) === JSON.stringify(here)
    ? []
    : [{ key, words: `${key} (${show(there)} there, ${show(here)} here)` }]
}

/** The directory of a checkpoint of a run. `best` falls back to the newest where nothing was held out. */
export const checkpointOf = ({ checkpoint, run }: SavedRun, which: Which) =>
  Effect.gen(function* () {
    if (checkpoint !== undefined) return checkpoint
    const checkpoints = yield* CheckpointStore
    const missing = (details: string, remedy: string) =>
      new CheckpointError({ reason: "Missing", path: run.checkpoints, details, remedy })
    if (typeof which === "number") {
      const all = yield* checkpoints.list(run.checkpoints)
      const found = all.find(({ step }) => step === which)
      if (found !== undefined) return found.path
      const steps = all.map(({ step }) => step).join(", ")
      return yield* missing(
        `There is no checkpoint of step ${which}.`,
        steps === "" ? "The run has none." : `There are checkpoints of the steps ${steps}.`
      )
    }
    const newest = yield* checkpoints.newest(run.checkpoints)
    if (newest === undefined) {
      return yield* missing("The run has no complete checkpoint yet.", "Resume it with `codex train --resume`.")
    }
    if (which === "last") return newest.path
    const all = yield* checkpoints.list(run.checkpoints)
    return all.find(({ step }) => step === newest.checkpoint.state.best?.step)?.path ?? newest.path
  })

/** Choices of a checkpoint while another process trains the run and removes those that it has replaced. */
const choices = 10

/**
 * A checkpoint of a run, without its optimizer state. The process that trains the run may remove it between the choice and the
 * reading; then the choice is made again.
 */
export const load = (saved: SavedRun, which: Which) =>
  Effect.gen(function* () {
    const checkpoints = yield* CheckpointStore
    for (let left = choices; ; left--) {
      const path = yield* checkpointOf(saved, which)
      const loaded = yield* Effect.either(checkpoints.loadModel(path))
      if (Either.isRight(loaded)) return { ...loaded.right, path }
      // A file that is missing is incomplete for the reader, whether the whole directory is gone or not.
      const all = yield* checkpoints.list(saved.run.checkpoints)
      const isRemoved = loaded.left.reason === "Missing" || !all.some((checkpoint) => checkpoint.path === path)
      if (!isRemoved || saved.checkpoint !== undefined || left === 0) return yield* loaded.left
    }
  })
