/**
 * The two parts of a transformer block: causal self-attention, and the MLP.
 *
 * GPT-2 keeps query, key and value in one matrix (`c_attn`), Llama in three; the graph between them is the same. Keys are
 * rotated before they are cached, so decoding never touches them again. The MLP is activation(x · W_up) · W_down, or with a
 * gate (activation(x · W_gate) ⊙ x · W_up) · W_down. Sources: Shazeer 2020, https://arxiv.org/abs/2002.05202 (the gate);
 * So et al. 2021, https://arxiv.org/abs/2109.08668 (`relu2`).
 */
import { conv1d, declare, linear, type Module, type ParameterSpecs } from "../../../core/tensor/Module.ts"
import { gelu, geluErf, reluSquared, silu } from "../../../core/tensor/ops/activation.ts"
import { causalAttention } from "../../../core/tensor/ops/attention.ts"
import { reshape } from "../../../core/tensor/ops/broadcast.ts"
import { mul } from "../../../core/tensor/ops/elementwise.ts"
import { writeRows } from "../../../core/tensor/ops/gather.ts"
import { rotary } from "../../../core/tensor/ops/rotary.ts"
import { split, transpose } from "../../../core/tensor/ops/shape.ts"
import type { Tensors } from "../../../core/tensor/Program.ts"
import type { Tensor } from "../../../core/tensor/Tensor.ts"
import type { Resolved } from "./DecoderConfig.ts"

/** The attention of a block, over whole sequences and against a cache. */
export interface AttentionBlock {
  readonly parameters: ParameterSpecs
  /** [B·T, C] → [B·T, C], plus the residual when one is given. */
  readonly forward: (
    parameters: Tensors,
    x: Tensor,
    layout: { readonly batch: number; readonly length: number; readonly position: Tensor },
    residual?: Tensor
  ) => Tensor
  /** n new tokens [n, C] against a cache [1, K, S, D], and the cache with their rows written. */
  readonly decode: (
    parameters: Tensors,
    x: Tensor,
    position: Tensor,
    past: { readonly key: Tensor; readonly value: Tensor },
    residual: Tensor
  ) => { readonly output: Tensor; readonly key: Tensor; readonly value: Tensor }
}

/** Attention with the parameter names and layout of the family. */
export const attentionBlock = (name: string, c: Resolved): AttentionBlock => {
  const keyValueWidth = c.keyValueHeads * c.headWidth
  const sizes = [c.width, keyValueWidth, keyValueWidth]
  const make = c.family === "gpt2" ? conv1d : linear
  const project = (part: string, outputs: number) =>
    make(`${name}.${part}`, { inputs: c.width, outputs, bias: c.bias, std: c.std })
  const inputs =
    c.family === "gpt2"
      ? [project("c_attn", c.width + 2 * keyValueWidth)]
      : [project("q_proj", c.width), project("k_proj", keyValueWidth), project("v_proj", keyValueWidth)]
  const output = make(`${name}.${c.family === "gpt2" ? "c_proj" : "o_proj"}`, {
    inputs: c.width,
    outputs: c.width,
    bias: c.bias,
    std: c.std / Math.sqrt(2 * c.layers)
  })

  /** [B·T, heads·D] → [B, heads, T, D] */
  const toHeads = (x: Tensor, heads: number, batch: number, length: number) =>
    transpose(reshape(x, [batch, length, heads, c.headWidth]), [0, 2, 1, 3])
  const fromHeads = (x: Tensor, rows: number) => reshape(transpose(x, [0, 2, 1, 3]), [rows, c.width])

  const queryKeyValue = (parameters: Tensors, x: Tensor, batch: number, length: number, position: Tensor) => {
    const projected = inputs.map((module) => module.apply(parameters, x))
    const parts = c.family === "gpt2" ? split(projected[0]!, sizes, 1) : projected
    const [query, key] = [
      toHeads(parts[0]!, c.heads, batch, length),
      toHeads(parts[1]!, c.keyValueHeads, batch, length)
    ]
    const value = toHeads(parts[2]!, c.keyValueHeads, batch, length)
    if (c.positions === "learned") return { query, key, value }
    const rotate = (tensor: Tensor) => rotary(tensor, position, { theta: c.theta, positions: c.contextLength })
    return { query: rotate(query), key: rotate(key), value }
  }

  return {
    parameters: declare(...inputs, output),
    forward: (parameters, x, { batch, length, position }, residual) => {
      const { key, query, value } = queryKeyValue(parameters, x, batch, length, position)
      return output.apply(parameters, fromHeads(causalAttention(query, key, value, {}), batch * length), residual)
    },
    decode: (parameters, x, position, past, residual) => {
      const length = x.shape[0]!
      const own = queryKeyValue(parameters, x, 1, length, position)
      const key = writeRows(past.key, own.key, position)
      const value = writeRows(past.value, own.value, position)
      const attended = causalAttention(own.query, key, value, { position })
      return { output: output.apply(parameters, fromHeads(attended, length), residual), key, value }
    }
  }
}

/** `hidden_act` by its name in configs. */
const activations = { gelu_new: gelu, gelu: geluErf, silu, relu2: reluSquared }

/** [T, C] → [T, C], plus the residual when one is given. */
export const mlpBlock = (name: string, c: Resolved): Module<[x: Tensor, residual?: Tensor]> => {
  const [make, names] =
    c.family === "gpt2"
      ? ([conv1d, { up: "c_fc", gate: "c_gate", down: "c_proj" }] as const)
      : ([linear, { up: "up_proj", gate: "gate_proj", down: "down_proj" }] as const)
  const up = make(`${name}.${names.up}`, { inputs: c.width, outputs: c.mlpWidth, bias: c.bias, std: c.std })
  const gate = make(`${name}.${names.gate}`, { inputs: c.width, outputs: c.mlpWidth, bias: c.bias, std: c.std })
  const down = make(`${name}.${names.down}`, {
    inputs: c.mlpWidth,
    outputs: c.width,
    bias: c.bias,
    std: c.std / Math.sqrt(2 * c.layers)
  })
  const activation = activations[c.activation]
  return {
    parameters: c.gated ? declare(gate, up, down) : declare(up, down),
    apply: (parameters, x, residual) => {
      const hidden = c.gated
        ? mul(activation(gate.apply(parameters, x)), up.apply(parameters, x))
        : activation(up.apply(parameters, x))
      return down.apply(parameters, hidden, residual)
    }
  }
}
