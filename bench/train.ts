/**
 * How fast is training, against what this machine can do?
 *
 *     npm run bench                 both sizes: step time, tokens/s, share of the matrix rate, memory; generation
 *     npm run bench -- --torch      the same model, batch and AdamW in PyTorch eager, taking turns with ours
 *     npm run bench -- --size 0     only the first size       --threads 1,2     thread counts to try
 *
 * The share is the arithmetic of a step (Sizes.ts) over its time and over the rate of large matrix products, measured in
 * the same process on the same backend between the steps. Figures of one run are comparable, those of two are not: the
 * machine is shared. Medians with minimum and maximum. The last line is one JSON document. A drop of the share by a tenth
 * would change our mind about a change.
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { Backend } from "../src/core/Backend.ts"
import { adamw } from "../src/core/tensor/Optimizer.ts"
import { sum } from "../src/core/tensor/ops/broadcast.ts"
import { matMul } from "../src/core/tensor/ops/matmul.ts"
import * as Program from "../src/core/tensor/Program.ts"
import { sizeOf } from "../src/core/tensor/Tensor.ts"
import { initialParameters } from "../src/core/training/InitialParameters.ts"
import { parameterTypes, stateNames, trainProgram } from "../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../src/plugins/models/decoder/Config.ts"
import * as OnnxBackend from "../src/services/backend/OnnxBackend.ts"
import { generation } from "./generation.ts"
import { configOf, type Size, sizes, trainingFlops, vocabularySize } from "./Sizes.ts"
import * as Torch from "./Torch.ts"

const { values: flags } = parseArgs({
  options: {
    torch: { type: "boolean", default: false },
    size: { type: "string" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "7" }
  }
})
const rounds = Number(flags.rounds)

const median = (values: ReadonlyArray<number>) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const now = Effect.sync(() => performance.now() / 1000)
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const from = yield* now
    yield* effect
    return (yield* now) - from
  })

/** Matrix products of side 1024, chained so that only a scalar leaves the run. */
const side = 1024
const links = 8
const peakProgram = Program.make({
  name: "peak",
  state: {},
  inputs: { a: { dtype: "float32", shape: [side, side] } },
  build: (_, { a }) => {
    let x = a!
    for (let i = 0; i < links; i++) x = matMul(x, a!)
    return { outputs: { sum: sum(x) } }
  }
})

const ours = (size: Size) =>
  Effect.gen(function* () {
    const backend = yield* Backend
    const architecture = architectureOf(resolve(Schema.decodeSync(DecoderConfig)(configOf(size))), vocabularySize)
    const optimizer = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxNorm: 1 })
    const train = yield* trainProgram(architecture, optimizer, { ...size, accumulation: 1 })
    const from = yield* now
    const executable = yield* backend.compile({ train, peak: yield* peakProgram })
    const compileSeconds = (yield* now) - from
    const zeros = Object.entries(optimizer.state(parameterTypes(architecture))).map(([name, { shape }]) => [
      name,
      { dtype: "float32" as const, shape, data: new Float32Array(sizeOf(shape)) }
    ])
    yield* executable.writeState({
      ...stateNames.parameters(initialParameters(architecture.parameters, 1)),
      ...stateNames.optimizer(Object.fromEntries(zeros))
    })
    const shape = [size.batchSize, size.contextLength]
    const ids = (shift: number) => ({
      dtype: "int32" as const,
      shape,
      data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => ((i + shift) * 7919) % vocabularySize)
    })
    const scalar = (value: number) => ({ dtype: "float32" as const, shape: [], data: Float32Array.of(value) })
    let step = 0
    const one = Effect.suspend(() =>
      executable.run("train", {
        tokens: ids(0),
        targets: ids(1),
        learning_rate: scalar(1e-3),
        step: scalar(++step),
        seed: { dtype: "int32", shape: [], data: Int32Array.of(step) }
      })
    )
    const a = { dtype: "float32" as const, shape: [side, side], data: new Float32Array(side * side).fill(1e-3) }
    const peak = Effect.map(timed(executable.run("peak", { a })), (seconds) => (links * 2 * side ** 3) / seconds)
    yield* peak
    yield* Effect.repeatN(one, 2)
    const parameters = Object.values(architecture.parameters).reduce((total, each) => total + sizeOf(each.shape), 0)
    return { one, peak, compileSeconds, parameters }
  })

