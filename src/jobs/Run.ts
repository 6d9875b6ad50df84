/**
 * What most programs need: one handle that trains, opens, evaluates, generates and exports.
 *
 *     const program = Effect.gen(function* () {
 *       const run = yield* Run.train({ data: texts, tokenizer: "byte", model: "tiny", training: { max_steps: 200 } })
 *       const text = yield* run.generate("To be", { maxNewTokens: 40 })
 *       const { perplexity } = yield* run.evaluate({ data: heldOut })
 *     })
 *     program.pipe(Effect.scoped, Effect.provide(Run.layer()))
 *
 * Options have the names and the defaults of a config, and what is trained is saved as one: `codex` opens such a run too.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Backend } from "../core/Backend.ts"
import * as Config from "../core/config/Config.ts"
import { BackendConfig, type RunConfig } from "../core/config/RunConfig.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { CheckpointStore } from "../core/training/Checkpoint.ts"
import type { RunDirectory } from "../services/runs/RunStore.ts"
import { Environment } from "./Environment.ts"
import * as KnownKeys from "./KnownKeys.ts"
import { tokenizerAt } from "./RunComponents.ts"
import * as RunData from "./RunData.ts"
import * as RunHandle from "./RunHandle.ts"
import * as RunPlan from "./RunPlan.ts"
import * as SavedRun from "./SavedRun.ts"
import * as TrainingRun from "./TrainingRun.ts"

export type { ThreadDependence } from "../core/tensor/ThreadDependence.ts"
export type { RunDirectory } from "../services/runs/RunStore.ts"
export { layer, type Options as LayerOptions } from "./Environment.ts"
export { type OnEvent, ServiceNotGiven } from "./RunComponents.ts"
export { DataChanged, HeldOutUnavailable, RunDataError, TokenizerChanged } from "./RunData.ts"
export type { OnWindow, ResultFiles } from "./RunEvaluation.ts"
export type {
  DefaultMetric,
  EvaluateError,
  EvaluateFileError,
  EvaluateOptions,
  EvaluationFile,
  ExportError,
  GeneratedFile,
  GenerateError,
  GenerateFileError,
  GenerateFileOptions,
  GenerateOptions,
  Run,
  Score
} from "./RunHandle.ts"
export type {
  Composed,
  ConfigOptions,
  Data,
  FromFile,
  FromParts,
  Parts,
  Paths,
  RunPlan,
  Services,
  Settings
} from "./RunPlan.ts"
export {
  NothingToResume,
  OtherConfig,
  OtherDevice,
  OtherPrecision,
  OtherThreads,
  type SavedRun,
  type Which
} from "./SavedRun.ts"

/** How to train, besides the config. */
export interface TrainHooks extends Omit<TrainingRun.TrainOptions, "resume" | "changed"> {
  /** Resume the newest run of this config from its newest checkpoint. Default: false, a new run. */
  readonly resume?: boolean | undefined
}

/**
 * Trains a model as the options describe and returns it with the parameters of the last update.
 *
 * An interruption lets the update in progress end and writes a checkpoint, from which `resume` continues with the same bits.
 *
 * @example
 * const run = yield* Run.train({ data: "notes/*.txt", tokenizer: "byte", model: "tiny", training: { max_steps: 200 } })
 * const other = yield* Run.train({ config: "configs/config.yaml", overrides: ["training.lr=3e-4"] })
 */
export const train = ({ combinator, dataChanged, onEvent, resume, ...options }: RunPlan.ConfigOptions & TrainHooks) =>
  compose(options).pipe(
    Effect.flatMap(plan),
    Effect.flatMap((planned) => trainPlan(planned, { combinator, dataChanged, onEvent, resume }))
  )

/** Errors of `Run.train`. */
export type TrainError = Effect.Effect.Error<ReturnType<typeof train>>

/** The first half of `train`: files, choices, overrides and values as one config. Nothing but config files is read. */
export const compose = (options: RunPlan.ConfigOptions) =>
  Effect.gen(function* () {
    const { files, registry, withDevice } = yield* Environment
    // Plugins that cannot be found are an error of the next step; here they only lack suggestions.
    const keys = (composed: Config.Composed) =>
      registry(RunPlan.pluginsOf(composed)).pipe(
        Effect.flatMap((plugins) => Effect.provideService(KnownKeys.ofPlugins(composed), Registry, plugins)),
        Effect.orElseSucceed(() => []),
        Effect.scoped
      )
    const composed = yield* Effect.provide(RunPlan.composeOptions(options, keys), files)
    return { ...composed, root: yield* withDevice(composed.root) } satisfies RunPlan.Composed
  })

