/**
 * A sweep: the same model with several learning rates, two at a time, and the best of them.
 *
 *     npx tsx examples/learning-rate-sweep.ts 'notes/*.txt'
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Run } from "codex-ml"
import * as Effect from "effect/Effect"

const [data = "README.md"] = process.argv.slice(2)

const sweep = Effect.forEach(
  [1e-3, 3e-3, 1e-2],
  (lr) =>
    Effect.gen(function* () {
      const run = yield* Run.train({ data, tokenizer: "byte", model: "tiny", training: { lr, max_steps: 30 } })
      const { bits_per_byte } = yield* run.evaluate({ metrics: ["bits_per_byte"] })
      return { lr, bits: bits_per_byte.value, stderr: bits_per_byte.stderr, run: run.directory }
    }).pipe(Effect.scoped),
  { concurrency: 2 }
)

const program = Effect.map(sweep, (results) => console.table(results.toSorted((a, b) => a.bits - b.bits)))
NodeRuntime.runMain(program.pipe(Effect.provide(Run.layer())))
