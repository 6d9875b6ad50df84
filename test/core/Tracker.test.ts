/**
 * What `Tracker.make` and `Tracker.all` derive. Oracles: the tracker laws for a tracker in memory, and lists of what was logged.
 * Needs nothing.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Tracker, TrackerError } from "../../src/core/Tracker.ts"
import { trackerContract } from "../../src/testing/tracker.ts"

const stores = new Map<string, ReadonlyArray<Tracker.Logged>>()
const memory = Tracker.make({
  name: "memory",
  open: ({ directory, fromStep }) =>
    Effect.sync(() => {
      const kept = (stores.get(directory) ?? []).filter(({ step }) => step <= fromStep)
      const logged = [...kept]
      stores.set(directory, logged)
      return (one: Tracker.Logged) => Effect.sync(() => void logged.push(one))
    })
})

trackerContract("Tracker.make", {
  layer: Layer.provideMerge(Layer.effect(Tracker, memory), NodeContext.layer),
  keeps: (line) => line,
  read: ({ directory }) => Effect.succeed(stores.get(directory) ?? [])
})

const run: Tracker.Run = { id: "r", directory: "d", config: {}, fromStep: 0 }
const logged = (step: number): Tracker.Logged => ({ step, split: "train", values: {}, time: {} })

describe("Tracker.make", () => {
  it.scoped("passes on one line after the other, however many log at once", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const tracker = yield* Tracker.make({
        name: "slow",
        open: () =>
          Effect.succeed(({ step }: Tracker.Logged) =>
            Effect.sync(() => void lines.push(`${step} begins`)).pipe(
              Effect.zipRight(Effect.yieldNow()),
              Effect.zipRight(Effect.sync(() => void lines.push(`${step} ends`)))
            )
          )
      })
      const session = yield* tracker.open(run)
      yield* Effect.forEach([1, 2], (step) => session.log(logged(step)), { concurrency: "unbounded" })
      expect(lines).toEqual(["1 begins", "1 ends", "2 begins", "2 ends"])
    })
  )

  it.scoped("gives every failure the name of the tracker", () =>
    Effect.gen(function* () {
      const cause = new Error("no network")
      const closed = yield* Tracker.make({ name: "web", open: () => Effect.fail(cause) })
      expect(yield* Effect.flip(closed.open(run))).toMatchObject({ tracker: "web", cause })
      const broken = yield* Tracker.make({ name: "web", open: () => Effect.succeed(() => Effect.fail(cause)) })
      const error = yield* Effect.flip((yield* broken.open(run)).log(logged(1)))
      expect(error.message).toBe("Tracker web: no network")
      const own = new TrackerError({ tracker: "inner", details: "full" })
      const outer = yield* Tracker.make({ name: "outer", open: () => Effect.fail(own) })
      expect(yield* Effect.flip(outer.open(run))).toBe(own)
    })
  )

  it.effect("takes services where it is made, and releases with the scope of the run", () =>
    Effect.gen(function* () {
      class Sink extends Context.Tag("Sink")<Sink, Array<string>>() {}
      const sink: Array<string> = []
      const tracker = yield* Effect.provideService(
        Tracker.make({
          name: "sink",
          open: ({ id }) =>
            Effect.gen(function* () {
              const lines = yield* Sink
              yield* Effect.addFinalizer(() => Effect.sync(() => void lines.push("closed")))
              return ({ step }: Tracker.Logged) => Effect.sync(() => void lines.push(`${id} ${step}`))
            })
        }),
        Sink,
        sink
      )
      yield* Effect.scoped(Effect.flatMap(tracker.open(run), (session) => session.log(logged(1))))
      expect(sink).toEqual(["r 1", "closed"])
    })
  )
})

describe("Tracker.all", () => {
  it.scoped("gives everything to each tracker in order, and reports the one that fails", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const to = (name: string) =>
        Tracker.make({
          name,
          open: () =>
            Effect.succeed(({ step }: Tracker.Logged) =>
              name === "bad" && step === 2
                ? Effect.fail(new Error("full"))
                : Effect.sync(() => void lines.push(`${name} ${step}`))
            )
        })
      const session = yield* Tracker.all([yield* to("a"), yield* to("bad"), yield* to("c")]).open(run)
      yield* session.log(logged(1))
      const error = yield* Effect.flip(session.log(logged(2)))
      expect(lines).toEqual(["a 1", "bad 1", "c 1", "a 2"])
      expect(error.message).toBe("Tracker bad: full")
      expect(yield* Tracker.all([]).open(run)).toBeDefined()
    })
  )
})
