/**
 * The job behind `codex train`: a run config becomes a run directory with checkpoints and metrics. `Run.train` calls it.
 *
 * Makes the components that the config names, creates (or resumes) a run, and drives the stream of Training.ts through
 * evaluation, early stopping, checkpoints and trackers. An interruption lets the update in progress end and writes a last
 * checkpoint. `dryRun` does the same up to and including two updates, without a run.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Backend } from "../core/Backend.ts"
import type { RunConfig } from "../core/config/RunConfig.ts"
import { decodePrograms } from "../core/generation/Generation.ts"
import { plural } from "../core/Plural.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tracker } from "../core/Tracker.ts"
import type { ParameterSpecs } from "../core/tensor/Module.ts"
import * as ThreadDependence from "../core/tensor/ThreadDependence.ts"
import { CheckpointStore, TrainState } from "../core/training/Checkpoint.ts"
import type { Prepared, Started, Step, TrainEvent } from "../core/training/TrainEvent.ts"
import * as Training from "../core/training/Training.ts"
import { TrainingSession } from "../core/training/TrainingSession.ts"
import { writeFiles } from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"
import { type RunDirectory, RunStore } from "../services/runs/RunStore.ts"
import * as RunComponents from "./RunComponents.ts"
import * as RunData from "./RunData.ts"
import type { RunPlan } from "./RunPlan.ts"
import * as SavedRun from "./SavedRun.ts"

export interface TrainOptions {
  /** A run to resume from its newest complete checkpoint. */
  readonly resume?: RunDirectory | undefined
  /** Keys in which the config differs from the one that the run had until now. */
  readonly changed?: ReadonlyArray<string> | undefined
  /** Accepts data that has changed since the run was started, and records the change. Default: it is refused. */
  readonly dataChanged?: "continue" | undefined
  /** Called with every event of preparation and training, in order. */
  readonly onEvent?: RunComponents.OnEvent | undefined
  /** A combinator on the stream of events, after evaluation and early stopping and before checkpoints and trackers. */
  readonly combinator?: Training.Combinator | undefined
}

/** The stream of a run's events: every feature of the config, in the order in which they depend on each other. */
const events = (
  { training }: RunPlan["config"],
  run: RunDirectory,
  tracker: Tracker.Session,
  stop: Effect.Effect<boolean>,
  options: { readonly holdsOut: boolean; readonly combinator: Training.Combinator }
) => {
  const steps = Training.steps({ stop })
  const { early_stopping_patience: patience } = training
  const evaluated = options.holdsOut ? Training.evaluateEvery({ steps: training.eval_steps })(steps) : steps
  const ended = options.holdsOut && patience !== undefined ? Training.earlyStop({ patience })(evaluated) : evaluated
  return options.combinator(ended).pipe(
    Training.checkpointEvery({
      steps: training.save_steps,
      directory: run.checkpoints,
      keepLast: training.save_total_limit
    }),
    Training.track(tracker, { every: training.logging_steps })
  )
}

type TrainFailure = Stream.Stream.Error<ReturnType<typeof events>>

/**
 * Trains, and returns the run with its last state. A resumed run that is finished is returned as it is, unless it was extended.
 * Components live as long as the scope; the run's lock, the session and the trackers are released at the end of training.
 */
