/**
 * A training session: compiled Programs, their state on the backend, and where the run stands.
 *
 * The session is the one mutable thing of a run. It does one update, or one evaluation, or one snapshot at a time, each
 * when the stream of events is pulled; the combinators of Training.ts decide when.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Backend, type BackendError, type TensorDatas } from "../Backend.ts"
import * as DataOrder from "../data/DataOrder.ts"
import type { TokenFile, TokenFileError } from "../data/TokenFile.ts"
import * as ExitCode from "../ExitCode.ts"
import * as Evaluation from "../evaluation/Evaluation.ts"
import type { Architecture } from "../Model.ts"
import type { GradientTransformation } from "../tensor/Optimizer.ts"
import type { ProgramError } from "../tensor/Program.ts"
import { type ShapeError, sizeOf, type TensorData } from "../tensor/Tensor.ts"
import { type Checkpoint, type TextFiles, TrainState } from "./Checkpoint.ts"
import { initialParameters } from "./InitialParameters.ts"
import type { LearningRate } from "./Schedule.ts"
import { Evaluated, Started, Step } from "./TrainEvent.ts"
import { evaluateProgram, parameterTypes, stateNames, trainProgram } from "./TrainingPrograms.ts"

/** Settings and data that do not go together. */
export class TrainConfigError extends Schema.TaggedError<TrainConfigError>()("TrainConfigError", {
  key: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `${this.key}: ${this.details} ${this.remedy}`
  }
}

/**
 * The loss, the gradient or a parameter is no number any more. The state of the run is of no use and is never saved; the
 * last checkpoint is of use.
 */
export class NonFiniteLoss extends Schema.TaggedError<NonFiniteLoss>()("NonFiniteLoss", {
  step: Schema.Number,
  /** What is no number: `the loss is NaN`. */
  details: Schema.String,
  lastCheckpoint: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const last =
      this.lastCheckpoint === null
        ? "No checkpoint had been written yet."
        : `The last good checkpoint is ${this.lastCheckpoint}.`
    return `Step ${this.step}: ${this.details}, so training stopped. ${last} Lower training.lr, raise training.warmup_steps or set training.max_grad_norm.`
  }
}

export type TrainError = BackendError | TokenFileError | NonFiniteLoss

export interface SessionOptions {
  readonly architecture: Architecture
  readonly optimizer: GradientTransformation
  readonly learningRate: LearningRate
  readonly tokens: { readonly train: TokenFile; readonly validation: TokenFile | undefined }
  /** UTF-8 bytes that each token stands for, by id: for bits per byte. */
  readonly tokenBytes: Int32Array
  readonly seed: number
  readonly batchSize: number
  readonly contextLength: number
  readonly accumulation: number
  /** Updates of the whole run, or epochs over the text. */
  readonly length: { readonly steps: number } | { readonly epochs: number }
  /** At most this many windows of held-out text per evaluation while training; all when undefined. */
  readonly evaluationWindows: number | undefined
  /** Kept with every checkpoint. */
  readonly files: TextFiles
  /** For the checkpoints' manifest, besides the device. */
  readonly provenance: { readonly [name: string]: string }
  /** Where to go on, from a checkpoint. */
  readonly resume: Checkpoint | undefined
}

export class TrainingSession extends Context.Tag("codex/TrainingSession")<TrainingSession, TrainingSession.Service>() {}

export declare namespace TrainingSession {
  interface Service {
    readonly started: Started
    readonly state: Ref.Ref<TrainState>
    readonly lastCheckpoint: Ref.Ref<string | null>
    /** One update. */
    readonly step: Effect.Effect<Step, TrainError>
    /** Scores the held-out text with the parameters as they are; the training text where none is held out. */
    readonly evaluate: Effect.Effect<Evaluated, TrainError>
    readonly snapshot: Effect.Effect<Checkpoint, TrainError>
  }
}

/** How many updates a run of these options has, and how many make an epoch. */
export const plan = (
  options: Pick<
    SessionOptions,
    "accumulation" | "architecture" | "batchSize" | "contextLength" | "length" | "seed" | "tokens"
  >
) =>
  Effect.gen(function* () {
    const { accumulation, batchSize, contextLength, tokens } = options
    if (batchSize % accumulation !== 0) {
      return yield* new TrainConfigError({
        key: "training.gradient_accumulation_steps",
        details: `${accumulation} does not divide training.batch_size ${batchSize}.`,
        remedy: "Choose a divisor of the batch size."
      })
    }
    if (contextLength > options.architecture.contextLength) {
      return yield* new TrainConfigError({
        key: "training.context_length",
        details: `${contextLength} tokens are more than the model's max_position_embeddings ${options.architecture.contextLength}.`,
        remedy: "Lower it, or raise model.max_position_embeddings."
      })
    }
    const order = DataOrder.make({ tokens: tokens.train.length, contextLength, seed: options.seed })
    if (order === undefined) {
      return yield* new TrainConfigError({
        key: "training.context_length",
        details: `a window of ${contextLength} tokens (and one to predict) is longer than the training text, which has ${tokens.train.length} tokens.`,
        remedy: "Lower the context length, or give more text."
      })
    }
    const stepsPerEpoch = Math.max(1, Math.floor(order.windows / batchSize))
    const totalSteps =
      "steps" in options.length ? options.length.steps : Math.max(1, Math.round(options.length.epochs * stepsPerEpoch))
    return { order, stepsPerEpoch, totalSteps }
  })

/** Compiles the Programs, writes the first (or the resumed) state, and hands out the session. */
export const make = (
  options: SessionOptions
): Effect.Effect<
  TrainingSession.Service,
  TrainConfigError | BackendError | ShapeError | ProgramError,
  Backend | Scope.Scope
