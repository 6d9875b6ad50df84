/**
 * The config of the `decoder` model, in the names of Hugging Face's `config.json`.
 *
 * `model_type` chooses a family: names and layout of the parameters, and defaults for everything else. Each default can be
 * overridden, so a GPT-2 with rotary positions or a Llama with a plain MLP is a config and needs no code.
 */
import * as Schema from "effect/Schema"
import { Count, Positive } from "../../../core/Numbers.ts"

const size = (description: string) => Count.annotations({ description })
const rate = (description: string) =>
  Schema.optionalWith(Schema.Number.pipe(Schema.between(0, 0.9)).annotations({ description }), { default: () => 0 })

/** The options of the plugin `decoder`. */
export const DecoderConfig = Schema.Struct({
  model_type: Schema.optionalWith(
    Schema.Literal("gpt2", "llama").annotations({
      description: "family: parameter names and layout of its Hugging Face checkpoints, and the defaults below"
    }),
    { default: () => "llama" as const }
  ),
  hidden_size: size("width C of the residual stream, in channels"),
  num_hidden_layers: size("number of blocks"),
  num_attention_heads: size("query heads; must divide hidden_size"),
  num_key_value_heads: Schema.optional(size("key/value heads; must divide num_attention_heads, default the same")),
  intermediate_size: Schema.optional(size("width of the MLP; default 4·C for gpt2, 8/3·C rounded up to 32 for llama")),
  max_position_embeddings: size("longest sequence, in tokens"),
  position_embedding: Schema.optional(
    Schema.Literal("learned", "rotary").annotations({ description: "default learned for gpt2, rotary for llama" })
  ),
  norm: Schema.optional(
    Schema.Literal("layer_norm", "rms_norm").annotations({
      description: "default layer_norm for gpt2, rms_norm for llama"
    })
  ),
  hidden_act: Schema.optional(
    Schema.Literal("gelu_new", "gelu", "silu", "relu2").annotations({
      description: "activation of the MLP; default gelu_new for gpt2, silu for llama"
    })
  ),
  gated_mlp: Schema.optional(
    Schema.Boolean.annotations({
      description: "MLP with a gate (SwiGLU when hidden_act is silu); default true for llama"
    })
  ),
  bias: Schema.optional(
    Schema.Boolean.annotations({ description: "biases in projections and LayerNorm; default true for gpt2" })
  ),
  tie_word_embeddings: Schema.optional(
    Schema.Boolean.annotations({
      description: "output projection = token embedding; default true for gpt2, false for llama"
    })
  ),
  rope_theta: Schema.optionalWith(Positive.annotations({ description: "base of the rotary frequencies" }), {
    default: () => 10_000
  }),
  norm_eps: Schema.optionalWith(Positive.annotations({ description: "added inside the root of each norm" }), {
    default: () => 1e-5
  }),
  initializer_range: Schema.optionalWith(
    Positive.annotations({
      description: "standard deviation of initial weights; projections into the residual stream get it / sqrt(2·layers)"
    }),
    { default: () => 0.02 }
  ),
  dropout: rate("share of activations dropped after the embedding, attention and MLP while training")
}).annotations({ identifier: "DecoderConfig" })

/** The decoded options. */
export type DecoderConfig = typeof DecoderConfig.Type

/** A config with every default of its family filled in. */
export interface Resolved {
  readonly family: "gpt2" | "llama"
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly headWidth: number
  readonly mlpWidth: number
  readonly contextLength: number
  readonly positions: "learned" | "rotary"
  readonly norm: "layer_norm" | "rms_norm"
  readonly activation: "gelu_new" | "gelu" | "silu" | "relu2"
  readonly gated: boolean
  readonly bias: boolean
  readonly tied: boolean
  readonly theta: number
  readonly epsilon: number
  readonly std: number
  readonly dropout: number
}

/** Fills in the defaults of the family. */
export const resolve = (config: DecoderConfig): Resolved => {
  const gpt2 = config.model_type === "gpt2"
  const gated = config.gated_mlp ?? !gpt2
  const width = config.hidden_size
  return {
    family: config.model_type,
    width,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headWidth: width / config.num_attention_heads,
    mlpWidth: config.intermediate_size ?? (gated ? 32 * Math.ceil((8 * width) / 3 / 32) : 4 * width),
    contextLength: config.max_position_embeddings,
    positions: config.position_embedding ?? (gpt2 ? "learned" : "rotary"),
    norm: config.norm ?? (gpt2 ? "layer_norm" : "rms_norm"),
    activation: config.hidden_act ?? (gpt2 ? "gelu_new" : "silu"),
    gated,
    bias: config.bias ?? gpt2,
    tied: config.tie_word_embeddings ?? gpt2,
    theta: config.rope_theta,
    epsilon: config.norm_eps,
    std: config.initializer_range,
    dropout: config.dropout
  }
}

/** What is wrong with a well-typed config, with the key to change, or `undefined`. */
export const faultOf = (c: Resolved): { readonly key: string; readonly details: string } | undefined => {
  if (!Number.isInteger(c.headWidth)) {
    return { key: "num_attention_heads", details: `${c.heads} heads do not divide hidden_size ${c.width}.` }
  }
  if (c.heads % c.keyValueHeads !== 0) {
    return { key: "num_key_value_heads", details: `${c.keyValueHeads} does not divide num_attention_heads ${c.heads}.` }
  }
  if (c.positions === "rotary" && c.headWidth % 2 !== 0) {
    return {
      key: "num_attention_heads",
      details: `rotary positions need an even head width; ${c.width} / ${c.heads} is ${c.headWidth}.`
    }
  }
  return undefined
}

/** Whether a reader of the family's checkpoints would build the same model: false where an override changes its structure. */
const isOfFamily = (c: Resolved): boolean =>
  c.family === "gpt2"
    ? c.positions === "learned" && c.norm === "layer_norm" && !c.gated && c.bias && c.keyValueHeads === c.heads
    : c.positions === "rotary" && c.norm === "rms_norm" && c.gated

/**
 * `config.json` as Hugging Face's readers expect it. A model that mixes the families declares neither, so that a reader of
 * either refuses it rather than compute something else.
 */
export const toHuggingFace = (c: Resolved, vocabularySize: number): { readonly [key: string]: unknown } => {
  const common = { vocab_size: vocabularySize, initializer_range: c.std, tie_word_embeddings: c.tied }
  if (!isOfFamily(c)) {
    const { std: _, tied: __, ...rest } = c
    return { model_type: "codex_decoder", architectures: ["CodexDecoder"], ...common, ...rest }
  }
  return c.family === "gpt2"
    ? {
        model_type: "gpt2",
        architectures: ["GPT2LMHeadModel"],
        ...common,
        n_positions: c.contextLength,
        n_embd: c.width,
        n_layer: c.layers,
        n_head: c.heads,
        n_inner: c.mlpWidth,
        activation_function: c.activation,
        layer_norm_epsilon: c.epsilon,
        resid_pdrop: c.dropout,
        embd_pdrop: c.dropout,
        attn_pdrop: 0
      }
    : {
        model_type: "llama",
        architectures: ["LlamaForCausalLM"],
        ...common,
        hidden_size: c.width,
        intermediate_size: c.mlpWidth,
        num_hidden_layers: c.layers,
        num_attention_heads: c.heads,
        num_key_value_heads: c.keyValueHeads,
        max_position_embeddings: c.contextLength,
        hidden_act: c.activation,
        rms_norm_eps: c.epsilon,
        rope_theta: c.theta,
        attention_bias: c.bias,
        mlp_bias: c.bias
      }
}
