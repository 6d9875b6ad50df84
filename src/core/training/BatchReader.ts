/**
 * Reads the batches of a run: which tokens update n sees is a function of n, and the next batch is read ahead.
 *
 * While the device computes an update, the host reads the batch of the next one. One batch ahead is enough: an update takes
 * longer than reading the few thousand tokens of another. Reading ahead changes no bit and no error of a run: a batch that
 * no update takes cannot fail the run, and what fails is reported by the update that takes the batch.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import type { DataOrder } from "../data/DataOrder.ts"
import type { TokenFile, TokenFileError } from "../data/TokenFile.ts"

/** The tokens of an update, row by row: `batchSize` rows of `contextLength`. */
export interface Batch {
  readonly inputs: Int32Array
  readonly targets: Int32Array
}

/** Where the batches come from, and their sizes. */
export interface BatchReaderOptions {
  readonly tokens: TokenFile
  readonly order: DataOrder
  readonly batchSize: number
  readonly contextLength: number
  readonly stepsPerEpoch: number
  /** Updates of the run: the batch of no further one is read ahead. */
  readonly totalSteps: number
}

/** Batches by the number of updates before them. */
export interface BatchReader {
  /** Reads a batch, for another purpose than the update. */
  readonly read: (step: number) => Effect.Effect<Batch, TokenFileError>
  /** The batch of an update: the one that was read ahead, if it is of this update. */
  readonly take: (step: number) => Effect.Effect<Batch, TokenFileError>
  /** Starts to read the batch of an update, and does not wait for it. */
  readonly readAhead: (step: number) => Effect.Effect<void>
}

/** A batch that is being read, or was read, before its update. */
interface Ahead {
  readonly step: number
  readonly batch: Fiber.Fiber<Exit.Exit<Batch, TokenFileError>>
}

/** A reader whose reading ahead ends with the scope. */
export const make = (options: BatchReaderOptions): Effect.Effect<BatchReader, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { batchSize, contextLength, order, stepsPerEpoch, tokens, totalSteps } = options
    const scope = yield* Effect.scope
    const ahead = yield* Ref.make(Option.none<Ahead>())

    const read: BatchReader["read"] = (step) =>
      Effect.gen(function* () {
        const inputs = new Int32Array(batchSize * contextLength)
        const targets = new Int32Array(batchSize * contextLength)
        for (let row = 0; row < batchSize; row++) {
          // A text with fewer windows than a batch gives some of them more than once.
          const index = ((step % stepsPerEpoch) * batchSize + row) % order.windows
          const start = order.start(Math.floor(step / stepsPerEpoch), index)
          const window = yield* tokens.read(start, contextLength + 1)
          inputs.set(window.subarray(0, contextLength), row * contextLength)
          targets.set(window.subarray(1), row * contextLength)
        }
        return { inputs, targets }
      })

    return {
      read,
      take: (step) =>
        Effect.flatMap(
          Ref.getAndSet(ahead, Option.none()),
          Option.match({
            onNone: () => read(step),
            onSome: (started) => (started.step === step ? Effect.flatten(Fiber.join(started.batch)) : read(step))
          })
        ),
      readAhead: (step) =>
        step >= totalSteps
          ? Effect.void
          : read(step).pipe(
              // As a value: a batch that no update takes is not an unhandled error. It can be interrupted, unlike the update that starts it.
              Effect.exit,
              Effect.interruptible,
              Effect.forkIn(scope),
              Effect.flatMap((batch) => Ref.set(ahead, Option.some({ step, batch })))
            )
    }
  })