export const train = (plan: RunPlan, options: TrainOptions = {}) =>
  Effect.gen(function* () {
    const { changed = [], combinator = (events) => events, onEvent = () => Effect.void, resume } = options
    const { config, text } = plan
    const scope = yield* Effect.scope
    const store = yield* RunStore
    const checkpoints = yield* CheckpointStore
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const run = resume ?? (yield* store.create({ name: config.name, config: text }))
        if (resume !== undefined) {
          yield* store.lock(run)
          yield* checkpoints.tidy(run.checkpoints)
        }
        const newest = resume === undefined ? undefined : yield* checkpoints.newest(run.checkpoints)
        if (newest !== undefined && newest.checkpoint.state.finished !== null && !reopens(changed)) {
          const { state } = newest.checkpoint
          if (changed.some((key) => key.split(".")[0] === "data")) yield* requireData(plan, run, state.step)
          if (changed.length > 0) yield* store.replaceConfig(run, text, state.step)
          return { run, state, checkpoint: newest.path }
        }
        const { holdsOut, session } = yield* prepare(plan, run, newest, { ...options, scope }).pipe(
          Effect.tapError(() => (resume === undefined ? discard(run) : Effect.void))
        )
        const tracker = yield* Tracker.all(yield* trackersOf(plan)).open({
          id: run.id,
          directory: run.directory,
          config,
          fromStep: session.started.fromStep
        })
        yield* Training.runInterruptibly(
          (stop): Stream.Stream<TrainEvent, TrainFailure, CheckpointStore | TrainingSession> =>
            events(config, run, tracker, stop, { holdsOut, combinator }),
          onEvent
        ).pipe(Effect.provideService(TrainingSession, session))
        return { run, state: yield* Ref.get(session.state), checkpoint: yield* Ref.get(session.lastCheckpoint) }
      })
    )
  })

/** The newest checkpoint of a run, with its path. */
type Newest = Effect.Effect.Success<ReturnType<CheckpointStore.Service["newest"]>>

/**
 * Components and session of a run, before its next update. Checks that the device, the tokenizer and the data are those of its
 * checkpoints, and records what it knows of its data. Components live as long as the scope that is given.
 */
const prepare = (
  plan: RunPlan,
  run: RunDirectory,
  newest: Newest,
  options: Pick<TrainOptions, "changed" | "dataChanged" | "onEvent"> & { readonly scope: Scope.Scope }
) =>
  Effect.gen(function* () {
    const { changed = [], dataChanged, onEvent = () => Effect.void, scope } = options
    const { config, text } = plan
    const store = yield* RunStore
    const checkpoints = yield* CheckpointStore
    const { info } = yield* Backend
    const done = newest?.checkpoint.state
    const step = done?.step ?? 0
    if (newest !== undefined) yield* SavedRun.requireDevice(run, newest.checkpoint, info)
    const known = Option.getOrUndefined(yield* RunData.read(run))
    const parent = newest === undefined && config.from !== undefined ? yield* parentOf(config.from) : undefined
    if (parent !== undefined) yield* takeTokenizer(config, run.tokenizer, parent)
    const check: RunComponents.Check<RunData.DataChanged | RunData.TokenizerChanged> = (found) =>
      Effect.gen(function* () {
        if (parent !== undefined) yield* RunData.requireTokenizer(parent.path, parent.checkpoint.files, found.tokenizer)
        if (known !== undefined)
          yield* RunData.requireSame(run, known, found, { step, accepted: dataChanged === "continue" })
      })
    const components = yield* Scope.extend(RunComponents.make(plan, run.tokenizer, { onEvent, check }), scope)
    const trained = RunData.trainedOf(components.identity, components.tokenizer, components.tokens)
    const { train, validation: heldOut } = yield* RunComponents.scorable(components)
    const training = trainingOf(config, known, changed)
    const planned = { ...components, tokens: { train, validation: heldOut }, training }
    const { contextLength, totalSteps } = yield* TrainingSession.plan(planned)
    if (reopens(changed)) yield* requireLength(totalSteps, step)
    const data = yield* RunData.next(known, trained, {
      step,
      updates: totalSteps,
      parent: parent && { path: parent.path, step: parent.checkpoint.state.step, data: parent.data }
    })
    const validation = RunData.notHeldOut(data)?.reason === "trained" ? undefined : heldOut
    const sameHeldOut =
      known === undefined ||
      (known.validation.digest === trained.validation.digest &&
        validation !== undefined &&
        !changed.includes("training.eval_windows"))
    const tokens = { train, validation }
    yield* onEvent(RunComponents.preparedOf(run.directory, components.tokenizer, tokens, contextLength))
    const commit = yield* store.gitCommit
    const session = yield* TrainingSession.make({
      ...planned,
      tokens,
      files: { "run.yaml": text },
      provenance: {
        backend: info.device,
        precision: info.precision ?? "float32",
        ...RunData.provenanceOf(trained),
        ...(config.from === undefined ? {} : { from: config.from }),
        ...(commit === undefined ? {} : { git_commit: commit })
      },
      resume: newest && {
        ...newest.checkpoint,
        state: resumedState(newest.checkpoint.state, { extended: reopens(changed), sameHeldOut })
      },
      parameters: parent?.checkpoint.parameters
    })
    yield* Effect.forEach(notes(run, known, data, done), (note) => Effect.logWarning(note))
    if (changed.length > 0) yield* store.replaceConfig(run, text, step)
    yield* RunData.write(run, data)
    if (newest !== undefined) {
      yield* Ref.set(session.lastCheckpoint, newest.path)
      const saved = yield* checkpoints.list(run.checkpoints)
      yield* Ref.set(session.lastGood, saved.find((checkpoint) => checkpoint.step === done?.good)?.path ?? null)
    }
    return { session, holdsOut: validation !== undefined }
  })

