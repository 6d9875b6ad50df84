/**
 * Oracles: PyTorch 1.13 in float64 (test/fixtures/decoder-*.json, made by test/oracles/decoder.py) for logits, loss, every
 * gradient and three AdamW steps; central finite differences for the gradient of the whole model.
 * Runs on the reference backend and on CPU sessions with one and two threads.
 */
import { readFileSync } from "node:fs"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, it } from "vitest"
import { Backend } from "../../../src/core/Backend.ts"
import { grad } from "../../../src/core/tensor/Gradient.ts"
import { adamw } from "../../../src/core/tensor/Optimizer.ts"
import { reshape, sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { div } from "../../../src/core/tensor/ops/elementwise.ts"
import { crossEntropy } from "../../../src/core/tensor/ops/loss.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import * as Reference from "../../../src/core/tensor/Reference.ts"
import { scalar, sizeOf, type TensorData } from "../../../src/core/tensor/Tensor.ts"
import { parameterTypes, stateNames, trainProgram } from "../../../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, faultOf, resolve } from "../../../src/plugins/models/decoder/DecoderConfig.ts"
import { Decoder } from "../../../src/plugins/models/decoder.ts"
import * as OnnxBackend from "../../../src/services/backend/OnnxBackend.ts"
import * as ReferenceBackend from "../../../src/services/backend/ReferenceBackend.ts"
import { modelContract } from "../../../src/testing/model.ts"

type Nested = number | ReadonlyArray<Nested>
const Nested: Schema.Schema<Nested> = Schema.Union(Schema.Number, Schema.Array(Schema.suspend(() => Nested)))
const Values = Schema.Record({ key: Schema.String, value: Nested })
const Fixture = Schema.parseJson(
  Schema.Struct({
    config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    parameters: Values,
    tokens: Nested,
    targets: Nested,
    logits: Nested,
    loss: Schema.Number,
    gradients: Values,
    adamw: Schema.Struct({
      options: Schema.Struct({
        lr: Schema.Number,
        beta1: Schema.Number,
        beta2: Schema.Number,
        eps: Schema.Number,
        weight_decay: Schema.Number
      }),
      losses: Schema.Array(Schema.Number),
      parameters: Values
    })
  })
)

const flatten = (value: Nested): ReadonlyArray<number> => (typeof value === "number" ? [value] : value.flatMap(flatten))
const shapeOf = (value: Nested): ReadonlyArray<number> =>
  typeof value === "number" ? [] : [value.length, ...(value[0] === undefined ? [] : shapeOf(value[0]))]
const floats = (value: Nested): TensorData => ({
  dtype: "float32",
  shape: shapeOf(value),
  data: Float64Array.from(flatten(value))
})
const ints = (value: Nested): TensorData => ({
  dtype: "int32",
  shape: shapeOf(value),
  data: Int32Array.from(flatten(value))
})
const all = (values: typeof Values.Type) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, floats(value)]))

const configs = {
  gpt2: { model_type: "gpt2", num_attention_heads: 4 },
  llama: { model_type: "llama", num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 24 }
} as const

const load = (family: "gpt2" | "llama") => {
  const path = new URL(`../../fixtures/decoder-${family}.json`, import.meta.url)
  const fixture = Schema.decodeSync(Fixture)(readFileSync(path, "utf8"))
  const config = { ...configs[family], hidden_size: 16, num_hidden_layers: 2, max_position_embeddings: 8 }
  return { fixture, architecture: architectureOf(resolve(Schema.decodeSync(DecoderConfig)(config)), 31) }
}

/** Largest difference, relative to numbers above one. */
const distance = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length)
  return Array.from(got).reduce(
    (most, value, i) => Math.max(most, Math.abs(value - want[i]!) / Math.max(1, Math.abs(want[i]!))),
    0
  )
}

/** Where AdamW's step is rounding noise: the gradient of GPT-2's key bias is zero in exact arithmetic. */
const isNoise = (name: string, index: number) => name.endsWith("c_attn.bias") && index >= 16 && index < 32

