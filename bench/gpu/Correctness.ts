/**
 * Part 2: does the device compute what the processor computes?
 *
 * Five optimizer steps of the presets from the same first values and batches, on the device and on `cpu`, and every operator
 * against the reference in float64 (src/testing/operatorCases.ts). One step is not enough: a norm whose backward pass is wrong has
 * the right first loss.
 *
 * Tolerances are relative: 0.002 for losses and gradient norms, and for each tensor 0.02 of the length of what is compared, which for a
 * parameter is how far it moved. float32 on two providers differs by 1e-6 to 1e-4 after five steps, tensor cores that round operands
 * to 10 bits (TF32, the default on CUDA) by some 1e-3, and Adam divides by the size of a gradient, which makes a small difference
 * larger. A wrong operator gives differences of the order of 1.
 *
 * The first preset is also trained in half precision, where the device has it. Rounding alone gives losses that differ by 1e-4 and gradient
 * norms by 3e-3; providers that add up in half precision give more, and 0.01 and 0.05 are the most that is taken for right.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { parse } from "yaml"
import { Backend, type TensorDatas } from "../../src/core/Backend.ts"
import type { Architecture } from "../../src/core/Model.ts"
import { lossScaleOf, type Precision } from "../../src/core/tensor/HalfPrecision.ts"
import { adamw } from "../../src/core/tensor/Optimizer.ts"
import { operators } from "../../src/core/tensor/ops.ts"
import { sizeOf, type TensorData } from "../../src/core/tensor/Tensor.ts"
import {
  initialParameters,
  parameterTypes,
  stateNames,
  trainProgram
} from "../../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../src/plugins/models/decoder/DecoderConfig.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { comparisons } from "../../src/testing/operatorCases.ts"
import { short } from "../Figures.ts"
import { type Job, messageOf, type Options, type Report } from "./Job.ts"

const scalarTolerance = 2e-3
const tensorTolerance = 2e-2
const halfTolerances = { loss: 1e-2, norm: 5e-2 } as const

interface Preset {
  readonly label: string
  readonly model: string
  readonly vocabularySize: number
}

/** A large vocabulary takes another way through the gradient of the embedding. */
const presets: readonly [Preset, ...ReadonlyArray<Preset>] = [
  { label: "tiny", model: "tiny", vocabularySize: 256 },
  { label: "gpt2-tiny", model: "gpt2-tiny", vocabularySize: 256 },
  { label: "llama-tiny", model: "llama-tiny", vocabularySize: 256 },
  { label: "tiny, 8,192 tokens", model: "tiny", vocabularySize: 8192 }
]

const presetConfig = ({ model }: Preset) =>
  Effect.gen(function* () {
    const file = new URL(`../../configs/model/${model}.yaml`, import.meta.url)
    const { name: _, ...config } = yield* Effect.try(() => parse(readFileSync(file, "utf8")))
    return resolve(yield* Schema.decodeUnknown(DecoderConfig)(config))
  })

const steps = 5

/** Not the default of 1e-8: a gradient that only rounding keeps from zero (that of the biases of keys) would become a whole update. */
const epsilon = 1e-6

/** Losses and gradient norms of the steps, and the state after them. */
const trained = (architecture: Architecture, sizes: { readonly batchSize: number; readonly contextLength: number }) =>
  Effect.gen(function* () {
    const optimizer = adamw({ beta2: 0.95, epsilon, weightDecay: 0.1, maxNorm: 1 })
    const backend = yield* Backend
    const lossScale = lossScaleOf(backend.info.precision, sizes.batchSize * sizes.contextLength)
    const train = yield* trainProgram(architecture, optimizer, { ...sizes, accumulation: 1, lossScale })
    const executable = yield* backend.compile({ train })
    const zeros = Object.entries(optimizer.state(parameterTypes(architecture))).map(
      ([name, { dtype, shape }]): [string, TensorData] => [
        name,
        { dtype, shape, data: new Float32Array(sizeOf(shape)) }
      ]
    )
    yield* executable.writeState({
      ...stateNames.parameters(initialParameters(architecture.parameters, 1)),
      ...stateNames.optimizer(Object.fromEntries(zeros))
    })
    const shape = [sizes.batchSize, sizes.contextLength]
    const scalar = (value: number): TensorData => ({ dtype: "float32", shape: [], data: Float32Array.of(value) })
    const scalars: Array<{ readonly loss: number; readonly norm: number }> = []
    for (let step = 1; step <= steps; step++) {
      // Few distinct tokens: the gradient of an embedding adds up rows that occur many times.
      const tokens = Int32Array.from({ length: sizeOf(shape) }, (_, i) => (i * i * 7 + i * step) % 61)
      const outputs = yield* executable.run("train", {
        tokens: { dtype: "int32", shape, data: tokens },
        targets: { dtype: "int32", shape, data: tokens.map((id) => (id * 5 + 3) % 97) },
        learning_rate: scalar(1e-2),
        step: scalar(step),
        seed: { dtype: "int32", shape: [], data: Int32Array.of(step) }
      })
      scalars.push({ loss: outputs.loss!.data[0]!, norm: outputs.gradient_norm!.data[0]! })
    }
    return { scalars, state: yield* executable.readState() }
  }).pipe(Effect.scoped)

/** Largest |a − b| / |b| of numbers that are paired; infinite where one is not finite. */
const largestOf = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
  Math.max(...b.map((value, i) => finite(Math.abs(a[i]! - value) / Math.abs(value))))

