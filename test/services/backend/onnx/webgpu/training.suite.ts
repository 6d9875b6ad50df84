/**
 * Where the nodes of real Programs run: on the device, all of them. A node that the CPU provider runs, or a copy between
 * the two, makes the host wait for the device in every step.
 *
 * Oracles: ONNX Runtime's profile, and for the flattened optimizer the separate one on the CPU. Needs WebGPU (../swiftshader.ts).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Backend, type TensorDatas } from "../../../../../src/core/Backend.ts"
import { decodePrograms } from "../../../../../src/core/generation/Generation.ts"
import * as Optimizer from "../../../../../src/core/tensor/Optimizer.ts"
import type { Program } from "../../../../../src/core/tensor/Program.ts"
import { sizeOf } from "../../../../../src/core/tensor/Tensor.ts"
import {
  evaluateProgram,
  initialParameters,
  parameterTypes,
  stateNames,
  trainProgram
} from "../../../../../src/core/training/TrainingPrograms.ts"
import * as OnnxBackend from "../../../../../src/services/backend/OnnxBackend.ts"
import * as Tiny from "../../../../training/tiny.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-profile-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const ProfileEvents = Schema.parseJson(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      args: Schema.optionalWith(
        Schema.Struct({ provider: Schema.optional(Schema.String), op_name: Schema.optional(Schema.String) }),
        { default: () => ({}) }
      )
    })
  )
)

/** Runs a Program on zeros once, and says which of its nodes ran elsewhere, and how many ran. */
const profileOf = (program: Program) =>
  Effect.gen(function* () {
    const profile = yield* folder
    yield* Effect.gen(function* () {
      const executable = yield* (yield* Backend).compile({ program })
      const zeros = (types: Program["state"]): TensorDatas =>
        Object.fromEntries(
          Object.entries(types).map(([name, { dtype, shape }]) => [
            name,
            { dtype, shape, data: dtype === "int32" ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape)) }
          ])
        )
      yield* executable.writeState(zeros(program.state))
      yield* executable.run("program", zeros(program.inputs))
    }).pipe(Effect.scoped, Effect.provide(OnnxBackend.layer({ device: "webgpu", threads: 1, profile })))
    const [file] = readdirSync(profile)
    const events = yield* Schema.decode(ProfileEvents)(readFileSync(join(profile, file!), "utf8"))
    const nodes = events.filter(({ name }) => name.endsWith("_kernel_time"))
    const elsewhere = nodes.filter(
      ({ args }) => args.provider !== "WebGpuExecutionProvider" || args.op_name?.startsWith("Memcpy")
    )
    return { ran: nodes.length, elsewhere: elsewhere.map(({ args, name }) => `${args.provider}: ${name}`) }
  })

const architectures = {
  "GPT-2": Tiny.architecture({ model_type: "gpt2", hidden_act: "gelu_new", dropout: 0.1 }),
  Llama: Tiny.architecture({ num_key_value_heads: 1 })
}
const sizes = { batchSize: 4, contextLength: 8 }

describe.each(Object.entries(architectures))("%s on WebGPU", (_, architecture) => {
  it.scoped("trains, evaluates and generates without a node on the CPU", () =>
    Effect.gen(function* () {
      const optimizer = Optimizer.flatten(Tiny.optimizer(1))
      const programs = {
        train: yield* trainProgram(architecture, Tiny.optimizer(1), { ...sizes, accumulation: 2 }),
        flattened: yield* trainProgram(architecture, optimizer, { ...sizes, accumulation: 1 }),
        evaluate: yield* evaluateProgram(architecture, sizes),
        ...(yield* decodePrograms(architecture, initialParameters(architecture.parameters, 1)))
      }
      for (const [name, program] of Object.entries(programs)) {
        const { elsewhere, ran } = yield* profileOf(program)
        expect(elsewhere, name).toEqual([])
        expect(ran, name).toBeGreaterThan(20)
      }
    })
  )
})

/** The losses of five steps, and the parameters after them. */
const trained = <E>(optimizer: Optimizer.GradientTransformation, backend: Layer.Layer<Backend, E>) =>
  Effect.gen(function* () {
    const architecture = architectures["GPT-2"]
    const train = yield* trainProgram(architecture, optimizer, { ...sizes, accumulation: 1 })
    const executable = yield* (yield* Backend).compile({ train })
    const state = Object.entries(optimizer.state(parameterTypes(architecture)))
    yield* executable.writeState({
      ...stateNames.parameters(initialParameters(architecture.parameters, 1)),
      ...stateNames.optimizer(
        Object.fromEntries(
          state.map(([name, { dtype, shape }]) => [name, { dtype, shape, data: new Float32Array(sizeOf(shape)) }])
        )
      )
    })
    const text = Tiny.periodic(33)
    const batch = (shift: number) => ({ dtype: "int32", shape: [4, 8], data: text.slice(shift, 32 + shift) }) as const
    const scalar = (value: number) => ({ dtype: "float32", shape: [], data: Float32Array.of(value) }) as const
    const losses: Array<number> = []
    for (let step = 1; step <= 5; step++) {
      const seed = { dtype: "int32", shape: [], data: Int32Array.of(step) } as const
      const scalars = { learning_rate: scalar(1e-2), step: scalar(step), seed }
      const outputs = yield* executable.run("train", { tokens: batch(0), targets: batch(1), ...scalars })
      losses.push(outputs.loss!.data[0]!, outputs.gradient_norm!.data[0]!)
    }
    const parameters = stateNames.ofParameters(yield* executable.readState())
    return { losses, parameters }
  }).pipe(Effect.scoped, Effect.provide(backend))

it.effect("five steps with a flattened optimizer on WebGPU are those of the separate one on the CPU", () =>
  Effect.gen(function* () {
    const onCpu = yield* trained(Tiny.optimizer(1), OnnxBackend.layer({ device: "cpu", threads: 1 }))
    const onDevice = yield* trained(
      Optimizer.flatten(Tiny.optimizer(1), { maxElements: 1000 }),
      OnnxBackend.layer({ device: "webgpu", threads: 1 })
    )
    onDevice.losses.forEach((value, i) => {
      expect(value).toBeCloseTo(onCpu.losses[i]!, 4)
    })
    for (const [name, { data }] of Object.entries(onCpu.parameters)) {
      data.forEach((value: number, i: number) => {
        expect(onDevice.parameters[name]!.data[i]!, `${name}[${i}]`).toBeCloseTo(value, 3)
      })
    }
  })
)
