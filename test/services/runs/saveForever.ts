/** A process that saves step 5 into a directory again and again until it is killed, and prints `saved` after each. Not a test. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CheckpointStore, TrainState } from "../../../src/core/training/Checkpoint.ts"
import * as Store from "../../../src/services/runs/CheckpointStore.ts"

const checkpoint = {
  state: new TrainState({ step: 5, seed: 7, tokens: 1, loss: 1, best: null, sinceBest: 0, finished: null }),
  parameters: { w: { dtype: "float32" as const, shape: [1 << 16], data: new Float32Array(1 << 16) } },
  optimizer: {},
  files: {},
  provenance: {}
}

const program = Effect.gen(function* () {
  const store = yield* CheckpointStore
  yield* Effect.forever(Effect.zipRight(store.save(process.argv[2]!, checkpoint), Console.log("saved")))
}).pipe(Effect.provide(Store.layer.pipe(Layer.provide(NodeContext.layer))))

Effect.runPromise(program)
