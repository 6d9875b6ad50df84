/**
 * How fast is training, against what this machine can do, and against PyTorch?
 *
 *     npm run bench                     both sizes: step time, tokens/s, share of the matrix rate, memory; generation
 *     npm run bench -- --torch          the same model, batch and AdamW in PyTorch eager, taking turns with ours
 *     npm run bench -- --size 0         only the first size       --threads 1,2     thread counts to try
 *     npm run bench -- --torch --python .venv/bin/python
 *     npm run bench -- --wasm           also on the device wasm, taking turns; `wasm_over_cpu` is time over time
 *
 * Every setting takes its turn in every round: codex at each thread count, PyTorch at each pair of its own threads and those
 * of its matrix library. The best of each side are compared, round by round. The share is the arithmetic of a step (Sizes.ts)
 * over its time and over the rate of large matrix products, measured in the same setting between the steps. Figures of one run
 * are comparable, those of two are not: the machine is shared. Medians with minimum and maximum. `processor_millis` is the time
 * of all processors together: with one thread it is what a quiet machine would need. The last line is one JSON document. A drop of the share by a tenth would change our mind about a change.
 */
import { cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { Backend } from "../src/core/Backend.ts"
import { plural } from "../src/core/Plural.ts"
import * as OnnxBackend from "../src/services/backend/OnnxBackend.ts"
import { median, round, timed } from "./Figures.ts"
import { generation } from "./generation.ts"
import { type Size, sizes, trainingFlops } from "./Sizes.ts"
import * as Torch from "./Torch.ts"
import * as TrainingStep from "./TrainingStep.ts"

const { values: flags } = parseArgs({
  options: {
    torch: { type: "boolean", default: false },
    wasm: { type: "boolean", default: false },
    size: { type: "string" },
    python: { type: "string", default: "python3" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "7" }
  }
})
const rounds = Number(flags.rounds)
const threadCounts = flags.threads.split(",").map(Number)

/** Side of the matrix products that set the machine's own rate. */
const side = 1024

/** One setting of one side: a model of the size, warm, that can be timed. */
interface Side {
  readonly label: string
  readonly description: string
  readonly steps: (count: number) => Effect.Effect<Torch.Time, unknown>
  /** Floating-point operations a second of large matrix products. */
  readonly peak: Effect.Effect<number, unknown>
}

const codex = (size: Size) =>
  Effect.gen(function* () {
    const { description, device, threads } = (yield* Backend).info
    const { compileSeconds, matrixRate, parameters, steps } = yield* TrainingStep.make(size, {}, side)
    const setting: Side = {
      label: `codex${device === "cpu" ? "" : ` on ${device}`}, ${plural(threads, "thread")}`,
      description,
      steps: (count) =>
        Effect.suspend(() => {
          const before = process.cpuUsage()
          return Effect.map(timed(steps(count)), (seconds) => {
            const { system, user } = process.cpuUsage(before)
            return { seconds, processorSeconds: (user + system) / 1e6 }
          })
        }),
      peak: matrixRate
    }
    return { setting, compileSeconds, parameters }
  })

/** PyTorch at every pair of thread counts; pairs that the process does not tell apart are tried once. */
const torch = (size: Size) =>
  Effect.gen(function* () {
    const sides = new Map<string, Side>()
    const settings = threadCounts.flatMap((torch) =>
      threadCounts.flatMap((blas) => (["active", "passive"] as const).map((wait) => ({ torch, blas, wait })))
    )
    for (const threads of settings) {
      const peer = yield* Torch.open(flags.python, size, threads)
      if (sides.has(peer.description)) continue
      const waiting = threads.torch === 1 ? "" : `, waiting ${threads.wait}`
      sides.set(peer.description, { label: `PyTorch, ${threads.torch} and BLAS ${threads.blas}${waiting}`, ...peer })
    }
    return [...sides.values()]
  })

/** A setting with its figures. */
const measured = (size: Size, { description, label }: Side, rows: ReadonlyArray<Row>) => {
  const seconds = rows.map((row) => row.seconds)
  const tokens = size.batchSize * size.contextLength
  return {
    label,
    description,
    step_millis: round(median(seconds) * 1000),
    step_millis_range: [Math.min(...seconds), Math.max(...seconds)].map((each) => round(each * 1000)),
    processor_millis: round(median(rows.map(({ processorSeconds }) => processorSeconds)) * 1000),
    tokens_per_second: Math.round(tokens / median(seconds)),
    peak_gflops: round(median(rows.map(({ peak }) => peak)) / 1e9),
    share_of_peak: round(median(rows.map(({ peak, seconds }) => trainingFlops(size) / seconds / peak)), 3)
  }
}

interface Row {
  /** Seconds of one step, by the clock and of all processors together. */
  readonly seconds: number
  readonly processorSeconds: number
  readonly peak: number
}

const bench = (size: Size) =>
  Effect.gen(function* () {
    const ours: Array<Effect.Effect.Success<ReturnType<typeof codex>>> = []
    const devices = flags.wasm ? (["cpu", "wasm"] as const) : (["cpu"] as const)
    for (const settings of devices.flatMap((device) => threadCounts.map((threads) => ({ device, threads })))) {
      const context = yield* Layer.build(OnnxBackend.layer(settings))
      ours.push(yield* Effect.provide(codex(size), context))
      yield* ours[ours.length - 1]!.setting.peak
      yield* ours[ours.length - 1]!.setting.steps(2)
    }
    const memory = Math.round(process.memoryUsage().rss / 2 ** 20)
    const peers = flags.torch ? yield* Effect.either(torch(size)) : Either.left("not requested (--torch)")
    const theirs = Either.getOrElse(peers, (): ReadonlyArray<Side> => [])
    yield* Effect.forEach(theirs, ({ steps }) => steps(2))
    const sides = [...ours.map(({ setting }) => setting), ...theirs]
    // A second or a few a turn: long enough to be warm again, short enough that a noisy neighbour hits all of them.
    const count = size.width < 200 ? 20 : 3
    const table = yield* Effect.forEach(Array.from({ length: rounds }), () =>
      Effect.forEach(sides, (each) =>
        Effect.gen(function* () {
          const peak = yield* each.peak
          const { processorSeconds, seconds } = yield* each.steps(count)
          return { peak, seconds: seconds / count, processorSeconds: processorSeconds / count }
        })
      )
    )
    const rowsOf = (i: number): ReadonlyArray<Row> => table.map((row) => row[i]!)
    const results = sides.map((each, i) => measured(size, each, rowsOf(i)))
    const bestOf = (from: number, to: number) =>
      results
        .slice(from, to)
        .reduce((best, { step_millis }, i) => (step_millis < results[best]!.step_millis ? from + i : best), from)
    const best = bestOf(0, threadCounts.length)
    const bestPeer = bestOf(ours.length, sides.length)
    const ratio = (i: number) => round(median(table.map((row) => row[bestPeer]!.seconds / row[i]!.seconds)))
    const comparison = Either.isLeft(peers)
      ? { torch: peers.left }
      : {
          best: results[best]!.label,
          best_peer: results[bestPeer]!.label,
          speed_over_torch: ratio(best),
          each_over_best_torch: Object.fromEntries(sides.map(({ label }, i) => [label, ratio(i)]))
        }
    // Clock and processor time of the same thread count on both devices, round by round.
    const overCpu = (flags.wasm ? threadCounts : []).map((threads, i) => {
      const ratios = (time: (row: Row) => number) =>
        round(median(table.map((row) => time(row[threadCounts.length + i]!) / time(row[i]!))))
      return {
        threads,
        step: ratios(({ seconds }) => seconds),
        processor: ratios(({ processorSeconds }) => processorSeconds),
        products: ratios(({ peak }) => 1 / peak)
      }
    })
    yield* Console.log(`\n${size.label}, ${ours[0]!.parameters} parameters`)
    yield* Console.table(
      results.map(({ description: _, label, step_millis_range: [from, to], ...figures }) => ({
        setting: label,
        ...figures,
        range: `${from}–${to}`
      }))
    )
    for (const { description, label } of results) yield* Console.log(`${label}: ${description}`)
    yield* Console.log(JSON.stringify({ ...comparison, wasm_over_cpu: overCpu }))
    return {
      size: size.label,
      parameters: ours[0]!.parameters,
      compile_seconds: round(ours[0]!.compileSeconds),
      memory_mib: memory,
      settings: results,
      ...comparison,
      wasm_over_cpu: overCpu
    }
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const chosen = flags.size === undefined ? sizes : sizes.filter((_, i) => i === Number(flags.size))
  const machine = {
    cpu: cpus()[0]!.model,
    cores: cpus().length,
    node: process.version,
    load: loadavg().map((each) => round(each))
  }
  yield* Console.log(JSON.stringify(machine))
  const training = yield* Effect.forEach(chosen, bench)
  const generated = yield* Effect.forEach(chosen, (size) =>
    generation(size).pipe(Effect.provide(OnnxBackend.layer({ device: "cpu", threads: 1 })))
  )
  yield* Console.log(JSON.stringify({ ...machine, training, generation: generated }))
})

NodeRuntime.runMain(program)
