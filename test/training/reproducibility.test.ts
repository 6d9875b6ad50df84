/**
 * One seed, one result, over the whole job: text file to run directory, with dropout and gradient accumulation. Oracles: the
 * other run, byte for byte; a batch in one piece against the same batch in parts. Needs CPU sessions.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import * as Training from "../../src/core/training/Training.ts"
import { checkpointOf, metricsOf, prepare, trainIn } from "./run.ts"
import * as Tiny from "./tiny.ts"

const folder = mkdtempSync(join(tmpdir(), "codex-seeds-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const trained = (name: string, training: Parameters<typeof prepare>[1] = {}) => {
  const own = prepare(join(folder, name), { max_steps: 12, ...training })
  return Effect.map(trainIn(own), ({ state }) => ({
    state,
    metrics: metricsOf(own),
    model: Tiny.sha256(join(checkpointOf(own), "model.safetensors")),
    optimizer: Tiny.sha256(join(checkpointOf(own), "optimizer.safetensors"))
  }))
}

describe("a run", () => {
  it.live("repeated with its seed gives the same metrics and the same bytes; another seed does not", () =>
    Effect.gen(function* () {
      const first = yield* trained("first")
      const second = yield* trained("second")
      const other = yield* trained("other", { seed: 4 })
      expect(first.state.finished).toBe("completed")
      // Twelve updates, and evaluations after 5, 10 and 12.
      expect(first.metrics).toHaveLength(15)
      expect(second).toEqual(first)
      expect(other.model).not.toBe(first.model)
      expect(other.metrics).not.toEqual(first.metrics)
    })
  )
})

describe("gradient accumulation", () => {
  it.effect("gives the losses of the whole batch, to rounding, with the model learning in between", () =>
    Effect.gen(function* () {
      const run = (accumulation: number) =>
        Effect.map(
          Tiny.eventsOf(
            { training: { batch_size: 8, gradient_accumulation_steps: accumulation, max_steps: 10 } },
            Training.steps()
          ),
          Tiny.losses
        )
      const [whole, parts] = [yield* run(1), yield* run(4)]
      expect(whole[9]!).toBeLessThan(whole[0]! - 0.5)
      for (const [i, loss] of whole.entries()) expect(Math.abs(parts[i]! - loss)).toBeLessThan(1e-5)
    }).pipe(Effect.provide(Tiny.cpu))
  )

  it.effect(
    "with dropout gives the losses of the whole batch too: every row has its own mask, whatever part it is in",
    () =>
      Effect.gen(function* () {
        const run = (accumulation: number, dropout: number) =>
          Effect.map(
            Tiny.eventsOf(
              {
                architecture: Tiny.architecture({ dropout }),
                training: { batch_size: 4, gradient_accumulation_steps: accumulation, max_steps: 3 }
              },
              Training.steps()
            ),
            Tiny.losses
          )
        const whole = yield* run(1, 0.5)
        for (const accumulation of [4]) {
          const parts = yield* run(accumulation, 0.5)
          for (const [i, loss] of whole.entries()) expect(Math.abs(parts[i]! - loss)).toBeLessThan(1e-5)
        }
        // The losses above are not those without masks.
        const plain = yield* run(1, 0)
        expect(Math.abs(plain[2]! - whole[2]!)).toBeGreaterThan(1e-3)
      }).pipe(Effect.provide(Tiny.cpu))
  )
})
