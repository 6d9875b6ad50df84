/** Results of a training as text and JSON. Oracle: texts written by hand. */
import { describe, expect, it } from "vitest"
import { trainingSummary } from "../../../src/cli/render/RunReport.ts"
import { TrainState } from "../../../src/core/training/Checkpoint.ts"

const state = (over: Partial<ConstructorParameters<typeof TrainState>[0]>) =>
  new TrainState({
    ...{ step: 40, seed: 1, tokens: 10_240, loss: 2.5, best: { step: 20, loss: 2.606 }, sinceBest: 2, finished: null },
    ...over
  })

describe("the summary of a training", () => {
  const best = "Best held-out loss: 2.606 nats/token at step 20."

  it("says that all updates are done", () => {
    expect(trainingSummary(state({ finished: "completed" }))).toBe(
      `Completed 40 updates, 10.2 k tokens; last loss 2.500 nats/token. ${best}`
    )
    expect(trainingSummary(state({ finished: "completed", best: null, step: 1, tokens: 1 }))).toBe(
      "Completed 1 update, 1 token; last loss 2.500 nats/token."
    )
  })

  it("says after how many evaluations it stopped early, and which setting did it", () => {
    expect(trainingSummary(state({ finished: "early_stop" }))).toBe(
      `Stopped early after 40 updates, 10.2 k tokens; last loss 2.500 nats/token. ${best} ` +
        "Reason: 2 evaluations in a row without a new best (training.early_stopping_patience)."
    )
  })

  it("says that the program stopped it", () => {
    expect(trainingSummary(state({}))).toBe(
      `Stopped by the program after 40 updates, 10.2 k tokens; last loss 2.500 nats/token. ${best}`
    )
  })
})