const finite = (value: number) => (Number.isFinite(value) ? value : Number.POSITIVE_INFINITY)

/** ‖a − b‖ over ‖b − origin‖, for the tensor of a group where it is largest. */
const farthest = (a: TensorDatas, b: TensorDatas, origin: TensorDatas) => {
  let worst = { name: "", difference: 0 }
  for (const [name, { data }] of Object.entries(b)) {
    const [from, other] = [origin[name]?.data, a[name]!.data]
    let distance = 0
    let length = 0
    for (let i = 0; i < data.length; i++) {
      distance += (other[i]! - data[i]!) ** 2
      length += (data[i]! - (from?.[i] ?? 0)) ** 2
    }
    const difference = distance === 0 ? 0 : finite(Math.sqrt(distance / length))
    if (difference >= worst.difference) worst = { name, difference }
  }
  return worst
}

type Trained = Effect.Effect.Success<ReturnType<typeof trained>>

const scalarsApart = (a: Trained, b: Trained, key: "loss" | "norm"): number =>
  largestOf(
    a.scalars.map((each) => each[key]),
    b.scalars.map((each) => each[key])
  )

/** The model of a preset, and its training on a device. */
const prepared = (options: Options, preset: Preset) =>
  Effect.map(presetConfig(preset), (config) => {
    const architecture = architectureOf(config, preset.vocabularySize)
    const sizes = options.tiny
      ? { batchSize: 2, contextLength: 16 }
      : { batchSize: 8, contextLength: config.contextLength }
    const on = (device: Options["device"], precision?: Precision) =>
      Effect.provide(trained(architecture, sizes), OnnxBackend.layer({ device, threads: 2, precision }))
    return { architecture, on }
  })

/** The first preset in half precision on the device, against float32 on the processor. */
const halfPrecision = (options: Options, report: Report) =>
  Effect.gen(function* () {
    const [preset] = presets
    const { on } = yield* prepared(options, preset)
    const device = yield* Effect.either(on(options.device, "float16"))
    if (Either.isLeft(device)) {
      // A card may have no half precision; one that has it must compute.
      const passed = device.left._tag === "BackendError" && device.left.reason === "Unavailable"
      yield* report("half precision", { preset: preset.label, what: messageOf(device.left), passed })
      return
    }
    const cpu = yield* on("cpu")
    for (const key of ["loss", "norm"] as const) {
      const tolerance = halfTolerances[key]
      const difference = scalarsApart(device.right, cpu, key)
      const passed = difference <= tolerance
      yield* report("half precision", {
        ...{ preset: preset.label, what: key, difference: short(difference), tolerance, passed }
      })
    }
  })

const comparePreset = (options: Options, report: Report, preset: Preset) =>
  Effect.gen(function* () {
    const { architecture, on } = yield* prepared(options, preset)
    const [device, cpu] = [yield* on(options.device), yield* on("cpu")]
    const row = (what: string, difference: number, tolerance: number, worst: string) =>
      report("training", {
        preset: preset.label,
        what,
        difference: short(difference),
        tolerance,
        worst,
        passed: difference <= tolerance
      })
    yield* row("loss", scalarsApart(device, cpu, "loss"), scalarTolerance, `of ${steps} steps`)
    yield* row("gradient norm", scalarsApart(device, cpu, "norm"), scalarTolerance, `of ${steps} steps`)
    const initial = initialParameters(architecture.parameters, 1)
    const groups = [
      ["parameters", farthest(stateNames.ofParameters(device.state), stateNames.ofParameters(cpu.state), initial)],
      ["optimizer state", farthest(stateNames.ofOptimizer(device.state), stateNames.ofOptimizer(cpu.state), {})]
    ] as const
    for (const [what, { difference, name }] of groups) yield* row(what, difference, tensorTolerance, name)
  })

const training = (options: Options, report: Report) =>
  Effect.forEach(presets, (preset) =>
    Effect.gen(function* () {
      const compared = yield* Effect.either(comparePreset(options, report, preset))
      if (Either.isRight(compared)) return
      yield* report("training", { preset: preset.label, what: messageOf(compared.left), passed: false })
    })
  )

/** One row for each operator: its output that comes closest to its tolerance, or exceeds it. */
const contract = (options: Options, report: Report) =>
  Effect.forEach(operators, (operator) =>
    Effect.gen(function* () {
      const found = yield* Effect.either(Effect.scoped(comparisons(operator, { samples: options.tiny ? 2 : 6 })))
      if (Either.isLeft(found)) {
        yield* report("operators", { operator: operator.name, worst: messageOf(found.left), passed: false })
        return
      }
      const excess = ({ difference, tolerance }: (typeof found.right)[number]) =>
        difference === 0 ? 0 : difference / tolerance
      const [first, ...rest] = found.right
      const worst = rest.reduce((most, each) => (excess(each) > excess(most!) ? each : most), first)
      yield* report("operators", {
        operator: operator.name,
        outputs: found.right.length,
        difference: short(worst?.difference ?? 0),
        tolerance: worst?.tolerance ?? 0,
        worst: worst?.what ?? "",
        passed: worst !== undefined && worst.difference <= worst.tolerance
      })
    })
  ).pipe(Effect.provide(OnnxBackend.layer({ device: options.device })))

/** The presets, and the operators. */
export const jobs: ReadonlyArray<Job> = [
  { name: "correctness of training", weight: 20, run: training },
  { name: "correctness of half precision", weight: 3, run: halfPrecision },
  { name: "correctness of operators", weight: 18, run: contract }
]