/** Keys that decide how long a run is. */
const length = ["training.max_steps", "training.epochs"]

/** Whether a run that has finished continues when these keys of its config change. */
const reopens = (changed: ReadonlyArray<string>): boolean =>
  changed.some((key) => length.includes(key) || key === "training.early_stopping_patience")

/** The number of updates is planned once: other data or a new version does not change it, only the config does. */
const trainingOf = ({ training }: RunConfig, known: RunData.RunData | undefined, changed: ReadonlyArray<string>) =>
  known === undefined || training.max_steps !== undefined || changed.some((key) => length.includes(key))
    ? training
    : { ...training, max_steps: known.updates }

const requireLength = (updates: number, done: number) =>
  updates >= done
    ? Effect.void
    : new TrainingSession.ConfigError({
        key: "training.max_steps",
        details: `the run has done ${plural(done, "update")}, which is more than ${updates}.`,
        remedy: "Give more, or start a new run from one of its checkpoints with --from."
      })

/** The state of a checkpoint for a run whose config or data may have changed. Losses on other text cannot be compared. */
const resumedState = (
  state: TrainState,
  { extended, sameHeldOut }: { readonly extended: boolean; readonly sameHeldOut: boolean }
) =>
  new TrainState({
    ...state,
    best: sameHeldOut ? state.best : null,
    sinceBest: extended || !sameHeldOut ? 0 : state.sinceBest,
    finished: extended ? null : state.finished
  })

/** Fails if the data of a run that is not trained further is not the data that it was trained on. */
const requireData = ({ config, services }: RunPlan, run: RunDirectory, step: number) =>
  Effect.gen(function* () {
    const known = yield* RunData.read(run)
    if (Option.isNone(known)) return
    const dataset = yield* RunComponents.datasetOf(config.data, services.data)
    yield* RunData.requireData(run, known.value, yield* dataset.identity, step)
  })

/** What a person should know before a resumed run continues. */
const notes = (
  run: RunDirectory,
  known: RunData.RunData | undefined,
  data: RunData.RunData,
  state: TrainState | undefined
): ReadonlyArray<string> => {
  const notHeldOut = RunData.notHeldOut(data)
  const change = known === undefined || known.history.length === data.history.length ? undefined : data.history.at(-1)
  return [
    ...(notHeldOut === undefined
      ? []
      : notHeldOut.reason === "unknown"
        ? [`${run.directory}: ${notHeldOut.details}, so codex cannot tell whether held-out text was trained on.`]
        : [`${run.directory}: ${notHeldOut.details}, so nothing counts as held out and the run is not evaluated.`]),
    ...(change === undefined
      ? []
      : [
          `${run.directory}: the data changed after update ${change.step}: ${change.changes.join("; ")}. Recorded in data.json.`
        ]),
    ...(state?.best && known !== undefined && known.validation.digest !== data.validation.digest
      ? [`${run.directory}: the best loss so far was measured on other held-out text, so it no longer counts.`]
      : [])
  ]
}

