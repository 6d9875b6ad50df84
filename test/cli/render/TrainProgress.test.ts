/**
 * What a person sees of a training, on a fake output. Oracle: texts written by hand, under the test clock.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as TrainProgress from "../../../src/cli/render/TrainProgress.ts"
import { clearLine, loggerLayer } from "../../../src/cli/Stderr.ts"
import type { RunEvent } from "../../../src/core/training/TrainEvent.ts"
import * as Train from "../../../src/core/training/TrainEvent.ts"

const output = (columns?: number) => {
  const written: Array<string> = []
  const write = (text: string) => written.push(text)
  return { written, ...(columns === undefined ? { isTTY: false, write } : { isTTY: true, columns, write }) }
}

const shown = (events: ReadonlyArray<RunEvent>, columns?: number) => {
  const out = output(columns)
  return Effect.gen(function* () {
    const onEvent = yield* TrainProgress.make(out)
    for (const event of events) {
      yield* onEvent(event)
      yield* TestClock.adjust("72 seconds")
    }
  }).pipe(Effect.scoped, Effect.provide(loggerLayer(out)), Effect.as(out.written))
}

const started = (fromStep: number, totalSteps: number) =>
  new Train.Started({
    fromStep,
    totalSteps,
    stepsPerEpoch: 10,
    tokensPerStep: 4096,
    parameters: 10_745_000,
    device: "cpu"
  })

const step = (step: number, loss: number) =>
  new Train.Step({ step, epoch: 1, loss, learningRate: 0.001, gradientNorm: 1, tokens: 4096 * step, stepMillis: 99.4 })

const evaluated = (step: number, sinceBest: number, bitsPerByte = 2.31) =>
  new Train.Evaluated({
    step,
    split: "validation",
    loss: 5.5,
    bitsPerByte,
    accuracy: 0.3,
    tokens: 100,
    best: sinceBest === 0,
    sinceBest,
    evaluationMillis: 5
  })

describe("TrainProgress", () => {
  it.effect("says what is prepared, with one of each", () =>
    Effect.gen(function* () {
      const one = { vocabularySize: 257, trainDocuments: 1, trainTokens: 1, trainBytes: 1, validationDocuments: 1 }
      const prepared = new Train.Prepared({ run: "runs/a", ...one, validationTokens: 12_000, contextLength: 128 })
      const preparing = new Train.Preparing({ stage: "tokens", documents: 1, bytes: 1500 })
      expect(yield* shown([preparing, prepared, started(1, 1)])).toEqual([
        "tokenizing: 1 document, 1.5 kB\n",
        "Text: 1 document, 1 B, 1 token to train on; 12 k tokens held out. Vocabulary 257, context 128.\nRun: runs/a\n",
        "Model: 10.7 M parameters. 1 update of 4096 tokens, resumed after step 1. Device: cpu. " +
          "The loss below is the mean of the last 20 updates.\n"
      ])
    })
  )

  it.effect("says how an evaluation compares with those before, and where a checkpoint is", () =>
    Effect.gen(function* () {
      const saved = new Train.CheckpointSaved({ step: 30, path: "runs/a/checkpoints/step-00000030", removed: [] })
      const finished = new Train.Finished({ step: 30, reason: "early_stop" })
      expect(yield* shown([evaluated(10, 0), evaluated(20, 1), evaluated(30, 2), saved, finished])).toEqual([
        "step 10: held-out loss 5.500 nats/token, 2.310 bits/byte, the best so far\n",
        "step 20: held-out loss 5.500 nats/token, 2.310 bits/byte, 1 evaluation since the best\n",
        "step 30: held-out loss 5.500 nats/token, 2.310 bits/byte, 2 evaluations since the best\n",
        "step 30: saved runs/a/checkpoints/step-00000030\n",
        "step 30: stopped early, because the held-out loss no longer falls\n"
      ])
    })
  )

  const events = [started(0, 1200), evaluated(1, 0), step(600, 3.412)]

  it.effect("shows the progress of a run as a plain line", () =>
    Effect.gen(function* () {
      expect((yield* shown(events)).at(-1)).toBe(
        "[##########----------] 600/1200  epoch 1.00  loss 3.412  lr 0.0010  grad 1.0  2.310 bits/byte  41.2 k tokens/s  2 min 24 s left\n"
      )
    })
  )

  it.effect("never shows the evaluation before the last one beside the last update, and ends with why it ended", () =>
    Effect.gen(function* () {
      const run = [started(0, 600), evaluated(500, 0, 2.662), step(599, 3.5), step(600, 3.4), evaluated(600, 0, 2.606)]
      for (const reason of ["completed", "early_stop", "stopped", "interrupted"] as const) {
        for (const columns of [undefined, 120]) {
          const lines = yield* shown([...run, new Train.Finished({ step: 600, reason })], columns)
          const last = lines.filter((line) => line.includes("600/600"))
          const end = { completed: "completed", early_stop: "stopped early", stopped: "stopped by the program" }
          expect(last.at(-1)).toMatch(
            // The mean of 3.5 and 3.4.
            new RegExp(
              `600/600 .* loss 3\\.450 .* 2\\.606 bits/byte .* ${{ ...end, interrupted: "interrupted" }[reason]}\n?$`
            )
          )
          for (const line of last) expect(line).not.toMatch(/2\.662| left/)
        }
      }
    })
  )

  it.effect("shows what fits, and the time left always", () =>
    Effect.gen(function* () {
      const at = (columns: number) =>
        Effect.map(shown(events, columns), (lines) => lines.at(-2)?.replace(clearLine, "") ?? "")
      const whole = "600/1200  epoch 1.00  loss 3.412  lr 0.0010  grad 1.0  2.310 bits/byte"
      expect(yield* at(140)).toBe(`[##########----------] ${whole}  41.2 k tokens/s  2 min 24 s left`)
      expect(yield* at(100)).toBe(`[#####----] ${whole}  2 min 24 s left`)
      expect(yield* at(80)).toBe("[###---] 600/1200  epoch 1.00  loss 3.412  lr 0.0010  grad 1.0  2 min 24 s left")
      expect(yield* at(60)).toBe("[####----] 600/1200  loss 3.412  lr 0.0010  2 min 24 s left")
      expect(yield* at(40)).toBe("600/1200  loss 3.412  2 min 24 s left")
      expect(yield* at(20)).toBe("2 min 24 s left")
      for (let columns = 20; columns < 160; columns += 7) {
        const line = yield* at(columns)
        expect(line).toMatch(/2 min 24 s left$/)
        expect(line.length).toBeLessThan(columns)
      }
    })
  )

  it.effect("smooths the loss: the mean of the last 20 updates", () =>
    Effect.gen(function* () {
      const steps = Array.from({ length: 30 }, (_, i) => step(i + 1, i < 10 ? 100 : i))
      // 10 … 29 have the mean 19.5.
      expect((yield* shown([started(0, 1200), ...steps])).at(-1)).toContain("30/1200  epoch 1.00  loss 19.50 ")
    })
  )
})
