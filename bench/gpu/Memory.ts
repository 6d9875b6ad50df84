/**
 * Part 6: does memory stay flat over 500 steps, and does the device shut down without a crash?
 *
 * The shutdown is judged by the parent: the child has to end by itself with exit status 0 after its scope closed. So this part has no
 * figure of its own for it; a crash or a hang is a failure of the part.
 */
import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { gpuSizes } from "../Sizes.ts"
import * as TrainingStep from "../TrainingStep.ts"
import type { Job, Options, Report } from "./Job.ts"
import { variants } from "./Variants.ts"

/** Memory of the card that is in use, by all processes, in MiB; `null` without nvidia-smi. */
const cardMemory = Effect.async<number | null>((resume) => {
  const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"]
  execFile("nvidia-smi", query, { timeout: 5000 }, (error, stdout) => {
    const used = Number(stdout.split("\n")[0])
    resume(Effect.succeed(error === null && Number.isFinite(used) ? used : null))
  })
})

const growth = (options: Options, report: Report) =>
  Effect.gen(function* () {
    const size = options.tiny ? TrainingStep.tinySizes[0]! : gpuSizes[0]!
    const name = options.variants[0]
    const step = yield* TrainingStep.make(size, variants[name]!, 64)
    const stride = options.tiny ? 5 : 50
    const sample = (steps: number) =>
      Effect.gen(function* () {
        const rss = Math.round(process.memoryUsage.rss() / 2 ** 20)
        const row = { size: size.label, variant: name, steps, process_mib: rss, card_mib: yield* cardMemory }
        yield* report("memory", row)
        return row
      })
    // The first steps allocate.
    yield* step.steps(stride)
    const first = yield* sample(stride)
    let last = first
    for (let steps = 2 * stride; steps <= 10 * stride; steps += stride) {
      yield* step.steps(stride)
      last = yield* sample(steps)
    }
    yield* report("growth", {
      steps: last.steps - first.steps,
      process_mib: last.process_mib - first.process_mib,
      card_mib: last.card_mib === null || first.card_mib === null ? null : last.card_mib - first.card_mib
    })
  }).pipe(
    Effect.scoped,
    Effect.provide(OnnxBackend.layer({ ...variants[options.variants[0]]!.backend, device: options.device }))
  )

/** One job. */
export const jobs: ReadonlyArray<Job> = [{ name: "memory and shutdown", weight: 10, run: growth }]
