/**
 * A training session: compiled Programs, their state on the backend, and the position of the run.
 *
 *     const session = yield* TrainingSession.make({ architecture, tokens, tokenizer, training: { max_steps: 200 } })
 *
 * The session is the only mutable part of a run. It does one update, one evaluation or one snapshot at a time, each
 * when the stream of events is pulled; the combinators of Training.ts decide when.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Backend, type BackendError, type TensorDatas } from "../Backend.ts"
import { ConfigError, ConfigIssue, fromParseError } from "../config/ConfigIssue.ts"
import { TrainingConfig } from "../config/RunConfig.ts"
import * as DataOrder from "../data/DataOrder.ts"
import type { TokenFile } from "../data/TokenFile.ts"
import * as Evaluation from "../evaluation/Evaluation.ts"
import type { Architecture } from "../Model.ts"
import type { Tokenizer } from "../Tokenizer.ts"
import { lossScaleOf } from "../tensor/HalfPrecision.ts"
import * as Optimizer from "../tensor/Optimizer.ts"
import type { ProgramError } from "../tensor/Program.ts"
import { type ShapeError, sizeOf, type TensorData } from "../tensor/Tensor.ts"
import * as ThreadDependence from "../tensor/ThreadDependence.ts"
import * as BatchReader from "./BatchReader.ts"
import {
  type Checkpoint,
  type CheckpointError,
  isGood,
  modelFiles,
  requireMatch,
  requireParameters,
  type TextBounds,
  type TextFiles,
  TrainState
} from "./Checkpoint.ts"
import * as Schedule from "./Schedule.ts"
import { NonFiniteLoss, TrainConfigError, type TrainError } from "./TrainError.ts"
import { Evaluated, Started, Step } from "./TrainEvent.ts"
import { evaluateProgram, initialParameters, parameterTypes, stateNames, trainProgram } from "./TrainingPrograms.ts"

/** What a session trains, and how. Only the model and the tokens are required. */
export interface TrainingSessionOptions {
  readonly architecture: Architecture
  /** Text to learn from, and text that is held out for evaluation. */
  readonly tokens: { readonly train: TokenFile; readonly validation?: TokenFile | undefined }
  /** For bits per byte, and saved with every checkpoint. Without it, each token counts as one byte. */
  readonly tokenizer?: (Pick<Tokenizer.Service, "byteLength" | "files" | "vocabularySize"> & TextBounds) | undefined
  /** The section `training` of a config; each key has the default of its schema. */
  readonly training?: Partial<typeof TrainingConfig.Encoded>
  /** Default: AdamW with the settings of `training`. */
  readonly optimizer?: Optimizer.GradientTransformation
  /** Default: the schedule that `training` describes. */
  readonly schedule?: Schedule.Schedule
  /** Further text files of every checkpoint. */
  readonly files?: TextFiles
  /** For the manifest of the checkpoints, besides the device. */
  readonly provenance?: { readonly [name: string]: string }
  /** The checkpoint to resume from. */
  readonly resume?: Checkpoint | undefined
  /** Parameters to start from, if nothing is resumed. Default: random ones, by the seed. */
  readonly parameters?: TensorDatas | undefined
}

/** The settings of a session with all defaults, and how many updates they make. */
const plan = (options: TrainingSessionOptions) =>
  Effect.gen(function* () {
    const { architecture, tokens } = options
    const training = yield* Effect.mapError(
      Schema.decode(TrainingConfig, { errors: "all" })(options.training ?? {}),
      (error) =>
        new ConfigError({
          issues: fromParseError(error).map((issue) => new ConfigIssue({ ...issue, path: ["training", ...issue.path] }))
        })
    )
    const { batch_size: batchSize, gradient_accumulation_steps: accumulation } = training
    const contextLength = training.context_length ?? architecture.contextLength
    if (batchSize % accumulation !== 0) {
      return yield* new TrainConfigError({
        key: "training.gradient_accumulation_steps",
        details: `${accumulation} does not divide training.batch_size ${batchSize}.`,
        remedy: "Choose a divisor of the batch size."
      })
    }
    if (contextLength > architecture.contextLength) {
      return yield* new TrainConfigError({
        key: "training.context_length",
        details: `${contextLength} tokens are more than the model's max_position_embeddings ${architecture.contextLength}.`,
        remedy: "Lower it, or raise model.max_position_embeddings."
      })
    }
    const order = DataOrder.make({ tokens: tokens.train.length, contextLength, seed: training.seed })
    if (order === undefined) {
      return yield* new TrainConfigError({
        key: "training.context_length",
        details: `a window of ${contextLength} tokens (and one to predict) is longer than the training text, which has ${tokens.train.length} tokens.`,
        remedy: "Lower the context length, or give more text."
      })
    }
    const stepsPerEpoch = Math.max(1, Math.floor(order.windows / batchSize))
    const totalSteps = training.max_steps ?? Math.max(1, Math.round(training.epochs * stepsPerEpoch))
    return { training, batchSize, accumulation, contextLength, order, stepsPerEpoch, totalSteps }
  })