/** A composed config with every key checked by the plugins that it names. */
export const plan = (composed: RunPlan.Composed) =>
  Effect.gen(function* () {
    const { registry } = yield* Environment
    const plugins = yield* registry(RunPlan.pluginsOf(composed))
    return yield* Effect.provideService(RunPlan.decode(composed), Registry, plugins)
  })

/** The second half of `train`. `resume` may also be the directory of a run with this config. */
export const trainPlan = (
  planned: RunPlan.RunPlan,
  {
    resume: from = false,
    ...hooks
  }: Omit<TrainHooks, "resume"> & { readonly resume?: boolean | RunDirectory | undefined } = {}
) =>
  Effect.gen(function* () {
    const { files } = yield* Environment
    if (from !== true) return yield* trainIn(planned, { ...hooks, resume: from === false ? undefined : from })
    const newest = yield* Effect.provide(SavedRun.newestOf(planned.config), files)
    return yield* resume(newest, { ...hooks, expected: planned })
  })

/**
 * How to resume a run that is named. Sections and overrides change its own config: its length, and how it is evaluated, saved, tracked and
 * logged. What decides the bits of the updates so far cannot change.
 */
export interface ResumeOptions
  extends Omit<TrainHooks, "resume">,
    RunPlan.Services,
    Pick<RunPlan.Settings, "training" | "evaluation" | "generation" | "tracking" | "logging"> {
  /** In the notation of the command line: `["training.max_steps=400"]`. */
  readonly overrides?: ReadonlyArray<string> | undefined
  /** The plan of another config, in the place of the run's own with changes. */
  readonly expected?: RunPlan.RunPlan | undefined
}

/**
 * Resumes a run that is named by its directory or id, with its own config. One that has finished continues if it is given more updates.
 *
 * @example
 * const run = yield* Run.resume("runs/20261127-101500-tiny-0a1b")
 * const longer = yield* Run.resume(run.directory, { training: { max_steps: 400 } })
 */
export const resume = (
  pathOrId: string | SavedRun.SavedRun,
  {
    combinator,
    data,
    dataChanged,
    expected,
    model,
    onEvent,
    overrides = [],
    tokenizer,
    ...settings
  }: ResumeOptions = {}
) =>
  Effect.gen(function* () {
    const saved = yield* savedRun(pathOrId)
    const { run } = saved
    const changes = overrides.length > 0 || Object.values(settings).some((value) => value !== undefined)
    const planned = expected ?? (changes ? yield* planSaved(saved, overrides, settings) : undefined)
    const changed = planned === undefined ? [] : yield* SavedRun.changesOf(saved, planned.config)
    // What may not change is equal in both, so an environment variable in `expected` is not written to the run.
    const config = planned !== undefined && changed.length > 0 ? planned.config : saved.config
    return yield* trainIn(
      {
        config,
        text: RunPlan.textOf(config),
        dryRun: false,
        // Its files are those that it was trained on, or the change of the data is refused.
        datasetChosen: planned?.datasetChosen ?? true,
        services: {
          data: data ?? expected?.services.data,
          model: model ?? expected?.services.model,
          tokenizer: tokenizer ?? expected?.services.tokenizer
        }
      },
      { changed, combinator, dataChanged, onEvent, resume: run, backend: yield* savedBackend(config) }
    )
  })

/** A run's own config with overrides and sections. */
export const composeSaved = (
  { run }: SavedRun.SavedRun,
  overrides: ReadonlyArray<string>,
  settings: Partial<RunPlan.Settings> = {}
) =>
  Effect.gen(function* () {
    const { files } = yield* Environment
    return yield* Effect.provide(RunPlan.composeOptions({ config: run.configFile, overrides, ...settings }), files)
  })

const planSaved = (saved: SavedRun.SavedRun, overrides: ReadonlyArray<string>, settings: Partial<RunPlan.Settings>) =>
  Effect.flatMap(composeSaved(saved, overrides, settings), plan)

