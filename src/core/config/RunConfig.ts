/**
 * The config of a run, in one Schema: everything that determines its result. Messages and defaults derive from it.
 *
 * The sections `model`, `data`, `tokenizer` and each of `tracking` name a plugin and hold its config, which the plugin's
 * Schema decodes. Here they are open records. Unknown keys elsewhere are errors.
 */
import * as Schema from "effect/Schema"
import { Count, CountOrZero, Decay, NonNegative, Positive, Seed, Share, Threads } from "../Numbers.ts"
import { Precision } from "../tensor/HalfPrecision.ts"
import * as Schedule from "../training/Schedule.ts"

const optional = <A, I>(
  schema: Schema.Schema<A, I>,
  description: string,
  value: () => NoInfer<A>
): Schema.optionalWith<Schema.Schema<A, I>, { readonly default: () => A }> =>
  Schema.optionalWith(schema.annotations({ description }), { default: value })

/** A section that names a plugin. Its other keys are the plugin's config. */
export const PluginSection = Schema.Struct(
  { name: Schema.String.annotations({ description: "name of the plugin; `codex plugins list` lists them" }) },
  { key: Schema.String, value: Schema.Unknown }
)
export type PluginSection = typeof PluginSection.Type

/** How to train. Rates are per update; lengths are in tokens. */
export const TrainingConfig = Schema.Struct({
  seed: optional(Seed, "seed of parameters, data order and dropout", () => 42),
  lr: optional(Positive, "highest learning rate", () => 1e-3),
  lr_schedule: optional(Schedule.Name, "shape of the learning rate after the warm-up", () => "cosine" as const),
  warmup_steps: optional(CountOrZero, "updates in which the learning rate rises to lr", () => 0),
  min_lr_ratio: optional(Share, "final learning rate, as a fraction of lr", () => 0.1),
  decay_fraction: optional(Share, "fraction of all updates that decay, with schedule wsd", () => 0.2),
  batch_size: optional(Count, "sequences per update", () => 32),
  gradient_accumulation_steps: optional(Count, "micro-batches per update; more need less memory", () => 1),
  context_length: Schema.optional(
    Count.annotations({ description: "tokens per training sequence; default: the longest that the model allows" })
  ),
  epochs: optional(Positive, "passes over the text; max_steps overrides it", () => 3),
  max_steps: Schema.optional(Count.annotations({ description: "updates in total" })),
  weight_decay: optional(NonNegative, "decoupled weight decay of matrices", () => 0.1),
  beta1: optional(Decay, "decay rate of the first moment in AdamW", () => 0.9),
  beta2: optional(Decay, "decay rate of the second moment in AdamW", () => 0.95),
  eps: optional(Positive, "added to the denominator in AdamW", () => 1e-8),
  max_grad_norm: optional(
    Schema.NullOr(Positive),
    "gradients are scaled down to this global norm; null disables clipping",
    () => 1
  ),
  eval_steps: optional(Count, "updates between evaluations on held-out text", () => 100),
  eval_windows: Schema.optional(
    Count.annotations({ description: "windows of held-out text per evaluation; default: all" })
  ),
  save_steps: optional(Count, "updates between checkpoints", () => 100),
  save_total_limit: optional(Count, "checkpoints to keep in addition to the best", () => 2),
  early_stopping_patience: Schema.optional(
    Count.annotations({
      description: "stop after so many evaluations in a row without a new best; default: never"
    })
  ),
  logging_steps: optional(Count, "updates between lines of metrics.ndjson", () => 1)
})
export type TrainingConfig = typeof TrainingConfig.Type

/** How to generate text. */
export const GenerationConfig = Schema.Struct({
  prompt: optional(Schema.String, "text to continue", () => ""),
  max_new_tokens: optional(Count, "largest number of tokens to generate", () => 100),
  temperature: optional(NonNegative, "scales randomness; 0 always takes the most probable token", () => 0.8),
  top_k: optional(CountOrZero, "sample from the k most probable tokens; 0: from all", () => 50),
  top_p: optional(Share, "sample from the most probable tokens that together reach this probability", () => 0.95),
  repetition_penalty: optional(
    Positive,
    "divides positive logits of tokens that occurred and multiplies negative ones; 1 has no effect",
    () => 1
  ),
  stop: optional(
    Schema.Array(Schema.String),
    "texts at which generation ends; they are not part of the result",
    () => []
  ),
  seed: optional(Seed, "seed of sampling", () => 1)
})
export type GenerationConfig = typeof GenerationConfig.Type

