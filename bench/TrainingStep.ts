/**
 * A model of some size on a device, compiled and with state, that runs optimizer steps: what bench/train.ts and bench/gpu.ts time.
 *
 * The first values are not those of a run: drawing 124 million normal numbers takes longer than the measurement. They have the
 * size of real ones, so the arithmetic is the same.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Backend, type TensorDatas } from "../src/core/Backend.ts"
import type { Architecture } from "../src/core/Model.ts"
import { lossScaleOf } from "../src/core/tensor/HalfPrecision.ts"
import type { ParameterSpecs } from "../src/core/tensor/Module.ts"
import { adamw } from "../src/core/tensor/Optimizer.ts"
import { sum } from "../src/core/tensor/ops/broadcast.ts"
import { add } from "../src/core/tensor/ops/elementwise.ts"
import { matMul } from "../src/core/tensor/ops/matmul.ts"
import * as Program from "../src/core/tensor/Program.ts"
import { sizeOf, type TensorData, type TensorType } from "../src/core/tensor/Tensor.ts"
import { parameterTypes, stateNames, trainProgram } from "../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../src/plugins/models/decoder/DecoderConfig.ts"
import { timed } from "./Figures.ts"
import type { Variant } from "./gpu/Variants.ts"
import { configOf, type Size } from "./Sizes.ts"

/** The models of the bench with small sizes: one with a byte vocabulary, one whose vocabulary takes other operators. */
export const tinySizes: ReadonlyArray<Size> = [
  { label: "tiny", layers: 2, width: 64, heads: 2, contextLength: 32, batchSize: 2, vocabularySize: 256 },
  { label: "tiny, 4,096 tokens", layers: 2, width: 64, heads: 2, contextLength: 32, batchSize: 1, vocabularySize: 4096 }
]

/** The architecture of a size. */
export const architectureOfSize = (size: Size): Architecture =>
  architectureOf(resolve(Schema.decodeSync(DecoderConfig)(configOf(size))), size.vocabularySize)

/** First values: 4,093 numbers of the right size, repeated. */
export const quickParameters = (specs: ParameterSpecs): TensorDatas =>
  Object.fromEntries(
    Object.entries(specs).map(([name, { initial, shape }], k): [string, TensorData] => {
      const data = new Float32Array(sizeOf(shape))
      if (initial._tag === "Constant") data.fill(initial.value)
      // Uniform with the same deviation.
      else
        for (let i = 0; i < data.length; i++) data[i] = initial.std * 3.46 * (((i * 2003 + k * 31) % 4093) / 4093 - 0.5)
      return [name, { dtype: "float32", shape, data }]
    })
  )

/** A compiled training step. */
export interface TrainingStep {
  /** Runs `count` steps and waits for the last one; returns its loss. */
  readonly steps: (count: number) => Effect.Effect<number, Backend.Error>
  /** Floating-point operations a second of chained products of `side` × `side`. */
  readonly matrixRate: Effect.Effect<number, Backend.Error>
  /** Bytes that go into and out of a run, on average: what a step moves between the host and the device. */
  readonly hostBytes: number
  readonly compileSeconds: number
  readonly parameters: number
}

const links = 8

/**
 * Products of side × side, chained, of which only a scalar leaves the run. The matrix is made on the device from a row and a column,
 * so that nothing large goes in either.
 */
const matrixProgram = (side: number) =>
  Program.make({
    name: "products",
    state: {},
    inputs: { column: { dtype: "float32", shape: [side, 1] }, row: { dtype: "float32", shape: [1, side] } },
    build: (_, { column, row }) => {
      const a = add(column!, row!)
      let x = a
      for (let i = 0; i < links; i++) x = matMul(x, a)
      return { outputs: { sum: sum(x) } }
    }
  })

const bytesOf = (types: ReadonlyArray<TensorType>): number =>
  types.reduce((total, { dtype, shape }) => total + sizeOf(shape) * (dtype === "bool" ? 1 : 4), 0)

