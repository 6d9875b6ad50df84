/**
 * Open a saved run, score it on text that it has not seen, and print a table.
 *
 *     npx tsx examples/evaluate-a-run.ts runs/<id> 'held-out/*.txt'
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Run } from "codex-ml"
import * as Effect from "effect/Effect"

const [path = "", data] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const run = yield* Run.open(path, { checkpoint: "best" })
  console.table(yield* run.evaluate({ data, metrics: ["perplexity", "bits_per_byte"] }))
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(Run.layer())))
