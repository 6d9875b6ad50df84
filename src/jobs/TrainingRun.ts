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
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Backend } from "../core/Backend.ts"
import { Registry } from "../core/plugin/Registry.ts"
import { Tracker } from "../core/Tracker.ts"
import type { ParameterSpecs } from "../core/tensor/Module.ts"
import { CheckpointStore } from "../core/training/Checkpoint.ts"
import type { Prepared, Started, Step, TrainEvent } from "../core/training/TrainEvent.ts"
import * as Training from "../core/training/Training.ts"
import { TrainingSession } from "../core/training/TrainingSession.ts"
import { FileError } from "../services/files/FileError.ts"
import { type RunDirectory, RunStore } from "../services/runs/RunStore.ts"
import * as RunComponents from "./RunComponents.ts"
import type { RunPlan } from "./RunPlan.ts"
import * as SavedRun from "./SavedRun.ts"

export interface TrainOptions {
  /** A run to resume from its newest complete checkpoint. */
  readonly resume?: RunDirectory | undefined
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
  const evaluated = options.holdsOut
    ? steps.pipe(
        Training.evaluateEvery({ steps: training.eval_steps }),
        Training.earlyStop({ patience: training.early_stopping_patience ?? Number.POSITIVE_INFINITY })
      )
    : steps
  return options.combinator(evaluated).pipe(
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
 * Trains, and returns the run with its last state. A resumed run that is finished is returned as it is. Components live as long
 * as the scope; the run's lock, the session and the trackers are released at the end of training.
 */
export const train = (
  plan: RunPlan,
  { combinator = (events) => events, onEvent = () => Effect.void, resume }: TrainOptions = {}
) =>
  Effect.gen(function* () {
    const { config, services, text } = plan
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
        if (newest !== undefined && newest.checkpoint.state.finished !== null) {
          return { run, state: newest.checkpoint.state, checkpoint: newest.path }
        }
        const { info } = yield* Backend
        if (newest !== undefined) yield* SavedRun.requireDevice(run, newest.checkpoint, info.device)
        const { session, tokens } = yield* Effect.gen(function* () {
          const components = yield* RunComponents.make(config, run.tokenizer, { onEvent, services }).pipe(
            Scope.extend(scope)
          )
          const commit = yield* store.gitCommit
          const options = {
            ...components,
            training: config.training,
            files: { "run.yaml": text },
            provenance: { backend: info.device, ...(commit === undefined ? {} : { git_commit: commit }) },
            resume: newest?.checkpoint
          }
          const { contextLength } = yield* TrainingSession.plan(options)
          yield* onEvent(RunComponents.preparedOf(run.directory, components, contextLength))
          return { session: yield* TrainingSession.make(options), tokens: components.tokens }
        }).pipe(Effect.tapError(() => (resume === undefined ? discard(run) : Effect.void)))
        if (newest !== undefined) {
          yield* Ref.set(session.lastCheckpoint, newest.path)
          const { good } = newest.checkpoint.state
          const saved = yield* checkpoints.list(run.checkpoints)
          yield* Ref.set(session.lastGood, saved.find(({ step }) => step === good)?.path ?? null)
        }
        const tracker = yield* Tracker.all(yield* trackersOf(plan)).open({
          id: run.id,
          directory: run.directory,
          config,
          fromStep: session.started.fromStep
        })
        yield* Training.runInterruptibly(
          (stop): Stream.Stream<TrainEvent, TrainFailure, CheckpointStore | TrainingSession> =>
            events(config, run, tracker, stop, { holdsOut: tokens.validation !== undefined, combinator }),
          onEvent
        ).pipe(Effect.provideService(TrainingSession, session))
        return { run, state: yield* Ref.get(session.state), checkpoint: yield* Ref.get(session.lastCheckpoint) }
      })
    )
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
    const { config, services } = plan
    const components = yield* RunComponents.make(config, paths.join(directory, "tokenizer"), { onEvent, services })
    yield* trackersOf(plan)
    const options = { ...components, training: config.training }
    const { contextLength } = yield* TrainingSession.plan(options)
    const session = yield* TrainingSession.make(options)
    yield* session.step
    const step = yield* session.step
    const prepared = RunComponents.preparedOf("", components, contextLength)
    return { prepared, parameters: components.architecture.parameters, started: session.started, step } satisfies DryRun
  }).pipe(Effect.scoped)