const make = (
  options: TrainingSessionOptions
): Effect.Effect<
  TrainingSession.Service,
  ConfigError | TrainConfigError | CheckpointError | BackendError | ShapeError | ProgramError,
  Backend | Scope.Scope
> =>
  Effect.gen(function* () {
    const { architecture, files, resume, tokenizer, tokens } = options
    const { accumulation, batchSize, contextLength, order, stepsPerEpoch, totalSteps, training } = yield* plan(options)
    const { seed } = training
    const optimizer = options.optimizer ?? optimizerOf(training)
    const schedule = options.schedule ?? scheduleOf(training, totalSteps)
    const tokenBytes =
      tokenizer === undefined
        ? new Int32Array(architecture.vocabularySize).fill(1)
        : yield* Evaluation.tokenBytesOf(tokenizer)
    const backend = yield* Backend
    const lossScale = lossScaleOf(backend.info.precision, batchSize * contextLength)
    const train = yield* trainProgram(architecture, optimizer, { batchSize, contextLength, accumulation, lossScale })
    const evaluationBatch = batchSize / accumulation
    const evaluate = yield* evaluateProgram(architecture, { batchSize: evaluationBatch, contextLength })
    const executable = yield* backend.compile({ train, evaluate })
    const threadDependences = yield* Effect.cached(
      Effect.sync(() => ThreadDependence.ofPrograms([train, evaluate], backend.info.device, backend.info.precision))
    )

    const optimizerTypes = optimizer.state(parameterTypes(architecture))
    if (resume !== undefined) {
      yield* requireMatch(resume, { parameters: parameterTypes(architecture), optimizer: optimizerTypes })
    } else if (options.parameters !== undefined) {
      yield* requireParameters(options.parameters, parameterTypes(architecture))
    }
    yield* executable.writeState({
      ...stateNames.parameters(
        resume?.parameters ?? options.parameters ?? initialParameters(architecture.parameters, seed)
      ),
      ...stateNames.optimizer(resume?.optimizer ?? zerosOf(optimizerTypes))
    })
    const state = yield* Ref.make(
      resume?.state ?? new TrainState({ step: 0, seed, tokens: 0, loss: 0, best: null, sinceBest: 0, finished: null })
    )
    const lastCheckpoint = yield* Ref.make<string | null>(null)
    const lastGood = yield* Ref.make<string | null>(null)

    const nonFinite = (step: number, details: string) =>
      Effect.flatMap(
        Effect.all({ lastCheckpoint: Ref.get(lastCheckpoint), lastGood: Ref.get(lastGood) }),
        (checkpoints) => new NonFiniteLoss({ step, details, ...checkpoints })
      )

    const int32 = (shape: ReadonlyArray<number>, data: Int32Array): TensorData => ({ dtype: "int32", shape, data })
    const float = (value: number): TensorData => ({ dtype: "float32", shape: [], data: Float32Array.of(value) })

    const batches = yield* BatchReader.make({
      tokens: tokens.train,
      order,
      batchSize,
      contextLength,
      stepsPerEpoch,
      totalSteps
    })

    /** The loss of the current parameters on the first micro-batch of an update. */
    const lossOf = (step: number) =>
      Effect.gen(function* () {
        const { inputs, targets } = yield* batches.read(step)
        const [shape, size] = [[evaluationBatch, contextLength], evaluationBatch * contextLength]
        const outputs = yield* executable.run("evaluate", {
          tokens: int32(shape, inputs.slice(0, size)),
          targets: int32(shape, targets.slice(0, size))
        })
        return Array.from(outputs.nats!.data).reduce((sum, nats) => sum + nats, 0) / size
      })

    return {
      started: new Started({
        fromStep: resume?.state.step ?? 0,
        totalSteps,
        stepsPerEpoch,
        tokensPerStep: batchSize * contextLength,
        parameters: Object.values(architecture.parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
        device: backend.info.description
      }),
      threadDependences,
      state,
      lastCheckpoint,
      lastGood,

      // The state of the backend and this one move together: an interruption waits for the end of the update.
      step: Effect.gen(function* () {
        const before = yield* Ref.get(state)
        const { inputs, targets } = yield* batches.take(before.step)
        const from = yield* Clock.currentTimeMillis
        const learningRate = schedule(before.step)
        if (!Number.isFinite(Math.fround(learningRate))) {
          return yield* nonFinite(before.step + 1, `the schedule gives the learning rate ${learningRate}`)
        }
        yield* batches.readAhead(before.step + 1)
        const outputs = yield* executable.run("train", {
          tokens: int32([batchSize, contextLength], inputs),
          targets: int32([batchSize, contextLength], targets),
          learning_rate: float(learningRate),
          step: float(before.step + 1),
          seed: int32([], Int32Array.of(DataOrder.mix(seed, before.step)))
        })
        const stepMillis = (yield* Clock.currentTimeMillis) - from
        const [loss, gradientNorm] = [first(outputs, "loss"), first(outputs, "gradient_norm")]
        const step = before.step + 1
        if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
          const range = backend.info.precision === "float16" ? " (half precision ends at 65,504)" : ""
          return yield* nonFinite(step, `the loss is ${loss} and the norm of the gradient ${gradientNorm}${range}`)
        }
        const seen = before.tokens + batchSize * contextLength
        yield* Ref.set(state, new TrainState({ ...before, step, tokens: seen, loss }))
        return new Step({
          step,
          epoch: step / stepsPerEpoch,
          loss,
          learningRate,
          gradientNorm,
          tokens: seen,
          stepMillis
        })
      }).pipe(Effect.uninterruptible),

      evaluate: Effect.gen(function* () {
        const from = yield* Clock.currentTimeMillis
        const total = yield* Evaluation.score({
          file: tokens.validation ?? tokens.train,
          tokenBytes,
          contextLength,
          stride: contextLength,
          batchSize: evaluationBatch,
          limit: training.eval_windows,
          run: (inputs) => executable.run("evaluate", inputs)
        }).pipe(
          Evaluation.total,
          // The sizes are those of the config and the model, which were checked.
          Effect.catchTag("ConfigError", Effect.die)
        )
        const loss = total.nats / total.tokens
        const scored = tokens.validation === undefined ? "training" : "held-out"
        const before = yield* Ref.get(state)
        if (!Number.isFinite(loss)) return yield* nonFinite(before.step, `the loss on ${scored} text is ${loss}`)
        const evaluationMillis = (yield* Clock.currentTimeMillis) - from
        const best = before.best === null || loss < before.best.loss
        const sinceBest = best ? 0 : before.sinceBest + 1
        const evaluated = { evaluated: before.step, sinceBest, best: best ? { step: before.step, loss } : before.best }
        yield* Ref.set(state, new TrainState({ ...before, ...evaluated }))
        return new Evaluated({
          step: before.step,
          split: tokens.validation === undefined ? "train_eval" : "validation",
          loss,
          bitsPerByte: total.nats / Math.LN2 / total.bytes,
          accuracy: total.correct / total.tokens,
          tokens: total.tokens,
          best,
          sinceBest,
          evaluationMillis
        })
      }),

      snapshot: Effect.gen(function* () {
        const values = yield* executable.readState()
        const parameters = stateNames.ofParameters(values)
        const where = yield* Ref.get(state)
        // An update that makes a parameter non-finite still reports the loss from before it.
        const broken = Object.keys(parameters).find((name) => parameters[name]?.data.some((x) => !Number.isFinite(x)))
        if (broken !== undefined) return yield* nonFinite(where.step, `parameter ${broken} is not finite`)
        const optimizer = stateNames.ofOptimizer(values)
        const loss = yield* lossOf(Math.max(0, where.step - 1))
        if (!Number.isFinite(loss)) return yield* nonFinite(where.step, `the loss after the update is ${loss}`)
        const good = isGood(
          { parameters, optimizer },
          { losses: [where.loss, loss], vocabularySize: architecture.vocabularySize }
        )
        return {
          state: good
            ? yield* Ref.updateAndGet(state, (before) => new TrainState({ ...before, good: where.step }))
            : where,
          parameters,
          optimizer,
          files: { ...modelFiles(architecture, tokenizer), ...files, ...tokenizer?.files },
          provenance: {
            device: backend.info.description,
            threads: String(backend.info.threads),
            thread_dependence: (yield* threadDependences).map(ThreadDependence.describe)[0] ?? "none",
            ...options.provenance
          }
        }
      })
    }
  })