/**
 * What a run moves. A device that keeps its state moves inputs and outputs; the others also take all of the state in, and
 * give the new state back.
 */
const hostBytesOf = (program: Program.Program, keepsState: boolean, fetchEvery: number): number => {
  const reads = Program.readsOf(program)
  const inputs = bytesOf(reads.inputs.map((name) => program.inputs[name]!))
  const outputs = bytesOf(Object.values(program.outputs)) / fetchEvery
  if (keepsState) return inputs + outputs
  const state = bytesOf(reads.state.map((name) => program.state[name]!))
  return inputs + outputs + state + bytesOf(Object.values(program.nextState))
}

/** Compiles the step of a variant and writes its first state. */
export const make = (size: Size, variant: Pick<Variant, "fetchEvery" | "optimizer">, side: number) =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const architecture = architectureOfSize(size)
    const standard = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxNorm: 1 })
    const optimizer = variant.optimizer?.(standard) ?? standard
    const lossScale = lossScaleOf(backend.info.precision, size.batchSize * size.contextLength)
    const train = yield* trainProgram(architecture, optimizer, { ...size, accumulation: 1, lossScale })
    const fetchEvery = variant.fetchEvery ?? 1
    const programs: { readonly [name: string]: Program.Program } = {
      train,
      products: yield* matrixProgram(side),
      // The same step without outputs: on WebGPU a run moves all outputs, whether they are requested or not.
      ...(fetchEvery === 1 ? {} : { silent: { ...train, name: "silent", outputs: {} } })
    }
    const [elapsed, executable] = yield* Effect.timed(backend.compile(programs))
    const zeros = Object.entries(optimizer.state(parameterTypes(architecture))).map(
      ([name, { dtype, shape }]): [string, TensorData] => [
        name,
        { dtype, shape, data: new Float32Array(sizeOf(shape)) }
      ]
    )
    yield* executable.writeState(stateNames.optimizer(Object.fromEntries(zeros)))
    yield* executable.writeState(stateNames.parameters(quickParameters(architecture.parameters)))

    const shape = [size.batchSize, size.contextLength]
    const ids = (shift: number): TensorData => ({
      dtype: "int32",
      shape,
      data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => ((i + shift) * 7919) % size.vocabularySize)
    })
    const scalar = (value: number): TensorData => ({ dtype: "float32", shape: [], data: Float32Array.of(value) })
    const batch = { tokens: ids(0), targets: ids(1), learning_rate: scalar(1e-3) }
    let step = 0
    const one = (fetched: boolean) =>
      Effect.suspend(() => {
        const seed: TensorData = { dtype: "int32", shape: [], data: Int32Array.of(++step) }
        return executable.run(fetched ? "train" : "silent", { ...batch, step: scalar(step), seed })
      })
    const values = (length: number, shape: ReadonlyArray<number>): TensorData => ({
      dtype: "float32",
      shape,
      data: Float32Array.from({ length }, (_, i) => (((i * 37) % 101) / 101 - 0.5) / side)
    })
    const products = { column: values(side, [side, 1]), row: values(side, [1, side]) }
    const stepOf: TrainingStep = {
      steps: (count) =>
        Effect.gen(function* () {
          for (let i = 1; i < count; i++) yield* one(i % fetchEvery === 0)
          return (yield* one(true)).loss!.data[0]!
        }),
      matrixRate: Effect.map(
        timed(executable.run("products", products)),
        (seconds) => (links * 2 * side ** 3) / seconds
      ),
      hostBytes: Math.round(hostBytesOf(train, backend.info.device === "webgpu", fetchEvery)),
      compileSeconds: Duration.toSeconds(elapsed),
      parameters: Object.values(architecture.parameters).reduce((total, each) => total + sizeOf(each.shape), 0)
    }
    return stepOf
  })