> =>
  Effect.gen(function* () {
    const { architecture, batchSize, contextLength, optimizer, resume, seed, tokens } = options
    const { order, stepsPerEpoch, totalSteps } = yield* plan(options)
    const backend = yield* Backend
    const train = yield* trainProgram(architecture, optimizer, options)
    const evaluationBatch = Math.max(1, batchSize / options.accumulation)
    const evaluate = yield* evaluateProgram(architecture, { batchSize: evaluationBatch, contextLength })
    const executable = yield* backend.compile({ train, evaluate })

    const optimizerTypes = optimizer.state(parameterTypes(architecture))
    const missing = Object.keys(optimizerTypes).find((name) => resume !== undefined && !(name in resume.optimizer))
    if (missing !== undefined) {
      const saved = Object.keys(resume?.optimizer ?? {})[0]
      return yield* new TrainConfigError({
        key: "resume",
        details: `the optimizer keeps "${missing}", and the checkpoint has ${saved === undefined ? "no optimizer state" : `other names, such as "${saved}"`}: another optimizer or an older version saved it.`,
        remedy: "Resume with the optimizer and the version that saved it, or start a new run."
      })
    }
    yield* executable.writeState({
      ...stateNames.parameters(resume?.parameters ?? initialParameters(architecture.parameters, seed)),
      ...stateNames.optimizer(resume?.optimizer ?? zerosOf(optimizerTypes))
    })
    const state = yield* Ref.make(
      resume?.state ?? new TrainState({ step: 0, seed, tokens: 0, loss: 0, best: null, sinceBest: 0, finished: null })
    )
    const lastCheckpoint = yield* Ref.make<string | null>(null)

    const nonFinite = (step: number, details: string) =>
      Effect.flatMap(Ref.get(lastCheckpoint), (last) => new NonFiniteLoss({ step, details, lastCheckpoint: last }))

    const int32 = (shape: ReadonlyArray<number>, data: Int32Array): TensorData => ({ dtype: "int32", shape, data })
    const float = (value: number): TensorData => ({ dtype: "float32", shape: [], data: Float32Array.of(value) })

    const batchOf = (step: number) =>
      Effect.gen(function* () {
        const inputs = new Int32Array(batchSize * contextLength)
        const targets = new Int32Array(batchSize * contextLength)
        for (let row = 0; row < batchSize; row++) {
          // A text with fewer windows than a batch gives some of them more than once.
          const index = ((step % stepsPerEpoch) * batchSize + row) % order.windows
          const start = order.start(Math.floor(step / stepsPerEpoch), index)
          const window = yield* tokens.train.read(start, contextLength + 1)
          inputs.set(window.subarray(0, contextLength), row * contextLength)
          targets.set(window.subarray(1), row * contextLength)
        }
        return { inputs, targets }
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
      state,
      lastCheckpoint,

      // Uninterruptible as a whole: the backend's state and ours move together or not at all.
      step: Effect.gen(function* () {
        const before = yield* Ref.get(state)
        const { inputs, targets } = yield* batchOf(before.step)
        const from = yield* Clock.currentTimeMillis
        const learningRate = options.learningRate(before.step)
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
          return yield* nonFinite(step, `the loss is ${loss} and the norm of the gradient ${gradientNorm}`)
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
      }),

      evaluate: Effect.gen(function* () {
        const from = yield* Clock.currentTimeMillis
        const total = yield* Evaluation.score({
          file: tokens.validation ?? tokens.train,
          tokenBytes: options.tokenBytes,
          contextLength,
          stride: contextLength,
          batchSize: evaluationBatch,
          limit: options.evaluationWindows,
          run: (inputs) => executable.run("evaluate", inputs)
        }).pipe(Evaluation.total)
        const loss = total.nats / total.tokens
        const before = yield* Ref.get(state)
        if (!Number.isFinite(loss)) return yield* nonFinite(before.step, `the loss on held-out text is ${loss}`)
        const best = before.best === null || loss < before.best.loss
        const sinceBest = best ? 0 : before.sinceBest + 1
        yield* Ref.set(
          state,
          new TrainState({ ...before, sinceBest, best: best ? { step: before.step, loss } : before.best })
        )
        return new Evaluated({
          step: before.step,
          loss,
          bitsPerByte: total.nats / Math.LN2 / total.bytes,
          accuracy: total.correct / total.tokens,
          tokens: total.tokens,
          best,
          sinceBest,
          evaluationMillis: (yield* Clock.currentTimeMillis) - from
        })
      }),

      snapshot: Effect.gen(function* () {
        const values = yield* executable.readState()
        const parameters = stateNames.ofParameters(values)
        const where = yield* Ref.get(state)
        // The update that spoils a parameter reports the loss of before it.
        const broken = Object.keys(parameters).find((name) => parameters[name]?.data.some((x) => !Number.isFinite(x)))
        if (broken !== undefined) return yield* nonFinite(where.step, `parameter ${broken} is not finite`)
        return {
          state: where,
          parameters,
          optimizer: stateNames.ofOptimizer(values),
          files: options.files,
          provenance: { device: backend.info.description, ...options.provenance }
        }
      })
    }
  })

const first = (outputs: TensorDatas, name: string): number => outputs[name]?.data[0] ?? Number.NaN

const zerosOf = (types: { readonly [name: string]: { readonly shape: ReadonlyArray<number> } }): TensorDatas =>
  Object.fromEntries(
    Object.entries(types).map(([name, { shape }]) => [
      name,
      { dtype: "float32" as const, shape, data: new Float32Array(sizeOf(shape)) }
    ])
  )
