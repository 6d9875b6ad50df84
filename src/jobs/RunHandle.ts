/**
 * The handle of a trained run: what `Run.train` and `Run.open` return. Its methods need nothing but the scope to be open.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Backend, type BackendError, type TensorDatas } from "../core/Backend.ts"
import type { ConfigError } from "../core/config/ConfigIssue.ts"
import { type BackendConfig, GenerationConfig, type RunConfig } from "../core/config/RunConfig.ts"
import type { Dataset } from "../core/Dataset.ts"
import type * as Evaluation from "../core/evaluation/Evaluation.ts"
import { type Architecture, type NonFiniteModel, requireFinite } from "../core/Model.ts"
import { Count, decodeOptions } from "../core/Numbers.ts"
import { Registry } from "../core/plugin/Registry.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import { sizeOf } from "../core/tensor/Tensor.ts"
import type { CheckpointError, TrainState } from "../core/training/Checkpoint.ts"
import { metricPlugins } from "../plugins/builtins.ts"
import type { RunDirectory } from "../services/runs/RunStore.ts"
import { Environment } from "./Environment.ts"
import * as OnnxExport from "./OnnxExport.ts"
import { architectureOf, datasetOf, tokenizerAt } from "./RunComponents.ts"
import * as RunEvaluation from "./RunEvaluation.ts"
import * as RunGeneration from "./RunGeneration.ts"
import type * as RunPlan from "./RunPlan.ts"

/** A trained model with everything that belongs to it. It can be used until the scope closes. */
export interface Run {
  /** The name of its directory. */
  readonly id: string
  readonly directory: string
  /** The directory of the checkpoint whose parameters are used. */
  readonly checkpoint: string
  /** The config that it was made with. */
  readonly config: RunConfig
  /** The file with this config. */
  readonly configFile: string
  /** The directory of the tokenizer, if it was trained for the run. */
  readonly tokenizerDirectory: string
  /** The position in training of the checkpoint: updates, tokens, losses. */
  readonly state: TrainState
  readonly tokenizer: Tokenizer.Service
  readonly architecture: Architecture
  /** The number of parameters. */
  readonly parameters: number
  /** The first words of the text that the run held out, for a prompt. Empty if there is none or it cannot be read. */
  readonly examplePrompt: Effect.Effect<string>
  /**
   * Text that continues the prompt, without the prompt. Settings that are not given are those of the config's `generation`.
   *
   * @example
   * const text = yield* run.generate("To be", { maxNewTokens: 40, temperature: 0.7 })
   */
  readonly generate: (prompt?: string, options?: GenerateOptions) => Effect.Effect<string, GenerateError>
  /** The same, piece by piece as tokens arrive. */
  readonly generateStream: (prompt?: string, options?: GenerateOptions) => Stream.Stream<string, GenerateError>
  /** Generates, writes the text to a file, and tells how long it took. A file that cannot be written is a warning. */
  readonly generateFile: (
    prompt?: string,
    options?: GenerateFileOptions
  ) => Effect.Effect<GeneratedFile, GenerateFileError>
  /**
   * Each metric with its standard error, on the text that is given or, without `data`, on the text that the run held out.
   * Metrics: perplexity, bits per byte and accuracy, or the plugins that are named.
   *
   * @example
   * console.table(yield* run.evaluate({ data: "held-out/*.txt", metrics: ["loss", "perplexity"] }))
   */
  readonly evaluate: <const Name extends string = DefaultMetric>(
    options?: EvaluateOptions<Name>
  ) => Effect.Effect<{ readonly [M in Name]: Score }, EvaluateError>
  /** The same with what was scored. The results are also appended to the files in `runs/eval`. */
  readonly evaluateFile: (
    options?: EvaluateOptions<string> & { readonly onProgress?: RunEvaluation.OnWindow }
  ) => Effect.Effect<EvaluationFile, EvaluateFileError>
  /**
   * Writes the model as an ONNX file: `input_ids` int64 [batch, sequence] to `logits` float32 [batch, sequence, V], or [1, T] with a
   * `length` T. An existing file is only replaced with `force`.
   */
  readonly exportOnnx: (
    path: string,
    options?: { readonly length?: number | undefined; readonly force?: boolean | undefined }
  ) => Effect.Effect<OnnxExport.OnnxFile, ExportError>
}

/** How to generate. Each setting has the default of the run's config. */
export interface GenerateOptions {
  readonly maxNewTokens?: number | undefined
  /** 0 always takes the most probable token. */
  readonly temperature?: number | undefined
  /** Sample from the k most probable tokens; 0: from all. */
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly repetitionPenalty?: number | undefined
  /** Texts before which generation ends. */
  readonly stop?: ReadonlyArray<string> | undefined
  readonly seed?: number | undefined
}