/** Two updates of a plan without a run: checks everything, and measures the second update. */
export const dryRun = (planned: RunPlan.RunPlan, options: Pick<TrainHooks, "onEvent"> = {}) =>
  Effect.gen(function* () {
    const context = yield* contextOf(planned.config, planned.config.backend)
    return yield* Effect.provide(TrainingRun.dryRun(planned, options), context)
  })

/** A run on disk with its config: enough to see what it is, without loading the model. */
export const find = (pathOrId: string) =>
  Effect.flatMap(Environment, ({ files }) => Effect.provide(SavedRun.find(pathOrId), files))

const savedRun = (pathOrId: string | SavedRun.SavedRun) =>
  typeof pathOrId === "string" ? find(pathOrId) : Effect.succeed(pathOrId)

/** How to open a run. */
export interface OpenOptions extends RunPlan.Services {
  /** Which parameters to use. `best` is the best on held-out text. Default: `best`. */
  readonly checkpoint?: SavedRun.Which | undefined
}

/**
 * Opens a run by its directory or id, or the directory of one of its checkpoints. A run that was trained with a service in
 * the place of a config section takes that service again.
 *
 * @example
 * const run = yield* Run.open("runs/20261127-101500-tiny-0a1b", { checkpoint: "last" })
 */
export const open = (pathOrId: string | SavedRun.SavedRun, { checkpoint = "best", ...services }: OpenOptions = {}) =>
  Effect.gen(function* () {
    const saved = yield* savedRun(pathOrId)
    const { files, registry } = yield* Environment
    const plugins = yield* registry(saved.config.plugins)
    return yield* Effect.gen(function* () {
      const { files, parameters, path, state } = yield* SavedRun.load(saved, checkpoint)
      const { config, run } = saved
      const tokenizer = yield* tokenizerAt(config.tokenizer, run.tokenizer, services.tokenizer)
      yield* RunData.requireTokenizer(run.directory, files, tokenizer)
      const backend = yield* savedBackend(config)
      return yield* RunHandle.make({
        run,
        config,
        services,
        path,
        state,
        parameters: Effect.succeed(parameters),
        backend
      })
    }).pipe(Effect.provide(Context.add(files, Registry, plugins)))
  })

/** Errors of `Run.open`. */
export type OpenError = Effect.Effect.Error<ReturnType<typeof open>>

const BackendSection = Schema.Struct({ backend: BackendConfig })

/**
 * The backend of a saved config, unless the layer or the environment names another. `cpu` is the default: a run that was trained
 * there can be used where onnxruntime-node is missing.
 */
const savedBackend = ({ backend }: RunConfig) =>
  Effect.gen(function* () {
    const { withDevice } = yield* Environment
    const saved = backend.device === "cpu" ? Struct.omit(backend, "device") : backend
    const { root } = Config.fromValue({ backend: saved }, "the config of the run")
    const section = { root: yield* withDevice(root), files: [] }
    return (yield* Config.decode(BackendSection, section)).backend
  })

const trainIn = (
  planned: RunPlan.RunPlan,
  options: TrainingRun.TrainOptions & { readonly backend?: BackendConfig | undefined }
) =>
  Effect.gen(function* () {
    const { config, services } = planned
    const { backend = config.backend, ...hooks } = options
    const context = yield* contextOf(config, backend)
    return yield* Effect.gen(function* () {
      const { checkpoint, run, state } = yield* TrainingRun.train(planned, hooks)
      const store = yield* CheckpointStore
      const path = checkpoint ?? (yield* SavedRun.checkpointOf({ run, config, checkpoint: undefined }, "last"))
      const parameters = yield* Effect.cached(Effect.map(store.loadModel(path), (loaded) => loaded.parameters))
      return yield* RunHandle.make({ run, config, services, path, state, parameters, backend })
    }).pipe(Effect.provide(context))
  })

/** Everything that training needs, for the lifetime of the scope. */
const contextOf = (config: RunConfig, device: BackendConfig) =>
  Effect.gen(function* () {
    const { backend, files, registry } = yield* Environment
    const plugins = yield* registry(config.plugins)
    return Context.add(Context.add(files, Registry, plugins), Backend, yield* backend(device))
  })
