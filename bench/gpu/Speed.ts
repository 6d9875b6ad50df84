/**
 * Part 3: how long is a training step, against what the device can do?
 *
 * The variants take turns at the size's own batch; then the first of them runs at growing batches until one does not fit. Where the
 * limit of time is near, the rest is reported as not measured. The share is
 * the arithmetic of a step (../Sizes.ts) over its time and over the rate of large matrix products, measured between the
 * steps. Times are medians; the last step of a turn fetches the loss, so a turn ends when the device has finished.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { median, round, timed } from "../Figures.ts"
import { gpuSizes, type Size, trainingFlops } from "../Sizes.ts"
import * as TrainingStep from "../TrainingStep.ts"
import { type Job, messageOf, type Options, type Report } from "./Job.ts"
import * as Profile from "./Profile.ts"
import { type Variant, variants } from "./Variants.ts"

/** Side of the matrix products that set the device's own rate. */
export const sideOf = ({ tiny }: Options): number => (tiny ? 128 : 4096)

/** The sizes that are measured. */
export const sizesOf = ({ tiny }: Options): ReadonlyArray<Size> => (tiny ? TrainingStep.tinySizes : gpuSizes)

/** Batches beyond that of the size, until one does not fit. */
const largerBatches = (size: Size, { tiny }: Options): ReadonlyArray<number> =>
  (tiny ? [2] : [2, 4, 16, 64]).map((factor) => factor * size.batchSize)

interface Setting extends TrainingStep.TrainingStep {
  readonly name: string
  readonly batchSize: number
}

interface Turn {
  readonly seconds: number
  readonly rate: number
}

/** Compiles, and runs until the device is warm. */
const warm = (size: Size, name: string, variant: Variant, side: number) =>
  Effect.gen(function* () {
    const step = yield* TrainingStep.make(size, variant, side)
    yield* step.matrixRate
    yield* step.steps(2)
    const setting: Setting = { name, batchSize: size.batchSize, ...step }
    return setting
  })

/** About half a second each, at most 50 steps. */
const turnOf = (setting: Setting) =>
  Effect.gen(function* () {
    const count = Math.min(50, Math.max(1, Math.ceil(0.5 / (yield* timed(setting.steps(1))))))
    return Effect.gen(function* () {
      const rate = yield* setting.matrixRate
      const turn: Turn = { rate, seconds: (yield* timed(setting.steps(count))) / count }
      return turn
    })
  })

const reported = (report: Report, size: Size, setting: Setting, turns: ReadonlyArray<Turn>) => {
  const seconds = turns.map((turn) => turn.seconds)
  const flops = trainingFlops({ ...size, batchSize: setting.batchSize })
  return report("training", {
    size: size.label,
    parameters: setting.parameters,
    variant: setting.name,
    batch: setting.batchSize,
    step_millis: round(median(seconds) * 1000),
    fastest: round(Math.min(...seconds) * 1000),
    slowest: round(Math.max(...seconds) * 1000),
    tokens_per_second: Math.round((setting.batchSize * size.contextLength) / median(seconds)),
    matrix_gflops: round(median(turns.map(({ rate }) => rate)) / 1e9),
    share_of_matrix_rate: round(median(turns.map(({ rate, seconds }) => flops / seconds / rate)), 3),
    host_bytes_per_step: setting.hostBytes,
    compile_seconds: round(setting.compileSeconds)
  })
}

/** A variant's backend, and its step, in the scope. */
const setting = (options: Options, size: Size, name: string) =>
  Effect.gen(function* () {
    const variant = variants[name]!
    const context = yield* Layer.build(OnnxBackend.layer({ ...variant.backend, device: options.device }))
    return yield* Effect.provide(warm(size, name, variant, sideOf(options)), context)
  })

const roundsOf = ({ tiny }: Options): number => (tiny ? 3 : 5)

const noTime = "the limit of time is near (--minutes)"

/** Fails if less than a share of the time is left. */
const requireTime = (timeLeft: () => number, share: number) =>
  Effect.suspend(() => (timeLeft() < share ? Effect.fail(noTime) : Effect.void))