/** The checkpoint that a run starts from, with what its run knows of its data. */
const parentOf = (from: string) =>
  Effect.gen(function* () {
    const saved = yield* SavedRun.find(from)
    const { path, ...checkpoint } = yield* SavedRun.load(saved, "best")
    return { path, saved, checkpoint, data: Option.getOrUndefined(yield* RunData.read(saved.run)) }
  })

/** A tokenizer that both runs train in the same way is taken from the first one: its ids are those of the weights. */
const takeTokenizer = (
  { tokenizer }: RunConfig,
  directory: string,
  { checkpoint, saved }: Effect.Effect.Success<ReturnType<typeof parentOf>>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const same = JSON.stringify(tokenizer) === JSON.stringify(saved.config.tokenizer)
    if (tokenizer.train === undefined || !same) return
    const names = yield* Effect.mapError(
      fs.readDirectory(saved.run.tokenizer),
      FileError.from(saved.run.tokenizer, "read")
    )
    const files = names.flatMap((name) => {
      const content = checkpoint.files[name]
      return content === undefined ? [] : [[name, content] as const]
    })
    yield* writeFiles(directory, Object.fromEntries(files))
  })

/** The trackers that a config names. */
const trackersOf = ({ config }: RunPlan) =>
  Effect.flatMap(Registry, (registry) =>
    Effect.forEach(Object.entries(config.tracking ?? {}), ([name, section]) =>
      registry.resolve(Tracker.kind, name, section)
    )
  )

/** A run that could not start has nothing worth keeping. */
const discard = (run: RunDirectory) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.ignore(fs.remove(run.directory, { recursive: true, force: true }))
  )

export interface DryRun {
  readonly prepared: Prepared
  readonly parameters: ParameterSpecs
  readonly started: Started
  /** The measured update. */
  readonly step: Step
  /** What makes the bits of training, evaluation or generation depend on the number of threads; empty if they do not. */
  readonly threadDependences: ReadonlyArray<ThreadDependence.ThreadDependence>
}

/**
 * The job behind `codex train +dry_run=true`. Makes and checks all components, builds and compiles the graphs, does a first
 * update to warm up and measures a second one. The tokenizer is in a temporary directory; the token cache, which a real run
 * shares, is filled. Nothing is written under `runs/`.
 */
export const dryRun = (plan: RunPlan, { onEvent = () => Effect.void }: Pick<TrainOptions, "onEvent"> = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const directory = yield* fs
      .makeTempDirectoryScoped({ prefix: "codex-dry-run-" })
      .pipe(Effect.mapError(FileError.from("the temporary directory", "write")))
    const { config } = plan
    const parent = config.from === undefined ? undefined : yield* parentOf(config.from)
    const tokenizer = paths.join(directory, "tokenizer")
    if (parent !== undefined) yield* takeTokenizer(config, tokenizer, parent)
    const components = yield* RunComponents.make(plan, tokenizer, { onEvent })
    yield* trackersOf(plan)
    const tokens = yield* RunComponents.scorable(components)
    const options = { ...components, tokens, training: config.training, parameters: parent?.checkpoint.parameters }
    const { contextLength } = yield* TrainingSession.plan(options)
    const session = yield* TrainingSession.make(options)
    yield* session.step
    const step = yield* session.step
    const { architecture } = components
    const { info } = yield* Backend
    const { parameters } = yield* session.snapshot
    const decoding = yield* decodePrograms(architecture, parameters)
    return {
      prepared: RunComponents.preparedOf("", components.tokenizer, tokens, contextLength),
      parameters: architecture.parameters,
      started: session.started,
      step,
      threadDependences: [
        ...(yield* session.threadDependences),
        ...ThreadDependence.ofPrograms(Object.values(decoding), info.device, info.precision)
      ]
    } satisfies DryRun
  }).pipe(Effect.scoped)
