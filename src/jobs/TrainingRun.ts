/**
 * The job behind `codex train`: a run config becomes a run directory with checkpoints and metrics.
 *
 * Composes the parts that the config names, opens (or goes on with) a run, and drives the stream of Training.ts through
 * evaluation, early stopping, checkpoints and trackers. Interrupting it lets the update in progress end and writes a last
 * checkpoint.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Stream from "effect/Stream"
import type { RunConfig } from "../core/config/RunConfig.ts"
import type { TokenFile } from "../core/data/TokenFile.ts"
import * as Evaluation from "../core/evaluation/Evaluation.ts"
import type { Architecture } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import { Tracker } from "../core/Tracker.ts"
import { adamw } from "../core/tensor/Optimizer.ts"
import { CheckpointStore } from "../core/training/Checkpoint.ts"
import * as LearningRate from "../core/training/Schedule.ts"
import type { TrainEvent } from "../core/training/TrainEvent.ts"
import * as Training from "../core/training/Training.ts"
import * as Session from "../core/training/TrainingSession.ts"
import { type Run, RunStore } from "../services/runs/RunStore.ts"
import { type OnEvent, Prepared } from "./JobEvent.ts"
import { partsOf } from "./RunComponents.ts"

export interface TrainOptions {
  readonly config: RunConfig
  /** The composed config as YAML, saved with the run and with every checkpoint. */
  readonly configText: string
  /** A run to go on with, from its newest whole checkpoint. */
  readonly resume?: Run | undefined
  readonly onEvent: OnEvent
}

/** Options of a session from the parts of a run. */
export const sessionOptions = (
  config: RunConfig,
  parts: {
    readonly architecture: Architecture
    readonly tokenizer: Tokenizer.Service
    readonly tokens: { readonly train: TokenFile; readonly validation: TokenFile | undefined }
  },
  rest: Pick<Session.SessionOptions, "files" | "provenance" | "resume">
): Effect.Effect<Session.SessionOptions, Session.TrainConfigError> =>
  Effect.gen(function* () {
    const { training } = config
    const base = {
      architecture: parts.architecture,
      tokens: parts.tokens,
      seed: training.seed,
      batchSize: training.batch_size,
      contextLength: training.context_length ?? parts.architecture.contextLength,
      accumulation: training.gradient_accumulation_steps,
      length: training.max_steps === undefined ? { epochs: training.epochs } : { steps: training.max_steps },
      evaluationWindows: training.eval_windows,
      tokenBytes: yield* Evaluation.tokenBytesOf(parts.tokenizer),
      ...rest
    }
    const { totalSteps } = yield* Session.plan(base)
    return {
      ...base,
      optimizer: adamw({
        beta1: training.beta1,
        beta2: training.beta2,
        epsilon: training.eps,
        weightDecay: training.weight_decay,
        maxNorm: training.max_grad_norm ?? undefined
      }),
      learningRate: LearningRate.fromConfig({
        schedule: training.lr_schedule,
        lr: training.lr,
        warmupSteps: training.warmup_steps,
        maxSteps: totalSteps,
        minRatio: training.min_lr_ratio,
        decayFraction: training.decay_fraction
      })
    }
  })

/** The stream of a run's events: every feature that the config asks for, in the order in which they depend on each other. */
export const events = (
  config: RunConfig,
  run: Run,
  tracker: Tracker.Session,
  stop: Effect.Effect<boolean>,
  holdsOut: boolean
) => {
  const { training } = config
  const evaluated = holdsOut
    ? Training.steps({ stop }).pipe(
        Training.evaluateEvery({ steps: training.eval_steps }),
        Training.earlyStop({ patience: training.early_stopping_patience ?? Number.POSITIVE_INFINITY })
      )
    : Training.steps({ stop })
  return evaluated.pipe(
    Training.checkpointEvery({
      steps: training.save_steps,
      directory: run.checkpoints,
      keepLast: training.save_total_limit
    }),
    Training.track(tracker, { every: training.logging_steps })
  )
}

/** Trains, and returns the run with where it ended. A resumed run that had finished is returned as it is. */
export const train = ({ config, configText, onEvent, resume }: TrainOptions) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const checkpoints = yield* CheckpointStore
    const run = resume ?? (yield* store.create({ name: config.name, config: configText }))
    if (resume !== undefined) yield* store.lock(run)
    const newest = resume === undefined ? undefined : yield* checkpoints.newest(run.checkpoints)
    if (newest !== undefined && newest.checkpoint.state.finished !== null) {
      return { run, state: newest.checkpoint.state, checkpoint: newest.path }
    }

    const { parts, session } = yield* Effect.gen(function* () {
      const parts = yield* partsOf(config, run.tokenizer, onEvent)
      const commit = yield* store.gitCommit
      const options = yield* sessionOptions(config, parts, {
        files: {
          "config.json": `${JSON.stringify(parts.architecture.config, null, 2)}\n`,
          "run.yaml": configText,
          ...parts.tokenizer.files
        },
        provenance: commit === undefined ? {} : { git_commit: commit },
        resume: newest?.checkpoint
      })
      yield* onEvent(preparedOf(run.directory, parts, options.contextLength))
      return { parts, session: yield* Session.make(options) }
    }).pipe(Effect.tapError(() => (resume === undefined ? discard(run) : Effect.void)))
    yield* Ref.set(session.lastCheckpoint, newest?.path ?? null)
    const registry = yield* Registry
    const trackers = yield* Effect.forEach(Object.entries(config.tracking), ([name, section]) =>
      registry.resolve(Tracker.kind, name, section)
    )
    const tracker = yield* Tracker.all(trackers).open({
      id: run.id,
      directory: run.directory,
      config,
      fromStep: session.started.fromStep
    })
    yield* Training.runInterruptibly(
      (stop): Stream.Stream<TrainEvent, RunFailure, CheckpointStore | Session.TrainingSession> =>
        events(config, run, tracker, stop, parts.tokens.validation !== undefined),
      onEvent
    ).pipe(Effect.provideService(Session.TrainingSession, session))
    return { run, state: yield* Ref.get(session.state), checkpoint: yield* Ref.get(session.lastCheckpoint) }
  })

/** A run that could not start holds nothing of worth. */
const discard = (run: Run) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.ignore(fs.remove(run.directory, { recursive: true, force: true }))
  )

type RunFailure = Stream.Stream.Error<ReturnType<typeof events>>

export const preparedOf = (
  run: string,
  parts: {
    readonly tokenizer: Tokenizer.Service
    readonly tokens: { readonly train: TokenFile; readonly validation: TokenFile | undefined }
  },
  contextLength: number
) =>
  new Prepared({
    run,
    vocabularySize: parts.tokenizer.vocabularySize,
    trainDocuments: parts.tokens.train.documents,
    trainTokens: parts.tokens.train.length,
    trainBytes: parts.tokens.train.bytes,
    validationDocuments: parts.tokens.validation?.documents ?? 0,
    validationTokens: parts.tokens.validation?.length ?? 0,
    contextLength
  })
