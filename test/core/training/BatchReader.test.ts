/**
 * The batches of a run, read one ahead.
 *
 * Oracles: the positions that DataOrder gives, and a text that records and holds back each read. Nothing waits for a clock.
 */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as DataOrder from "../../../src/core/data/DataOrder.ts"
import { type TokenFile, TokenFileError } from "../../../src/core/data/TokenFile.ts"
import * as BatchReader from "../../../src/core/training/BatchReader.ts"

const contextLength = 4
const text = Int32Array.from({ length: 60 }, (_, i) => i)
const order = DataOrder.make({ tokens: text.length, contextLength, seed: 7 })!

/** A reader of batches of two rows, and the positions that were read. `before` runs before each read. */
const reader = (before: (position: number) => Effect.Effect<void, TokenFileError> = () => Effect.void) =>
  Effect.gen(function* () {
    const read: Array<number> = []
    const tokens: TokenFile = {
      length: text.length,
      documents: 1,
      bytes: text.length,
      read: (position, length) =>
        Effect.sync(() => read.push(position)).pipe(
          Effect.zipRight(before(position)),
          Effect.as(text.slice(position, position + length))
        )
    }
    const sizes = { batchSize: 2, contextLength, stepsPerEpoch: 6, totalSteps: 3 }
    return { read, batches: yield* BatchReader.make({ tokens, order, ...sizes }) }
  })

const broken = new TokenFileError({ path: "train.tokens", details: "The file is gone.", remedy: "Make it again." })
/** Positions of the rows of batch `step`. */
const rows = (step: number) => [2 * step, 2 * step + 1].map((index) => order.start(0, index))

it.scoped("reads the windows that the order gives, and their next tokens as targets", () =>
  Effect.gen(function* () {
    const { batches, read } = yield* reader()
    const { inputs, targets } = yield* batches.take(1)
    expect(read).toEqual(rows(1))
    expect([...inputs]).toEqual(rows(1).flatMap((start) => [0, 1, 2, 3].map((i) => start + i)))
    expect([...targets]).toEqual([...inputs].map((token) => token + 1))
  })
)

it.scoped("a batch that was read ahead is taken, and read once", () =>
  Effect.gen(function* () {
    const open = yield* Deferred.make<void>()
    const started = yield* Deferred.make<void>()
    const { batches, read } = yield* reader(() =>
      Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(open))
    )
    yield* batches.readAhead(1)
    yield* Deferred.await(started)
    const taken = yield* Effect.fork(batches.take(1))
    yield* Deferred.succeed(open, undefined)
    const { inputs } = yield* Fiber.join(taken)
    expect(inputs[0]).toBe(rows(1)[0])
    expect(read).toEqual(rows(1))
  })
)

it.scoped("a batch of another update is not taken, and none is read ahead after the last update", () =>
  Effect.gen(function* () {
    const { batches, read } = yield* reader()
    yield* batches.readAhead(3)
    yield* Effect.yieldNow()
    expect(read).toEqual([])
    yield* batches.readAhead(2)
    const { inputs } = yield* batches.take(0)
    expect(inputs[0]).toBe(rows(0)[0])
  })
)

it.scoped("an error belongs to the update that takes the batch, and the next attempt reads again", () =>
  Effect.gen(function* () {
    let failing = true
    const { batches, read } = yield* reader(() => Effect.suspend(() => (failing ? broken : Effect.void)))
    yield* batches.readAhead(1)
    yield* Effect.yieldNow()
    expect(yield* Effect.flip(batches.take(1))).toBe(broken)
    failing = false
    yield* batches.take(1)
    expect(read).toEqual([rows(1)[0], ...rows(1)])
  })
)

it.effect("the end of the scope ends a reading ahead, also one that an uninterruptible update started", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const started = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    const { batches } = yield* Scope.extend(
      reader(() =>
        Deferred.succeed(started, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
      ),
      scope
    )
    yield* Effect.uninterruptible(batches.readAhead(1))
    yield* Deferred.await(started)
    yield* Scope.close(scope, Exit.void)
    expect(yield* Deferred.isDone(interrupted)).toBe(true)
  })
)