const bench = (size: Size, threads: number) =>
  Effect.gen(function* () {
    const mine = yield* ours(size)
    const peer = flags.torch ? yield* Effect.either(Torch.open) : Either.left("not asked for (--torch)")
    if (Either.isRight(peer)) {
      yield* peer.right.ask({
        op: "open",
        layers: size.layers,
        width: size.width,
        heads: size.heads,
        context: size.contextLength,
        batch: size.batchSize,
        vocabulary: vocabularySize,
        threads
      })
      yield* peer.right.ask({ op: "steps", count: 2 })
    }
    // A second or a few a turn: long enough to be warm again, short enough that a noisy neighbour hits both sides.
    const count = size.width < 200 ? 20 : 3
    const rows = yield* Effect.forEach(Array.from({ length: rounds }), () =>
      Effect.gen(function* () {
        const peak = yield* mine.peak
        const seconds = (yield* timed(Effect.repeatN(mine.one, count - 1))) / count
        if (Either.isLeft(peer)) return { peak, seconds, torchPeak: 0, torchSeconds: 0 }
        const torchPeak = (yield* peer.right.ask({ op: "peak" })).flops ?? 0
        const torchSeconds = ((yield* peer.right.ask({ op: "steps", count })).seconds ?? 0) / count
        return { peak, seconds, torchPeak, torchSeconds }
      })
    )
    const flops = trainingFlops(size)
    const tokens = size.batchSize * size.contextLength
    const step = median(rows.map(({ seconds }) => seconds))
    const result = {
      size: size.label,
      parameters: mine.parameters,
      threads,
      compile_seconds: round(mine.compileSeconds),
      step_millis: round(step * 1000),
      step_millis_range: [Math.min, Math.max].map((f) => round(f(...rows.map(({ seconds }) => seconds * 1000)))),
      tokens_per_second: Math.round(tokens / step),
      peak_gflops: round(median(rows.map(({ peak }) => peak)) / 1e9),
      share_of_peak: round(median(rows.map(({ peak, seconds }) => flops / seconds / peak)), 3),
      memory_mib: Math.round(process.memoryUsage().rss / 2 ** 20),
      ...(Either.isRight(peer)
        ? {
            torch_tokens_per_second: Math.round(tokens / median(rows.map(({ torchSeconds }) => torchSeconds))),
            torch_share_of_its_peak: round(
              median(rows.map(({ torchPeak, torchSeconds }) => flops / torchSeconds / torchPeak)),
              3
            ),
            speed_over_torch: round(median(rows.map(({ seconds, torchSeconds }) => torchSeconds / seconds)))
          }
        : { torch: peer.left })
    }
    yield* Console.table(Object.entries(result).map(([figure, value]) => ({ figure, value: String(value) })))
    return result
  }).pipe(Effect.scoped)

const round = (value: number, digits = 2) => Number(value.toFixed(digits))

const program = Effect.gen(function* () {
  const chosen = flags.size === undefined ? sizes : sizes.filter((_, i) => i === Number(flags.size))
  const results = yield* Effect.forEach(chosen, (size) =>
    Effect.forEach(flags.threads.split(",").map(Number), (threads) =>
      bench(size, threads).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads })))
    )
  )
  const generated = yield* Effect.forEach(chosen, (size) =>
    generation(size).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1 })))
  )
  yield* Console.log(JSON.stringify({ node: process.version, training: results.flat(), generation: generated }))
})

NodeRuntime.runMain(program)