const backends = [
  // Scalars of a graph (eps, betas) are float32 constants, also for the reference: 1e-8 of relative difference.
  ["reference", ReferenceBackend.layer, 1e-7],
  ["CPU, 1 thread", OnnxBackend.layer({ device: "cpu", threads: 1 }), 1e-5],
  ["CPU, 2 threads", OnnxBackend.layer({ device: "cpu", threads: 2 }), 1e-5]
] as const

for (const family of ["gpt2", "llama"] as const) {
  for (const [name, backend, tolerance] of backends) {
    layer(backend)(`decoder ${family} against PyTorch, ${name}`, (it) => {
      it.scoped("logits, loss and every gradient are equal", () =>
        Effect.gen(function* () {
          const { architecture, fixture } = load(family)
          const types = parameterTypes(architecture)
          expect(Object.keys(types).sort()).toEqual(Object.keys(fixture.parameters).sort())
          const program = yield* Program.make({
            name: "gradients",
            state: types,
            inputs: { tokens: { dtype: "int32", shape: [2, 7] }, targets: { dtype: "int32", shape: [2, 7] } },
            build: (parameters, inputs) => {
              const logits = architecture.forward(parameters, inputs.tokens!)
              const nats = crossEntropy(logits, reshape(inputs.targets!, [14]), { ignoreIndex: -100 })
              const scored = flatten(fixture.targets).filter((target) => target !== -100).length
              const loss = div(sum(nats), scalar(scored))
              const names = Object.keys(parameters)
              const gradients = grad(
                loss,
                names.map((each) => parameters[each]!)
              )
              return { outputs: { logits, loss, ...Object.fromEntries(names.map((each, i) => [each, gradients[i]!])) } }
            }
          })
          const executable = yield* (yield* Backend).compile({ program })
          yield* executable.writeState(all(fixture.parameters))
          const outputs = yield* executable.run("program", {
            tokens: ints(fixture.tokens),
            targets: ints(fixture.targets)
          })
          expect(distance(outputs.logits!.data, flatten(fixture.logits))).toBeLessThan(tolerance)
          expect(distance(outputs.loss!.data, [fixture.loss])).toBeLessThan(tolerance)
          for (const [parameter, gradient] of Object.entries(fixture.gradients)) {
            expect(distance(outputs[parameter]!.data, flatten(gradient)), parameter).toBeLessThan(tolerance)
          }
        })
      )

      it.scoped("three AdamW steps give the same losses and parameters", () =>
        Effect.gen(function* () {
          const { architecture, fixture } = load(family)
          const { options } = fixture.adamw
          const optimizer = adamw({
            beta1: options.beta1,
            beta2: options.beta2,
            epsilon: options.eps,
            weightDecay: options.weight_decay
          })
          const train = yield* trainProgram(architecture, optimizer, {
            batchSize: 2,
            contextLength: 7,
            accumulation: 1
          })
          const executable = yield* (yield* Backend).compile({ train })
          const zeros = Object.entries(optimizer.state(parameterTypes(architecture))).map(([key, { dtype, shape }]) => [
            key,
            { dtype, shape, data: new Float32Array(sizeOf(shape)) }
          ])
          yield* executable.writeState({
            ...stateNames.parameters(all(fixture.parameters)),
            ...stateNames.optimizer(Object.fromEntries(zeros))
          })
          const losses: Array<number> = []
          for (const step of [1, 2, 3]) {
            const outputs = yield* executable.run("train", {
              tokens: ints(fixture.tokens),
              targets: ints(fixture.targets),
              learning_rate: { dtype: "float32", shape: [], data: Float64Array.of(options.lr) },
              step: { dtype: "float32", shape: [], data: Float64Array.of(step) },
              seed: { dtype: "int32", shape: [], data: Int32Array.of(0) }
            })
            losses.push(outputs.loss!.data[0]!)
          }
          expect(distance(losses, fixture.adamw.losses)).toBeLessThan(tolerance * 10)
          const after = stateNames.ofParameters(yield* executable.readState())
          for (const [parameter, values] of Object.entries(fixture.adamw.parameters)) {
            const keep = (_: number, i: number) => !isNoise(parameter, i)
            const [got, want] = [[...after[parameter]!.data].filter(keep), flatten(values).filter(keep)]
            // Near a zero gradient AdamW's step depends on its sign: measured at most 3e-5 in float32.
            expect(distance(got, want), parameter).toBeLessThan(tolerance * 10)
          }
        })
      )
    })
  }

  describe(`decoder ${family}`, () => {
    it("the gradient of a two-layer model agrees with central finite differences", () => {
      const { architecture, fixture } = load(family)
      const program = Effect.runSync(
        Program.make({
          name: "loss",
          state: parameterTypes(architecture),
          inputs: { tokens: { dtype: "int32", shape: [2, 7] }, targets: { dtype: "int32", shape: [2, 7] } },
          build: (parameters, inputs) => {
            const logits = architecture.forward(parameters, inputs.tokens!)
            const loss = sum(crossEntropy(logits, reshape(inputs.targets!, [14]), { ignoreIndex: -100 }))
            const names = Object.keys(parameters)
            const gradients = grad(
              loss,
              names.map((name) => parameters[name]!)
            )
            return { outputs: { loss, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]!])) } }
          }
        })
      )
      const at = (state: Reference.NdArrays) =>
        Reference.run(program, state, {
          tokens: Reference.fromData(ints(fixture.tokens)),
          targets: Reference.fromData(ints(fixture.targets))
        }).outputs
      const state = Object.fromEntries(
        Object.entries(fixture.parameters).map(([name, value]) => [name, Reference.fromData(floats(value))])
      )
      const gradients = at(state)
      for (const name of Object.keys(state)) {
        const direction = Float64Array.from(state[name]!.data, (_, i) => Math.sin(12.9898 * (i + 1)))
        const along = (h: number) =>
          at({
            ...state,
            [name]: { ...state[name]!, data: Float64Array.from(state[name]!.data, (x, i) => x + h * direction[i]!) }
          }).loss!.data[0]!
        const h = 1e-4
        // Fourth order: the error of the two-point formula would hide what is looked for.
        const numeric = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
        const exact = Array.from(gradients[name]!.data).reduce(
          (total: number, value, i) => total + value * direction[i]!,
          0
        )
        expect(Math.abs(numeric - exact) / Math.max(1, Math.abs(exact)), name).toBeLessThan(1e-6)
      }
    })
  })
}