/** How to generate, and where to write. */
export interface GenerateFileOptions extends GenerateOptions {
  /** Called with each piece of text as it comes. */
  readonly onText?: ((piece: string) => Effect.Effect<void>) | undefined
  /** Run when the text is complete, before it is saved. */
  readonly onEnd?: Effect.Effect<void> | undefined
  /** Default: `artifacts/infer`. */
  readonly directory?: string | undefined
}

/** What to score, and how. */
export interface EvaluateOptions<Name extends string> {
  /** Default: what the run held out. */
  readonly data?: RunPlan.Data | Dataset.Service | undefined
  /** Metric plugins. */
  readonly metrics?: ReadonlyArray<Name> | undefined
  /** Tokens by which the window moves. Default: that of the config, or half the context. */
  readonly stride?: number | undefined
}

/** The metrics of `run.evaluate` when none are named. */
export type DefaultMetric = (typeof metricPlugins)[number]

/** The value of a metric. */
export interface Score {
  readonly value: number
  /** Standard error, from a bootstrap over windows of text. Undefined for a text of one window. */
  readonly stderr: number | undefined
  readonly unit: string
}

/** A generated text in a file. */
export interface GeneratedFile extends RunGeneration.GeneratedText {
  /** Undefined if it could not be written. */
  readonly file: string | undefined
}

/** Results with what was scored. */
export interface EvaluationFile {
  /** In words: the files, or `held out by the run`. */
  readonly data: string
  readonly tokens: number
  readonly bytes: number
  readonly results: ReadonlyArray<Evaluation.Result>
  readonly files: RunEvaluation.ResultFiles
}

type ErrorOf<F extends (...args: never) => Effect.Effect<unknown, unknown, unknown>> = Effect.Effect.Error<
  ReturnType<F>
>

/** Errors of `run.generate`. */
export type GenerateError =
  | CheckpointError
  | ConfigError
  | NonFiniteModel
  | BackendError
  | Stream.Stream.Error<ReturnType<typeof RunGeneration.generate>>
/** Errors of `run.generateFile`. */
export type GenerateFileError = GenerateError
/** Errors of `run.evaluate`. */
export type EvaluateError =
  | CheckpointError
  | ConfigError
  | NonFiniteModel
  | BackendError
  | ErrorOf<typeof RunEvaluation.textToScore>
  | ErrorOf<typeof RunEvaluation.evaluate>
/** Errors of `run.evaluateFile`. */
export type EvaluateFileError = EvaluateError | ErrorOf<typeof RunEvaluation.record>
/** Errors of `run.exportOnnx`. */
export type ExportError = CheckpointError | NonFiniteModel | ErrorOf<typeof OnnxExport.exportOnnx>

/** What a handle is made of. */
export interface Trained {
  readonly run: RunDirectory
  readonly config: RunConfig
  readonly services: RunPlan.Services
  readonly path: string
  readonly state: TrainState
  readonly parameters: Effect.Effect<TensorDatas, CheckpointError>
  readonly backend: BackendConfig
}