/** The variants at the size's own batch, in turns. One that fails is reported and the others are measured. */
const compared = (options: Options, report: Report, timeLeft: () => number, size: Size) =>
  Effect.gen(function* () {
    const settings: Array<{ readonly setting: Setting; readonly turn: Effect.Effect<Turn, unknown> }> = []
    for (const name of options.variants) {
      const made = yield* requireTime(timeLeft, name === options.variants[0] ? 0 : 0.5).pipe(
        Effect.zipRight(setting(options, size, name)),
        Effect.flatMap((setting) => Effect.map(turnOf(setting), (turn) => ({ setting, turn }))),
        Effect.either
      )
      if (Either.isRight(made)) settings.push(made.right)
      else
        yield* report("not measured", {
          size: size.label,
          variant: name,
          batch: size.batchSize,
          why: messageOf(made.left)
        })
    }
    const table: Array<ReadonlyArray<Turn>> = []
    while (table.length === 0 || (table.length < roundsOf(options) && timeLeft() > 0.3)) {
      table.push(yield* Effect.forEach(settings, ({ turn }) => turn))
    }
    yield* Effect.forEach(settings, ({ setting }, i) =>
      reported(
        report,
        size,
        setting,
        table.map((row) => row[i]!)
      )
    )
  }).pipe(Effect.scoped)

/** The first variant at larger batches, until one does not fit. */
const growing = (options: Options, report: Report, timeLeft: () => number, size: Size) =>
  Effect.gen(function* () {
    for (const batchSize of largerBatches(size, options)) {
      const larger = { ...size, batchSize }
      const measured = yield* Effect.gen(function* () {
        yield* requireTime(timeLeft, 0.2)
        const made = yield* setting(options, larger, options.variants[0])
        const turn = yield* turnOf(made)
        yield* reported(report, larger, made, yield* Effect.all([turn, turn, turn]))
      }).pipe(Effect.scoped, Effect.either)
      if (Either.isRight(measured)) continue
      const row = { size: size.label, variant: options.variants[0], batch: batchSize, why: messageOf(measured.left) }
      return yield* report("not measured", row)
    }
  })

const profiledSteps = 5

/** Profiles a few steps of a variant; the file is written when the scope of the sessions closes. */
const profiled = (options: Options, report: Report, size: Size, name: string, folder: string) =>
  Effect.gen(function* () {
    const variant = variants[name]!
    const backend = OnnxBackend.layer({ ...variant.backend, device: options.device, profile: folder })
    yield* Effect.gen(function* () {
      const step = yield* TrainingStep.make(size, variant, 64)
      yield* step.steps(3)
      yield* step.steps(profiledSteps)
    }).pipe(Effect.scoped, Effect.provide(backend))
    const file = readdirSync(folder).find((file) => file.startsWith("train_"))
    const row = { size: size.label, variant: name }
    if (file === undefined) return yield* report("not profiled", { ...row, why: `no profile on ${options.device}` })
    const events = yield* Profile.decode(readFileSync(join(folder, file), "utf8"))
    rmSync(join(folder, file))
    const { crossings, operators, total } = Profile.summarize(events, profiledSteps)
    yield* report("profile", { ...row, ...total })
    const large = operators.filter(({ share }) => Number(share) >= 0.005)
    yield* Effect.forEach(large, (each) => report("time by operator", { ...row, ...each }))
    if (["cpu", "wasm"].includes(options.device)) return
    yield* Effect.forEach(crossings, (each) => report("crossings of the host", { ...row, ...each }))
  })

/** The first variant at all sizes, and the other ones at the first size. */
const profiles = (options: Options, report: Report, timeLeft: () => number) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "codex-bench-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const sizes = sizesOf(options)
    const [name, ...others] = options.variants
    const settings = [...sizes.map((size) => ({ size, name })), ...others.map((name) => ({ size: sizes[0]!, name }))]
    for (const { name, size } of settings) {
      const done = yield* requireTime(timeLeft, 0.2).pipe(
        Effect.zipRight(profiled(options, report, size, name, folder)),
        Effect.either
      )
      if (Either.isRight(done)) continue
      yield* report("not profiled", { size: size.label, variant: name, why: messageOf(done.left) })
    }
  }).pipe(Effect.scoped)

/** One job for each size, and the profiles. */
export const jobs = (options: Options): ReadonlyArray<Job> => [
  ...sizesOf(options).map(
    (size, i): Job => ({
      name: `speed of ${size.label}`,
      weight: i === 0 ? 10 : 16,
      run: (options, report, timeLeft) =>
        Effect.zipRight(compared(options, report, timeLeft, size), growing(options, report, timeLeft, size))
    })
  ),
  { name: "time of the parts of a step", weight: 8, run: profiles }
]
