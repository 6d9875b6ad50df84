/**
 * The model kind: a config becomes an architecture, which is named parameters and functions that build graphs.
 *
 * Laws (src/testing/model.ts): 1. `forward` gives logits [B·T, V]; 2. a token's logits do not depend on later tokens;
 * 3. decoding token by token through the cache gives the logits of `forward`; 4. names and shapes of the parameters are
 * those of the Hugging Face checkpoint of the same architecture.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "./Backend.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Plugin from "./plugin/Plugin.ts"
import type { ParameterSpecs } from "./tensor/Module.ts"
import { reshape } from "./tensor/ops/broadcast.ts"
import { cast, less, where } from "./tensor/ops/compare.ts"
import { add } from "./tensor/ops/elementwise.ts"
import { sliceAt, writeRows } from "./tensor/ops/gather.ts"
import { iota } from "./tensor/ops/random.ts"
import type { Tensors, TensorTypes } from "./tensor/Program.ts"
import { integers, type Tensor } from "./tensor/Tensor.ts"

/** A config that is well formed but does not describe a model: heads that do not divide the width, a vocabulary of 0. */
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

/** Weights, or what is computed with them, are NaN or infinite: the model's text and scores would mean nothing. */
export class NonFiniteModel extends Schema.TaggedError<NonFiniteModel>()("NonFiniteModel", {
  /** What is not finite: `parameter lm_head.weight`, `a logit`. */
  what: Schema.String,
  /** The checkpoint, if it is known. */
  checkpoint: Schema.optional(Schema.String)
}) {
  override get message() {
    const where = this.checkpoint === undefined ? "" : `${this.checkpoint}: `
    return (
      `${where}The model cannot be used: ${this.what} is not finite (NaN or infinity). ` +
      "Use an earlier checkpoint, or train again with a lower training.lr."
    )
  }
}

/** Fails if a parameter is not finite. */
export const requireFinite = (
  parameters: TensorDatas,
  checkpoint?: string
): Effect.Effect<TensorDatas, NonFiniteModel> => {
  const broken = Object.keys(parameters).find((name) => parameters[name]!.data.some((value) => !Number.isFinite(value)))
  return broken === undefined
    ? Effect.succeed(parameters)
    : new NonFiniteModel({ what: `parameter ${broken}`, ...(checkpoint === undefined ? {} : { checkpoint }) })
}

/** The service of a model: makes an architecture for a vocabulary. */
export class Model extends Context.Tag("codex/Model")<Model, Model.Service>() {
  /** A config that makes no model. */
  static readonly Error = ModelError

  /** Weights, logits or a loss that are NaN or infinite. */
  static readonly NonFiniteError = NonFiniteModel

  /** What plugins name: `Plugin.make(Model.kind, "bigram", { … })`. */
  static readonly kind: Plugin.Kind<"model", Model, Model.Service> = Plugin.kind("model", {
    api: 1,
    tag: Model,
    contract: {
      contextLength: Schema.Int,
      architecture: { gives: { forward: Schema.Object, decode: Schema.Object } }
    }
  })

  /**
   * A model from parameters and `forward`. The rest of an architecture is derived if it is not given: `cache` and
   * `decode`, which then keep the tokens and read all of them again for each new one (slow, but the same logits), and
   * `config`.
   *
   * @example
   * Model.make({
   *   name: "unigram",
   *   contextLength: 8,
   *   architecture: ({ vocabularySize }) => {
   *     const scores = Module.embedding("scores", { rows: 1, width: vocabularySize, std: 0.02 })
   *     const first = (tokens: Tensor.Tensor) => ops.mul(ops.reshape(tokens, [-1]), Tensor.integers([0], []))
   *     return { parameters: scores.parameters, forward: (p, tokens) => scores.apply(p, first(tokens)) }
   *   }
   * })
   */
  static make({ architecture, contextLength, name }: Model.Primitives): Model.Service {
    return {
      contextLength,
      architecture: ({ vocabularySize }) => {
        if (vocabularySize < 1) {
          return new ModelError({ model: name, key: "vocabulary", details: "it is empty." })
        }
        const primitives = architecture({ vocabularySize })
        const { decode, forward } = primitives
        return Effect.succeed({
          config: { model_type: name, vocab_size: vocabularySize, max_position_embeddings: contextLength },
          cache: {},
          ...primitives,
          ...(decode === undefined ? decodingOf(forward, contextLength) : { decode }),
          vocabularySize,
          contextLength
        })
      }
    }
  }
}

/** Parameters and the graphs over them, for one size of vocabulary. */
export interface Architecture {
  /** V, the number of tokens that have logits. */
  readonly vocabularySize: number
  /** Longest sequence the model can see, in tokens. */
  readonly contextLength: number
  readonly parameters: ParameterSpecs
  /**
   * Logits [B·T, V] of every position for token ids [B, T] (int32), T ≤ contextLength.
   * `dropoutSeed` turns dropout on: the masks are a function of it and nothing else. It is given to `ops.dropout` or `ops.uniform`
   * as it is (for a micro-batch it also says which one), with a stream of its own for each use.
   */
  readonly forward: (parameters: Tensors, tokens: Tensor, options?: { readonly dropoutSeed?: Tensor }) => Tensor
  /** What one sequence keeps between decoding steps, as state tensors: the keys and values of a transformer. */
  readonly cache: TensorTypes
  /**
   * Logits [n, V] of n new tokens [n] (int32) at positions `position` … `position + n − 1` (int32 scalar), and the cache
   * with what they add to it. What the cache holds past the last position has no effect.
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
  type Error = ModelError
  type NonFiniteError = NonFiniteModel
  interface Service {
    /** The longest sequence that the config allows, in tokens. */
    readonly contextLength: number
    readonly architecture: (options: { readonly vocabularySize: number }) => Effect.Effect<Architecture, ModelError>
  }

  /** What a model consists of; see `Model.make`. */
  interface Primitives {
    /** The plugin's name, for errors and as `model_type` of a derived `config`. */
    readonly name: string
    /** The longest sequence, in tokens. */
    readonly contextLength: number
    /** Called with a vocabulary of one token or more. */
    readonly architecture: (options: {
      readonly vocabularySize: number
    }) => Pick<Architecture, "parameters" | "forward"> & Partial<Pick<Architecture, "cache" | "decode" | "config">>
  }
}

/** Decoding for any `forward`: the cache is the tokens so far. They are float32 because state is written by rows of floats. */
const decodingOf = (
  forward: Architecture["forward"],
  contextLength: number
): Pick<Architecture, "cache" | "decode"> => ({
  cache: { tokens: { dtype: "float32", shape: [contextLength, 1] } },
  decode: (parameters, tokens, position, cache) => {
    const count = tokens.shape[0]!
    const seen = writeRows(cache.tokens!, reshape(cast(tokens, "float32"), [count, 1]), position)
    const isSeen = less(iota(contextLength), add(position, integers([count], [])))
    // Positions that have no token yet get an arbitrary one: later tokens have no effect.
    const ids = where(isSeen, cast(reshape(seen, [contextLength]), "int32"), integers([0], []))
    const logits = forward(parameters, reshape(ids, [1, contextLength]))
    return { logits: sliceAt(logits, position, count), cache: { tokens: seen } }
  }
})
