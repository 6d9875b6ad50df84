/**
 * A run that is used while another process trains it. Oracle: the checkpoints that are there when the choice is made again.
 * Needs the file system.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RunConfig } from "../../src/core/config/RunConfig.ts"
import { type Checkpoint, CheckpointStore, TrainState } from "../../src/core/training/Checkpoint.ts"
import * as SavedRun from "../../src/jobs/SavedRun.ts"
import { files } from "../training/tiny.ts"

const section = { name: "any" }
const config = Schema.decodeSync(RunConfig)({ model: section, data: section, tokenizer: section })

const checkpoint = (step: number, best: number): Checkpoint => ({
  state: new TrainState({
    step,
    seed: 1,
    tokens: step,
    loss: 1,
    best: { step: best, loss: 1 },
    sinceBest: step - best,
    finished: null
  }),
  parameters: { w: { dtype: "float32", shape: [1], data: Float32Array.of(step) } },
  optimizer: {},
  files: {},
  provenance: {}
})

/** A saved run with the checkpoints of two steps, of which the first is the best. */
const saved = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const store = yield* CheckpointStore
  const directory = yield* fs.makeTempDirectoryScoped()
  const checkpoints = join(directory, "checkpoints")
  for (const step of [1, 2]) yield* store.save(checkpoints, checkpoint(step, 1))
  const run = { id: "run", directory, checkpoints, tokenizer: "", configFile: "", dataFile: "" }
  return { run, config, checkpoint: undefined } satisfies SavedRun.SavedRun
})

/** Loads while another process, at the first reading, saves a new best checkpoint and removes the old ones. */
const loadWhileTraining = (run: SavedRun.SavedRun, which: SavedRun.Which) =>
  Effect.gen(function* () {
    const store = yield* CheckpointStore
    const { checkpoints } = run.run
    let reads = 0
    const update = Effect.gen(function* () {
      yield* store.save(checkpoints, checkpoint(3, 3))
      for (const step of [1, 2]) yield* store.remove(join(checkpoints, `step-0000000${step}`))
    })
    const racing = CheckpointStore.of({
      ...store,
      loadModel: (path) =>
        Effect.suspend(() => Effect.zipRight(reads++ === 0 ? update : Effect.void, store.loadModel(path)))
    })
    return yield* SavedRun.load(run, which).pipe(Effect.provideService(CheckpointStore, racing))
  })

layer(files)("a checkpoint that is removed between its choice and its reading", (it) => {
  for (const which of ["best", "last"] as const) {
    it.scoped(`is chosen again: ${which}`, () =>
      Effect.gen(function* () {
        const run = yield* saved
        const { parameters, path, state } = yield* loadWhileTraining(run, which)
        expect(path).toBe(join(run.run.checkpoints, "step-00000003"))
        expect(state.step).toBe(3)
        expect(parameters.w!.data[0]).toBe(3)
      })
    )
  }

  it.scoped("of a step that is named cannot be replaced, and the error says which there are", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(loadWhileTraining(yield* saved, 2))
      expect(error.message).toContain("There is no checkpoint of step 2. There are checkpoints of the steps 3.")
    })
  )

  it.scoped("is given up in the end: one that is named by its directory at once, others after some choices", () =>
    Effect.gen(function* () {
      const run = yield* saved
      const named = { ...run, checkpoint: join(run.run.checkpoints, "step-00000009") }
      expect((yield* Effect.flip(SavedRun.load(named, "last"))).message).toContain("There is no checkpoint here")
      // A directory that stays, without a checkpoint in it.
      mkdirSync(join(run.run.checkpoints, "step-00000007"))
      expect((yield* Effect.flip(SavedRun.load(run, 7))).message).toContain("There is no checkpoint here")
    })
  )
})