modelContract(
  "decoder gpt2",
  Decoder.layer({ ...base(), model_type: "gpt2" }),
  OnnxBackend.layer({ device: "cpu", threads: 1 })
)
modelContract(
  "decoder llama with grouped heads",
  Decoder.layer({ ...base(), model_type: "llama", num_key_value_heads: 2 }),
  OnnxBackend.layer({ device: "cpu", threads: 1 })
)
modelContract(
  "decoder gpt2 with rotary positions, relu2 and a gate",
  Decoder.layer({ ...base(), model_type: "gpt2", position_embedding: "rotary", hidden_act: "relu2", gated_mlp: true }),
  ReferenceBackend.layer
)

function base() {
  return { hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 4, max_position_embeddings: 9 }
}

describe("decoder config", () => {
  const fault = (config: typeof DecoderConfig.Encoded) => faultOf(resolve(Schema.decodeSync(DecoderConfig)(config)))

  it("names the key that does not fit", () => {
    expect(fault({ ...base(), num_attention_heads: 5 })).toEqual({
      key: "num_attention_heads",
      details: "5 heads do not divide hidden_size 16."
    })
    expect(fault({ ...base(), num_key_value_heads: 3 })?.key).toBe("num_key_value_heads")
    expect(fault({ ...base(), num_attention_heads: 16 })?.details).toMatch("even head width")
    expect(fault(base())).toBeUndefined()
  })
})
