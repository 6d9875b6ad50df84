/**
 * The config of a run: everything that decides its bits, in one Schema. CLI help, docs and error messages derive from it.
 *
 * The sections `model`, `data`, `tokenizer` and each of `tracking` name a plugin and carry its own config, which the
 * plugin's Schema decodes when the Registry resolves it; here they are open records. Everything else is closed: an
 * unknown key is an error.
 */
import * as Schema from "effect/Schema"
import * as LearningRate from "../training/Schedule.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>, description: string, value: () => NoInfer<A>): Defaulted<A, I> =>
  Schema.optionalWith(schema.annotations({ description }), { default: value })

type Defaulted<A, I> = Schema.optionalWith<Schema.Schema<A, I>, { readonly default: () => A }>

const count = Schema.Int.pipe(Schema.positive())
const notNegative = Schema.Number.pipe(Schema.nonNegative())
const share = Schema.Number.pipe(Schema.between(0, 1))

/** A plugin by name, with its own config beside the name. */
export const PluginSection = Schema.Struct(
  { name: Schema.String.annotations({ description: "name of the plugin; `codex plugins list` shows all" }) },
  { key: Schema.String, value: Schema.Unknown }
)
export type PluginSection = typeof PluginSection.Type

export const TrainingConfig = Schema.Struct({
  seed: optional(Schema.Int, "seed of parameters, data order and dropout", () => 42),
  lr: optional(Schema.Number.pipe(Schema.positive()), "highest learning rate", () => 1e-3),
  lr_schedule: optional(LearningRate.Name, "shape of the learning rate after the warm-up", () => "cosine" as const),
  warmup_steps: optional(Schema.Int.pipe(Schema.nonNegative()), "updates over which the rate rises to lr", () => 0),
  min_lr_ratio: optional(share, "last learning rate, as a share of lr", () => 0.1),
  decay_fraction: optional(share, "share of all updates that the decay of schedule wsd takes", () => 0.2),
  batch_size: optional(count, "sequences of one update", () => 32),
  gradient_accumulation_steps: optional(count, "parts into which a batch is cut to save memory", () => 1),
  context_length: Schema.optional(
    count.annotations({ description: "tokens of a training sequence; default the model's longest" })
  ),
  epochs: optional(Schema.Number.pipe(Schema.positive()), "passes over the text; max_steps wins over it", () => 3),
  max_steps: Schema.optional(count.annotations({ description: "updates of the run" })),
  weight_decay: optional(notNegative, "decoupled decay of matrices", () => 0.1),
  beta1: optional(share, "decay of the mean of the gradient", () => 0.9),
  beta2: optional(share, "decay of the mean of its square", () => 0.95),
  eps: optional(Schema.Number.pipe(Schema.positive()), "added to the root in AdamW", () => 1e-8),
  max_grad_norm: optional(
    Schema.NullOr(Schema.Number.pipe(Schema.positive())),
    "gradients of a larger global norm are scaled down to it; null never clips",
    () => 1
  ),
  eval_steps: optional(count, "updates between two evaluations on held-out text", () => 100),
  eval_windows: Schema.optional(
    count.annotations({ description: "held-out windows that such an evaluation scores; default all" })
  ),
  save_steps: optional(count, "updates between two checkpoints", () => 100),
  save_total_limit: optional(count, "checkpoints kept, besides the best", () => 2),
  early_stopping_patience: Schema.optional(
    count.annotations({
      description: "evaluations in a row without a new best after which training ends; default never"
    })
  ),
  logging_steps: optional(count, "updates between two lines of metrics.ndjson", () => 1)
})
export type TrainingConfig = typeof TrainingConfig.Type

export const GenerationConfig = Schema.Struct({
  prompt: optional(Schema.String, "text to go on from", () => ""),
  max_new_tokens: optional(count, "tokens to generate at most", () => 100),
  temperature: optional(notNegative, "0 takes the most probable token each time", () => 0.8),
  top_k: optional(Schema.Int.pipe(Schema.nonNegative()), "only the k most probable tokens; 0 takes all", () => 50),
  top_p: optional(share, "only the most probable tokens that together reach this probability", () => 0.95),
  repetition_penalty: optional(
    Schema.Number.pipe(Schema.positive()),
    "divides the logits of tokens that occurred (multiplies negative ones); 1 does nothing",
    () => 1
  ),
  stop: optional(
    Schema.Array(Schema.String),
    "texts at which generation ends; they are not part of the result",
    () => []
  ),
  seed: optional(Schema.Int, "seed of the sampling", () => 1)
})
export type GenerationConfig = typeof GenerationConfig.Type

export const EvaluationConfig = Schema.Struct({
  metrics: optional(Schema.Array(Schema.String), "metric plugins", () => ["perplexity", "bits_per_byte", "accuracy"]),
  stride: Schema.optional(
    count.annotations({ description: "tokens by which the window moves on; default half the context" })
  ),
  batch_size: optional(count, "windows scored at once", () => 8),
  seed: optional(Schema.Int, "seed of the bootstrap", () => 1)
})
export type EvaluationConfig = typeof EvaluationConfig.Type

export const TokenizerSection = Schema.Struct(
  {
    name: Schema.String.annotations({ description: "tokenizer plugin" }),
    train: Schema.optional(
      Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
        description: "config of the tokenizer trainer of that name; trains on the training text"
      })
    )
  },
  { key: Schema.String, value: Schema.Unknown }
)
export type TokenizerSection = typeof TokenizerSection.Type

export const LoggingConfig = Schema.Struct({
  session: optional(Schema.Boolean, "write a session log; CODEX_SESSION_LOGGING wins over it", () => true),
  ndjson: optional(Schema.Boolean, "keep each session as a file of NDJSON too", () => true),
  redact: optional(Schema.Boolean, "take keys, tokens and passwords out of what is logged", () => false)
})
export type LoggingConfig = typeof LoggingConfig.Type

export const RunConfig = Schema.Struct({
  name: optional(Schema.String.pipe(Schema.pattern(/^[\w.-]+$/)), "part of the run's id", () => "run"),
  model: PluginSection,
  data: PluginSection,
  tokenizer: TokenizerSection,
  training: optional(TrainingConfig, "how to train", () => Schema.decodeSync(TrainingConfig)({})),
  evaluation: optional(EvaluationConfig, "what to measure", () => Schema.decodeSync(EvaluationConfig)({})),
  generation: optional(GenerationConfig, "how to generate", () => Schema.decodeSync(GenerationConfig)({})),
  tracking: optional(
    Schema.Record({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Unknown }) }),
    "tracker plugins by name, each with its config",
    () => ({ ndjson: {} })
  ),
  logging: optional(LoggingConfig, "the session log", () => Schema.decodeSync(LoggingConfig)({})),
  backend: optional(
    Schema.Struct({
      device: optional(
        Schema.Literal("auto", "cpu", "webgpu", "cuda", "coreml", "dml"),
        "where to compute",
        () => "cpu" as const
      ),
      threads: Schema.optional(count.annotations({ description: "threads of one operator" }))
    }),
    "the backend",
    () => ({ device: "cpu" as const })
  ),
  plugins: optional(Schema.Array(Schema.String), "packages to take plugins from", () => [])
}).annotations({ identifier: "RunConfig" })
export type RunConfig = typeof RunConfig.Type
