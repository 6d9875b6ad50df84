/**
 * The models that every figure in docs/performance.md is about, and how their arithmetic is counted.
 *
 * All are GPT-2 shaped, with the activation of our presets (squared ReLU). Two have a byte vocabulary: one that fits a cache
 * (0.8 M parameters) and one that does not (10.7 M). A graphics card is measured with the latter and with GPT-2 small (124 M; its
 * vocabulary of 50,257 is padded to a multiple of 64, as nanoGPT does). A training step is counted as 6 · (weights of matrix products) ·
 * tokens for forward and backward, plus 12 · layers · T · C a token for attention over the whole T × T square. Norms,
 * activations and AdamW count nothing: the share of the machine's matrix rate says what they cost.
 */
import type { DecoderConfig } from "../src/plugins/models/decoder/DecoderConfig.ts"

export interface Size {
  readonly label: string
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly contextLength: number
  readonly batchSize: number
  readonly vocabularySize: number
}

const small: Size = {
  label: "0.8 M",
  layers: 4,
  width: 128,
  heads: 4,
  contextLength: 64,
  batchSize: 12,
  vocabularySize: 256
}

const medium: Size = {
  label: "10.7 M",
  layers: 6,
  width: 384,
  heads: 6,
  contextLength: 256,
  batchSize: 8,
  vocabularySize: 256
}

/** The sizes for processors. */
export const sizes: ReadonlyArray<Size> = [small, medium]

/** The sizes for graphics cards. */
export const gpuSizes: ReadonlyArray<Size> = [
  medium,
  {
    label: "124 M",
    layers: 12,
    width: 768,
    heads: 12,
    contextLength: 1024,
    batchSize: 4,
    vocabularySize: 50_304
  }
]

export const configOf = (size: Size): typeof DecoderConfig.Encoded => ({
  model_type: "gpt2",
  hidden_size: size.width,
  num_hidden_layers: size.layers,
  num_attention_heads: size.heads,
  max_position_embeddings: size.contextLength,
  hidden_act: "relu2",
  bias: false
})

/** Floating-point operations of one training step. */
export const trainingFlops = ({ batchSize, contextLength, layers, vocabularySize, width }: Size): number => {
  const weights = 12 * layers * width * width + vocabularySize * width
  const tokens = batchSize * contextLength
  return tokens * (6 * weights + 12 * layers * contextLength * width)
}