/** How to evaluate. */
export const EvaluationConfig = Schema.Struct({
  metrics: Schema.optional(
    Schema.Array(Schema.String).annotations({
      description: "metric plugins; default: perplexity, bits_per_byte and accuracy"
    })
  ),
  stride: Schema.optional(
    Count.annotations({ description: "tokens by which the window moves; default: half the context" })
  ),
  batch_size: optional(Count, "windows scored together", () => 8),
  seed: optional(Seed, "seed of the bootstrap", () => 1)
})
export type EvaluationConfig = typeof EvaluationConfig.Type

/** The tokenizer of a run: a plugin with its config, or one that is trained on the training text first. */
export const TokenizerSection = Schema.Struct(
  {
    name: Schema.String.annotations({ description: "tokenizer plugin" }),
    train: Schema.optional(
      Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
        description: "config of the tokenizer trainer of that name, which trains on the training text"
      })
    )
  },
  { key: Schema.String, value: Schema.Unknown }
)
export type TokenizerSection = typeof TokenizerSection.Type

/** What the session log records. */
export const LoggingConfig = Schema.Struct({
  session: optional(Schema.Boolean, "write a session log; CODEX_SESSION_LOGGING overrides it", () => true),
  ndjson: optional(Schema.Boolean, "also write each session to an NDJSON file", () => true),
  redact: optional(Schema.Boolean, "remove keys, tokens and passwords from the log", () => false)
})
export type LoggingConfig = typeof LoggingConfig.Type

/** The devices that can be named. `wasm` is ONNX Runtime's WebAssembly build, which is there wherever Node is. */
export const DeviceName = Schema.Literal("auto", "cpu", "wasm", "webgpu", "cuda", "coreml", "dml")

/** Where to compute. */
export const BackendConfig = Schema.Struct({
  device: Schema.optional(
    DeviceName.annotations({
      description: "device to compute on; default: cpu, or wasm where onnxruntime-node is missing"
    })
  ),
  threads: Schema.optional(Threads.annotations({ description: "threads per operator" })),
  precision: Schema.optional(
    Precision.annotations({
      description: "what matrix products compute in; float16 is faster on graphics cards. Default: float32"
    })
  )
})
export type BackendConfig = typeof BackendConfig.Type

/** The config of a run. */
export const RunConfig = Schema.Struct({
  name: optional(Schema.String.pipe(Schema.pattern(/^[\w.-]+$/)), "part of the run's id", () => "run"),
  from: Schema.optional(
    Schema.NonEmptyString.annotations({
      description:
        "a run (its best checkpoint) or a checkpoint whose weights training starts from; default: random weights"
    })
  ),
  model: PluginSection,
  data: PluginSection,
  tokenizer: TokenizerSection,
  training: optional(TrainingConfig, "how to train", () => Schema.decodeSync(TrainingConfig)({})),
  evaluation: optional(EvaluationConfig, "how to evaluate", () => Schema.decodeSync(EvaluationConfig)({})),
  generation: optional(GenerationConfig, "how to generate", () => Schema.decodeSync(GenerationConfig)({})),
  tracking: Schema.optional(
    Schema.Record({
      key: Schema.String,
      value: Schema.Record({ key: Schema.String, value: Schema.Unknown })
    }).annotations({
      description: "tracker plugins by name, each with its config; default: metrics.ndjson in the run's directory"
    })
  ),
  logging: optional(LoggingConfig, "the session log", () => Schema.decodeSync(LoggingConfig)({})),
  backend: optional(BackendConfig, "the backend", () => Schema.decodeSync(BackendConfig)({})),
  plugins: optional(Schema.Array(Schema.String), "packages whose plugins are used", () => [])
}).annotations({ identifier: "RunConfig" })
export type RunConfig = typeof RunConfig.Type
