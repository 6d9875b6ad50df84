/**
 * The MLP of one block: activation(x · W_up) · W_down, or with a gate (activation(x · W_gate) ⊙ x · W_up) · W_down.
 * Source of the gate: Shazeer 2020, https://arxiv.org/abs/2002.05202. `relu2`: So et al. 2021, https://arxiv.org/abs/2109.08668.
 */
import { conv1d, declare, linear, type Module } from "../../../core/tensor/Module.ts"
import { gelu, geluErf, reluSquared, silu } from "../../../core/tensor/ops/activation.ts"
import { mul } from "../../../core/tensor/ops/elementwise.ts"
import type { Tensor } from "../../../core/tensor/Tensor.ts"
import type { Resolved } from "./Config.ts"

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
