/**
 * The laws of core/Tracker.ts as tests, for any tracker whose numbers can be read back.
 *
 *     trackerContract("ndjson", { layer: Ndjson.layer({}), read: (directory) => … })
 */
import { FileSystem } from "@effect/platform/FileSystem"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import { Tracker } from "../core/Tracker.ts"

/** A tracker, and how to read what it stored. */
export interface TrackerContract<E, E2> {
  /** The tracker, and the file system that contains its run directories. */
  readonly layer: Layer.Layer<Tracker | FileSystem, E>
  /** What was logged for a run, in the order in which it is kept. */
  readonly read: (run: Tracker.Run) => Effect.Effect<ReadonlyArray<Tracker.Logged>, E2, FileSystem>
}

const line = (step: number, split = "train"): Tracker.Logged => ({
  step,
  split,
  // Numbers whose shortest decimal form is long, huge and tiny.
  values: { loss: 1 / (step + 2), tokens: 2 ** 40 + step, tiny: 5e-324, negative: -0.1 },
  time: { step_millis: step / 3 }
})

/** Declares the tests of a tracker. */
export const trackerContract = <E, E2>(name: string, contract: TrackerContract<E, E2>): void =>
  layer(contract.layer)(`${name}: tracker laws`, (it) => {
    const newRun = Effect.gen(function* () {
      const directory = yield* (yield* FileSystem).makeTempDirectoryScoped()
      return (fromStep: number): Tracker.Run => ({ id: "run", directory, config: { name: "run" }, fromStep })
    })
    const log = (run: Tracker.Run, lines: ReadonlyArray<Tracker.Logged>) =>
      Effect.gen(function* () {
        const session = yield* (yield* Tracker).open(run)
        yield* Effect.forEach(lines, session.log, { discard: true })
      })

    it.scoped("1 what was logged can be read back, bit by bit, once the scope has closed", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        const lines = [line(1), line(2), line(2, "validation")]
        yield* Effect.scoped(log(run(0), lines))
        expect(yield* contract.read(run(0))).toEqual(lines)
      })
    )

    it.scoped("1 also when the run failed", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        const exit = yield* log(run(0), [line(1), line(2)]).pipe(
          Effect.zipRight(Effect.fail("the run")),
          Effect.scoped,
          Effect.exit
        )
        expect(exit).toEqual(Exit.fail("the run"))
        expect(yield* contract.read(run(0))).toEqual([line(1), line(2)])
      })
    )

    it.scoped("2 values keep their order, whatever their steps and splits", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        const lines = Array.from({ length: 200 }, (_, i) => line((i * 7) % 31, i % 3 === 0 ? "validation" : "train"))
        yield* Effect.scoped(log(run(0), lines))
        expect(yield* contract.read(run(0))).toEqual(lines)
      })
    )

    it.scoped("3 resuming after step n drops what was logged for later steps, and keeps the rest", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        yield* Effect.scoped(log(run(0), [line(1), line(2), line(2, "validation"), line(3), line(4)]))
        yield* Effect.scoped(log(run(2), [line(3, "again")]))
        const kept = [line(1), line(2), line(2, "validation"), line(3, "again")]
        expect(yield* contract.read(run(0))).toEqual(kept)
        // A second time, with nothing to drop.
        yield* Effect.scoped(log(run(3), []))
        expect(yield* contract.read(run(0))).toEqual(kept)
      })
    )

    it.scoped("3 a run that starts again from step 0 drops everything", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        yield* Effect.scoped(log(run(0), [line(1), line(2)]))
        yield* Effect.scoped(log(run(0), [line(1, "again")]))
        expect(yield* contract.read(run(0))).toEqual([line(1, "again")])
      })
    )
  })
