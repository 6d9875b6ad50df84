/**
 * Part 4: the same models and batches in PyTorch on the same card, eager and compiled, in float32, TF32 and bfloat16.
 *
 * Where there is no Python with torch and CUDA, that is the part's result. `--device cpu` asks for torch on the processor, to
 * try this part; TF32 exists on cards only. Each setting has its own process (../Torch.ts), because a compilation may fail.
 */
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { median, round } from "../Figures.ts"
import { type Size, trainingFlops } from "../Sizes.ts"
import * as Torch from "../Torch.ts"
import type { Job, Options, Report } from "./Job.ts"
import { sideOf, sizesOf } from "./Speed.ts"

type Precision = NonNullable<Torch.Setting["precision"]>

/** Eager first: it starts at once, a compilation takes most of a minute. */
const settingsOf = (device: "cpu" | "cuda") => {
  const precisions: ReadonlyArray<Precision> = device === "cuda" ? ["float32", "tf32", "bfloat16"] : ["float32"]
  const compiled: ReadonlyArray<Precision> = device === "cuda" ? ["bfloat16", "tf32", "float32"] : ["float32"]
  return [
    ...precisions.map((precision) => ({ device, precision, mode: "eager" as const })),
    ...compiled.map((precision) => ({ device, precision, mode: "compile" as const }))
  ]
}

const measured = (options: Options, size: Size, setting: ReturnType<typeof settingsOf>[number]) =>
  Effect.gen(function* () {
    const cores = options.tiny ? 1 : availableParallelism()
    const threads = { torch: cores, blas: cores, wait: "passive" } as const
    const peer = yield* Torch.open(options.python, size, threads, { ...setting, side: sideOf(options) })
    // Compilation and warm-up.
    yield* peer.steps(3)
    const { seconds: first } = yield* peer.steps(1)
    const count = Math.min(50, Math.max(1, Math.ceil(0.5 / first)))
    const turns = yield* Effect.forEach([1, 2, 3], () =>
      Effect.all({ rate: peer.peak, seconds: Effect.map(peer.steps(count), ({ seconds }) => seconds / count) })
    )
    const seconds = median(turns.map((turn) => turn.seconds))
    return {
      step_millis: round(seconds * 1000),
      tokens_per_second: Math.round((size.batchSize * size.contextLength) / seconds),
      matrix_gflops: round(median(turns.map(({ rate }) => rate)) / 1e9),
      share_of_matrix_rate: round(median(turns.map(({ rate, seconds }) => trainingFlops(size) / seconds / rate)), 3),
      description: peer.description
    }
  }).pipe(Effect.scoped)

const compared = (size: Size) => (options: Options, report: Report) =>
  Effect.gen(function* () {
    for (const setting of settingsOf(options.device === "cpu" ? "cpu" : "cuda")) {
      const row = { size: size.label, batch: size.batchSize, ...setting }
      const result = yield* Effect.either(measured(options, size, setting))
      if (Either.isRight(result)) yield* report("PyTorch", { ...row, ...result.right })
      else {
        const what = setting.mode === "eager" ? `no Python with torch for ${setting.device}: ` : ""
        yield* report("no PyTorch", { ...row, why: what + result.left })
        // Without torch or a card the other settings have the same answer; a compilation may fail alone.
        if (setting.mode === "eager") return
      }
    }
  })

/** One job for each size. */
export const jobs = (options: Options): ReadonlyArray<Job> =>
  sizesOf(options).map((size, i) => ({
    name: `PyTorch at ${size.label}`,
    weight: i === 0 ? 8 : 12,
    run: compared(size)
  }))
