/**
 * What training does to its process: memory that stays, and an event loop that stays free. Oracle: the process's own figures
 * (V8's and the system's), after a warm-up. Needs a CPU session.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Training from "../../src/core/training/Training.ts"
import { TrainingSession } from "../../src/core/training/TrainingSession.ts"
import { inFull } from "../full.ts"
import { loopTurns } from "../work.ts"
import * as Tiny from "./tiny.ts"

// Memory that waits for the garbage collector is not a leak, so it is collected first.
setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const megabytes = () => {
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed / 2 ** 20, all: rss / 2 ** 20 }
}

layer(Tiny.cpu, { excludeTestServices: true })("a long run", (it) => {
  const unit = inFull(1000, 300)
  it.effect(`leaves memory flat: ${2 * unit} updates after ${unit}`, () =>
    Effect.gen(function* () {
      const at: Record<number, ReturnType<typeof megabytes>> = {}
      yield* Tiny.withSession(
        { training: { max_steps: 3 * unit + 1, batch_size: 1 } },
        Training.steps().pipe(
          Training.evaluateEvery({ steps: 500 }),
          Stream.runForEach((event) =>
            Effect.sync(() => {
              if (event._tag === "StepEnded" && event.step % unit === 0) at[event.step] = megabytes()
            })
          )
        )
      )
      // The state has 60 kB: kept at every update, that would be 36 MB and more.
      expect(at[3 * unit]!.heap - at[unit]!.heap).toBeLessThan(4)
      expect(at[3 * unit]!.all - at[unit]!.all).toBeLessThan(24)
    })
  )
})

layer(Tiny.cpu, { excludeTestServices: true })("the event loop", (it) => {
  it.effect("is free while an update computes", () =>
    Tiny.withSession(
      {
        architecture: Tiny.architecture({ hidden_size: 256, num_hidden_layers: 2, max_position_embeddings: 64 }),
        training: { batch_size: 16, context_length: 64 },
        tokens: { train: Tiny.tokenFile(Tiny.periodic(4000)), validation: undefined }
      },
      Effect.gen(function* () {
        const session = yield* TrainingSession
        yield* session.step
        const turns = yield* loopTurns(Effect.repeatN(session.step, 3))
        // Four updates of 40 ms and more. A computation on this thread would leave a few turns for each.
        expect(turns).toBeGreaterThan(400)
      })
    )
  )
})
