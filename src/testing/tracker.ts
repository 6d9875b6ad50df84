/**
 * The laws of core/Tracker.ts as tests, for any tracker whose numbers can be read back.
 *
 *     trackerContract("ndjson", { layer: Ndjson.layer({}), keeps: (logged) => logged, read: ({ directory }) => … })
 *
 * A tracker need not keep everything: the laws are about what it says that it keeps.
 */
import { FileSystem } from "@effect/platform/FileSystem"
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { Tracker } from "../core/Tracker.ts"

/** A tracker, what it keeps, and how to read what it stored. */
export interface TrackerContract<Kept, E, E2> {
  /** The tracker, and the file system that contains its run directories. */
  readonly layer: Layer.Layer<Tracker | FileSystem, E>
  /**
   * What the tracker keeps of a line, in the form in which `read` gives it: a few of the values, rounded numbers, a row of text;
   * undefined for a line that it leaves out.
   */
  readonly keeps: (logged: Tracker.Logged) => Kept | undefined
  /** What was kept of a run, in the order in which it is stored. */
  readonly read: (run: Tracker.Run) => Effect.Effect<ReadonlyArray<Kept>, E2, FileSystem>
}

const line = (step: number, split = "train"): Tracker.Logged => ({
  step,
  split,
  // Numbers whose shortest decimal form is long, huge and tiny.
  values: { loss: 1 / (step + 2), tokens: 2 ** 40 + step, tiny: 5e-324, negative: -0.1 },
  time: { step_millis: step / 3 }
})

/** Declares the tests of a tracker. */
export const trackerContract = <Kept, E, E2>(name: string, contract: TrackerContract<Kept, E, E2>): void =>
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
    const expectKept = (run: Tracker.Run, lines: ReadonlyArray<Tracker.Logged>) =>
      Effect.gen(function* () {
        const kept = lines.map(contract.keeps).filter(Predicate.isNotUndefined)
        expect(yield* contract.read(run)).toEqual(kept)
      })

    it.scoped("1 what the tracker keeps can be read back once the scope has closed", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        const lines = [line(1), line(2), line(2, "validation")]
        yield* Effect.scoped(log(run(0), lines))
        yield* expectKept(run(0), lines)
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
        yield* expectKept(run(0), [line(1), line(2)])
      })
    )

    it.scoped("2 lines keep their order, also those of one step", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        const splits = ["train", "validation", "again"]
        const lines = Array.from({ length: 200 }, (_, i) => line(1 + Math.floor(i / 3), splits[(i * 7) % 3]))
        yield* Effect.scoped(log(run(0), lines))
        yield* expectKept(run(0), lines)
      })
    )

    it.scoped("3 resuming after step n drops what was kept of later steps, and nothing else", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        yield* Effect.scoped(log(run(0), [line(1), line(2), line(2, "validation"), line(3), line(4)]))
        yield* Effect.scoped(log(run(2), [line(3, "again")]))
        const lines = [line(1), line(2), line(2, "validation"), line(3, "again")]
        yield* expectKept(run(0), lines)
        // A second time, with nothing to drop.
        yield* Effect.scoped(log(run(3), []))
        yield* expectKept(run(0), lines)
      })
    )

    it.scoped("3 a run that starts again from step 0 drops everything", () =>
      Effect.gen(function* () {
        const run = yield* newRun
        yield* Effect.scoped(log(run(0), [line(1), line(2)]))
        yield* Effect.scoped(log(run(0), [line(1, "again")]))
        yield* expectKept(run(0), [line(1, "again")])
      })
    )
  })
