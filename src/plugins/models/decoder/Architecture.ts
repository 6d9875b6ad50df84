/**
 * The decoder's graph: pre-norm transformer blocks, as in GPT-2 and Llama.
 *
 *   x ← embedding(tokens) (+ positions)
 *   x ← x + attention(norm(x));  x ← x + mlp(norm(x))          for each block
 *   logits ← norm(x) · W_out
 *
 * Activations are [B·T, C] so that every projection is one Gemm; only attention sees [B, H, T, D]. Sources: Radford et al.
 * 2019 (GPT-2), Touvron et al. 2023 (Llama, https://arxiv.org/abs/2302.13971), Ainslie et al. 2023 (grouped queries).
 */
import type { Architecture } from "../../../core/Model.ts"
import { declare, embedding, layerNorm, type Module, parameter, rmsNorm } from "../../../core/tensor/Module.ts"
import { broadcastTo, reshape } from "../../../core/tensor/ops/broadcast.ts"
import { add } from "../../../core/tensor/ops/elementwise.ts"
import { sliceAt } from "../../../core/tensor/ops/gather.ts"
import { gemm } from "../../../core/tensor/ops/matmul.ts"
import { dropout } from "../../../core/tensor/ops/random.ts"
import { slice } from "../../../core/tensor/ops/shape.ts"
import type { Tensors } from "../../../core/tensor/Program.ts"
import { integers, type Tensor } from "../../../core/tensor/Tensor.ts"
import { attentionBlock, mlpBlock } from "./Blocks.ts"
import { type Resolved, toHuggingFace } from "./DecoderConfig.ts"

/** Names of the modules in the checkpoints of the family. */
export const namesOf = (c: Resolved) =>
  c.family === "gpt2"
    ? {
        tokens: "transformer.wte",
        positions: "transformer.wpe",
        finalNorm: "transformer.ln_f",
        output: "lm_head",
        block: (i: number) => ({
          attentionNorm: `transformer.h.${i}.ln_1`,
          attention: `transformer.h.${i}.attn`,
          mlpNorm: `transformer.h.${i}.ln_2`,
          mlp: `transformer.h.${i}.mlp`
        })
      }
    : {
        tokens: "model.embed_tokens",
        positions: "model.embed_positions",
        finalNorm: "model.norm",
        output: "lm_head",
        block: (i: number) => ({
          attentionNorm: `model.layers.${i}.input_layernorm`,
          attention: `model.layers.${i}.self_attn`,
          mlpNorm: `model.layers.${i}.post_attention_layernorm`,
          mlp: `model.layers.${i}.mlp`
        })
      }

/** The architecture of a config, for a vocabulary of `vocabularySize` tokens. */
export const architectureOf = (c: Resolved, vocabularySize: number): Architecture => {
  const names = namesOf(c)
  const norm = (name: string): Module<[x: Tensor]> =>
    c.norm === "layer_norm" ? layerNorm(name, c.width, c.bias, c.epsilon) : rmsNorm(name, c.width, c.epsilon)

  const tokenTable = embedding(names.tokens, { rows: vocabularySize, width: c.width, std: c.std })
  const positionTable = embedding(names.positions, { rows: c.contextLength, width: c.width, std: c.std })
  const finalNorm = norm(names.finalNorm)
  const blocks = Array.from({ length: c.layers }, (_, i) => {
    const own = names.block(i)
    return {
      attentionNorm: norm(own.attentionNorm),
      attention: attentionBlock(own.attention, c),
      mlpNorm: norm(own.mlpNorm),
      mlp: mlpBlock(own.mlp, c)
    }
  })
  const output = embedding(names.output, { rows: vocabularySize, width: c.width, std: c.std })

  /** [T, C] → [T, V] with the output table [V, C]. */
  const logitsOf = (parameters: Tensors, x: Tensor): Tensor => {
    const table = parameter(parameters, `${c.tied ? names.tokens : names.output}.weight`)
    return gemm(finalNorm.apply(parameters, x), table, undefined, { transposeB: true })
  }

  return {
    vocabularySize,
    contextLength: c.contextLength,
    parameters: declare(
      tokenTable,
      ...(c.positions === "learned" ? [positionTable] : []),
      ...blocks.flatMap((block) => [block.attentionNorm, block.attention, block.mlpNorm, block.mlp]),
      finalNorm,
      ...(c.tied ? [] : [output])
    ),
    config: toHuggingFace(c, vocabularySize),

    forward: (parameters, tokens, options) => {
      const [batch, length] = [tokens.shape[0]!, tokens.shape[1]!]
      const seed = c.dropout === 0 ? undefined : options?.dropoutSeed
      const dropped = (x: Tensor, stream: number) =>
        seed === undefined ? x : dropout(x, seed, { rate: c.dropout, stream })
      let x = reshape(tokenTable.apply(parameters, tokens), [batch * length, c.width])
      if (c.positions === "learned") {
        const table = slice(parameter(parameters, `${names.positions}.weight`), 0, 0, length)
        const everywhere = broadcastTo(table, [batch, length, c.width])
        x = add(x, reshape(everywhere, [batch * length, c.width]))
      }
      x = dropped(x, 0)
      blocks.forEach((block, i) => {
        const layout = { batch, length, position: integers([0], []) }
        if (seed === undefined) {
          x = block.attention.forward(parameters, block.attentionNorm.apply(parameters, x), layout, x)
          x = block.mlp.apply(parameters, block.mlpNorm.apply(parameters, x), x)
        } else {
          x = add(
            x,
            dropped(block.attention.forward(parameters, block.attentionNorm.apply(parameters, x), layout), 2 * i + 1)
          )
          x = add(x, dropped(block.mlp.apply(parameters, block.mlpNorm.apply(parameters, x)), 2 * i + 2))
        }
      })
      return logitsOf(parameters, x)
    },

    cache: Object.fromEntries(
      blocks.flatMap((_, i) =>
        ["key", "value"].map((what) => [
          `${what}.${i}`,
          { dtype: "float32" as const, shape: [1, c.keyValueHeads, c.contextLength, c.headWidth] }
        ])
      )
    ),

    decode: (parameters, tokens, position, cache) => {
      const length = tokens.shape[0]!
      let x = tokenTable.apply(parameters, tokens)
      if (c.positions === "learned") {
        x = add(x, sliceAt(parameter(parameters, `${names.positions}.weight`), position, length))
      }
      const next: Record<string, Tensor> = {}
      blocks.forEach((block, i) => {
        const past = { key: parameter(cache, `key.${i}`), value: parameter(cache, `value.${i}`) }
        const attended = block.attention.decode(parameters, block.attentionNorm.apply(parameters, x), position, past, x)
        next[`key.${i}`] = attended.key
        next[`value.${i}`] = attended.value
        x = block.mlp.apply(parameters, block.mlpNorm.apply(parameters, attended.output), attended.output)
      })
      return { logits: logitsOf(parameters, x), cache: next }
    }
  }
}
