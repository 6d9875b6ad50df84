/**
 * Train on strings in memory, and generate.
 *
 *     npx tsx examples/train-on-strings.ts
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Run } from "codex-ml"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const program = Effect.gen(function* () {
  const run = yield* Run.train({
    data: Array.from({ length: 40 }, (_, i) => `${i} little birds sang in a tree; one flew away, and ${i} were left.`),
    tokenizer: "byte",
    model: "tiny",
    training: { max_steps: 200, lr: 1e-2 }
  })
  yield* Console.log(`7 little${yield* run.generate("7 little", { maxNewTokens: 60, temperature: 0 })}`)
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(Run.layer())))