const optimizerOf = (training: TrainingConfig) =>
  Optimizer.adamw({
    beta1: training.beta1,
    beta2: training.beta2,
    epsilon: training.eps,
    weightDecay: training.weight_decay,
    maxNorm: training.max_grad_norm ?? undefined
  })

const scheduleOf = (training: TrainingConfig, totalSteps: number) =>
  Schedule.fromConfig({
    schedule: training.lr_schedule,
    lr: training.lr,
    warmupSteps: training.warmup_steps,
    maxSteps: totalSteps,
    minRatio: training.min_lr_ratio,
    decayFraction: training.decay_fraction
  })

const first = (outputs: TensorDatas, name: string): number => outputs[name]!.data[0]!

const zerosOf = (types: { readonly [name: string]: { readonly shape: ReadonlyArray<number> } }): TensorDatas =>
  Object.fromEntries(
    Object.entries(types).map(([name, { shape }]) => [
      name,
      { dtype: "float32" as const, shape, data: new Float32Array(sizeOf(shape)) }
    ])
  )

export declare namespace TrainingSession {
  type ConfigError = TrainConfigError
  type NonFiniteError = NonFiniteLoss
  interface Service {
    readonly started: Started
    /** What makes the bits of the run depend on the number of threads; empty if they do not. */
    readonly threadDependences: Effect.Effect<ReadonlyArray<ThreadDependence.ThreadDependence>>
    readonly state: Ref.Ref<TrainState>
    /** The paths of the newest checkpoint and of the newest good one. */
    readonly lastCheckpoint: Ref.Ref<string | null>
    readonly lastGood: Ref.Ref<string | null>
    /** One update. An interruption waits for its end. */
    readonly step: Effect.Effect<Step, TrainError>
    /** Scores the held-out text with the current parameters, or the training text if nothing is held out. */
    readonly evaluate: Effect.Effect<Evaluated, TrainError>
    /** Copies of the parameters and of all that a resumed run needs. */
    readonly snapshot: Effect.Effect<Checkpoint, TrainError>
  }
}

/** The session of a run. Combinators of Training.ts take it from the context. */
export class TrainingSession extends Context.Tag("codex/TrainingSession")<TrainingSession, TrainingSession.Service>() {
  /** Settings and data that do not fit together. */
  static readonly ConfigError = TrainConfigError

  /** A loss, gradient or parameter that is not finite. */
  static readonly NonFiniteError = NonFiniteLoss

  /**
   * Compiles the Programs and writes the first (or the resumed) state. The session is released with the scope.
   *
   * @example
   * TrainingSession.make({ architecture, tokens: { train }, training: { max_steps: 200, batch_size: 8 } })
   */
  static readonly make = make

  /** The session of these options as a layer. */
  static readonly layer = (options: TrainingSessionOptions) => Layer.scoped(TrainingSession, make(options))

  /** The settings of these options with all defaults, and how many updates they make; nothing is compiled. */
  static readonly plan = plan
}