/** Makes the handle. Its backend starts when the first method needs it. */
export const make = ({ backend: device, config, parameters, path, run, services, state }: Trained) =>
  Effect.gen(function* () {
    const environment = yield* Environment
    const scope = yield* Effect.scope
    const context = Context.add(Context.add(environment.files, Registry, yield* Registry), Scope.Scope, scope)
    const tokenizer = yield* tokenizerAt(config.tokenizer, run.tokenizer, services.tokenizer)
    const architecture = yield* architectureOf(config.model, tokenizer.vocabularySize, services.model)
    // Started when the first method needs it; export and look-ups need none.
    const computing = Effect.map(environment.backend(device), (backend) => Context.add(context, Backend, backend)).pipe(
      Effect.provide(context)
    )
    const trained = Effect.map(
      Effect.flatMap(parameters, (tensors) => requireFinite(tensors, path)),
      (tensors) => ({ architecture, parameters: tensors, tokenizer })
    )

    const evaluated = (options: Parameters<Run["evaluateFile"]>[0] & { readonly metrics: ReadonlyArray<string> }) =>
      Effect.gen(function* () {
        const { name, tokens } = yield* RunEvaluation.textToScore({ config, run, services, tokenizer }, options.data)
        const { stride = config.evaluation.stride } = yield* decodeOptions("run.evaluate", Strided, {
          stride: options.stride
        })
        const results = yield* RunEvaluation.evaluate({
          ...(yield* trained),
          tokens,
          metrics: options.metrics,
          config: { ...config.evaluation, ...(stride === undefined ? {} : { stride }) },
          onProgress: options.onProgress
        }).pipe(Effect.provide(yield* computing))
        return { data: name, tokens: tokens.length, bytes: tokens.bytes, results }
      }).pipe(Effect.scoped, Effect.provide(context))

    const generateStream: Run["generateStream"] = (prompt, options) =>
      Effect.gen(function* () {
        const settings = yield* settingsOf("run.generate", config.generation, prompt, options)
        return Stream.provideContext(
          RunGeneration.generate({ ...(yield* trained), config: settings }),
          yield* computing
        )
      }).pipe(Stream.unwrap)

    const handle: Run = {
      id: run.id,
      directory: run.directory,
      checkpoint: path,
      config,
      configFile: run.configFile,
      tokenizerDirectory: run.tokenizer,
      state,
      tokenizer,
      architecture,
      parameters: Object.values(architecture.parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      examplePrompt: datasetOf(config.data, services.data).pipe(
        Effect.flatMap(RunGeneration.promptOf),
        Effect.orElseSucceed(() => ""),
        Effect.scoped,
        Effect.provide(context)
      ),
      generateStream,
      generate: (prompt, options) => Stream.mkString(generateStream(prompt, options)),
      generateFile: (prompt, { directory, onEnd = Effect.void, onText, ...options } = {}) =>
        Effect.gen(function* () {
          const settings = yield* settingsOf("run.generateFile", config.generation, prompt, options)
          const generated = yield* RunGeneration.generateMeasured({
            ...(yield* trained),
            config: settings,
            ...(onText === undefined ? {} : { onText })
          }).pipe(Effect.provide(yield* computing))
          yield* onEnd
          const { checkpoint, directory: run } = handle
          const { finishReason, prompt: start, text, tokens } = generated
          const saved = { run, checkpoint, config: settings, text: start + text, tokens, finishReason }
          // The text is the result, and it may have taken minutes.
          const file = yield* RunGeneration.saveText(saved, directory).pipe(
            Effect.catchTag("FileError", ({ message }) =>
              Effect.as(Effect.logWarning(`The generated text was not saved. ${message}`), undefined)
            )
          )
          return { ...generated, file }
        }).pipe(Effect.provide(context)),
      evaluate: <const Name extends string>(options: EvaluateOptions<Name> = {}) =>
        Effect.map(evaluated({ ...options, metrics: options.metrics ?? metricPlugins }), ({ results }) =>
          byName<Name>(results)
        ),
      evaluateFile: (options = {}) =>
        Effect.gen(function* () {
          const metrics = options.metrics ?? config.evaluation.metrics ?? metricPlugins
          const evaluation = yield* evaluated({ ...options, metrics })
          const files = yield* RunEvaluation.record(run.id, state.step, evaluation.data, evaluation.results)
          return { ...evaluation, files }
        }).pipe(Effect.provide(context)),
      exportOnnx: (path, options = {}) =>
        Effect.flatMap(trained, (model) => OnnxExport.exportOnnx({ ...model, ...options, path })).pipe(
          Effect.provide(context)
        )
    }
    return handle
  })

const Strided = Schema.Struct({ stride: Schema.optional(Count) })

/** The options under their names in code; a fault is reported under these. */
const GenerateSettings = Schema.rename(Schema.typeSchema(GenerationConfig), {
  max_new_tokens: "maxNewTokens",
  top_k: "topK",
  top_p: "topP",
  repetition_penalty: "repetitionPenalty"
}).pipe(Schema.typeSchema)

/** The settings of the run, and those of a call instead. */
const settingsOf = (
  caller: string,
  trained: GenerationConfig,
  prompt: string = trained.prompt,
  options: GenerateOptions = {}
) =>
  Effect.map(
    decodeOptions(caller, GenerateSettings, {
      prompt,
      maxNewTokens: options.maxNewTokens ?? trained.max_new_tokens,
      temperature: options.temperature ?? trained.temperature,
      topK: options.topK ?? trained.top_k,
      topP: options.topP ?? trained.top_p,
      repetitionPenalty: options.repetitionPenalty ?? trained.repetition_penalty,
      stop: options.stop ?? trained.stop,
      seed: options.seed ?? trained.seed
    }),
    ({ maxNewTokens, repetitionPenalty, topK, topP, ...rest }): GenerationConfig => ({
      ...rest,
      max_new_tokens: maxNewTokens,
      top_k: topK,
      top_p: topP,
      repetition_penalty: repetitionPenalty
    })
  )

function byName<Name extends string>(results: ReadonlyArray<Evaluation.Result>): { readonly [M in Name]: Score }
function byName(results: ReadonlyArray<Evaluation.Result>): { readonly [metric: string]: Score } {
  return Object.fromEntries(results.map(({ metric, stderr, unit, value }) => [metric, { value, stderr, unit }]))
}
