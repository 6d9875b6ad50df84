/**
 * The model kind: a config becomes an architecture, which is named parameters and functions that build graphs.
 *
 * Laws (src/testing/model.ts): 1. `forward` gives logits [B·T, V]; 2. a token's logits do not depend on later tokens;
 * 3. decoding token by token through the cache gives the logits of `forward`; 4. names and shapes of the parameters are
 * those of the Hugging Face checkpoint of the same architecture.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ExitCode from "./ExitCode.ts"
import * as Plugin from "./plugin/Plugin.ts"
import type { ParameterSpecs } from "./tensor/Module.ts"
import type { Tensors, TensorTypes } from "./tensor/Program.ts"
import type { Tensor } from "./tensor/Tensor.ts"

/** A config that is well formed but makes no model: heads that do not divide the width, a vocabulary of 0. */
export class ModelError extends Schema.TaggedError<ModelError>()("ModelError", {
  model: Schema.String,
  key: Schema.String,
  details: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `Model ${this.model}, ${this.key}: ${this.details}`
  }
}

export class Model extends Context.Tag("codex/Model")<Model, Model.Service>() {}

export interface Architecture {
  readonly vocabularySize: number
  /** Longest sequence the model can see, in tokens. */
  readonly contextLength: number
  readonly parameters: ParameterSpecs
  /**
   * Logits [B·T, V] of every position for token ids [B, T] (int32), T ≤ contextLength.
   * `dropoutSeed`, an int32 scalar, turns dropout on: the masks are a function of it and nothing else.
   */
  readonly forward: (parameters: Tensors, tokens: Tensor, options?: { readonly dropoutSeed?: Tensor }) => Tensor
  /** The key/value cache of one sequence, as state tensors. */
  readonly cache: TensorTypes
  /**
   * Logits [n, V] of n new tokens [n] (int32) at positions `position` … `position + n − 1` (int32 scalar), and the cache
   * with their keys and values written. Entries past the last position are never read.
   */
  readonly decode: (
    parameters: Tensors,
    tokens: Tensor,
    position: Tensor,
    cache: Tensors
  ) => { readonly logits: Tensor; readonly cache: Tensors }
  /** `config.json` as Hugging Face's reader of this architecture expects it. */
  readonly config: { readonly [key: string]: unknown }
}

export declare namespace Model {
  interface Service {
    /** The longest sequence asked for by the config, in tokens. */
    readonly contextLength: number
    readonly architecture: (options: { readonly vocabularySize: number }) => Effect.Effect<Architecture, ModelError>
  }
}

export const ModelKind = Plugin.kind("model", { api: 1, tag: Model })
