/**
 * Documents to ids in the order of the documents: on this thread while there is little text, on a pool after that.
 *
 * Threads read the vocabulary again, which takes as long as encoding ten megabytes or, for a large one, twenty; so the
 * first of the text is encoded here, between turns of the event loop. After it, documents are gathered into batches of half
 * a megabyte, two batches a thread are under way, and nothing is taken from the stream until the oldest has been written.
 * Documents are never cut, since ids could differ: memory is bounded by a few of the longest ones a thread. The ids depend
 * on nothing but the texts.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import * as EncodePool from "./EncodePool.ts"
import { type Encoded, encodeTexts, type Width } from "./Protocol.ts"

export interface Options<E, R, E2, R2> {
  readonly texts: Stream.Stream<string, E, R>
  readonly tokenizer: Tokenizer.Service
  readonly width: Width
  /** At most this many threads besides this one; fewer than 2 means this one alone. */
  readonly threads: number
  /** UTF-16 units that are encoded here before threads are started. Default: what takes as long as starting them. */
  readonly few?: number
  /** Told the ids of batches in order, one at a time; the next is not taken before it is done. */
  readonly write: (encoded: Encoded) => Effect.Effect<void, E2, R2>
}

/** UTF-16 units that are encoded in the time that a thread takes to start. */
const fewFor = ({ vocabularySize }: Tokenizer.Service) => 8e6 + 64 * vocabularySize
/** UTF-16 units of a batch: some 25 milliseconds of work. */
const BATCH = 1 << 19
/** What a text weighs besides its units: there may be millions of empty ones. */
const EACH = 32
/** How long the event loop may wait for us, in milliseconds. */
const PATIENCE = 10

export const run = <E, R, E2, R2>(
  options: Options<E, R, E2, R2>
): Effect.Effect<void, E | E2 | EncodePool.EncodePoolError, R | R2 | Scope.Scope> =>
  Effect.gen(function* () {
    const { few = fewFor(options.tokenizer), threads, tokenizer, width, write } = options
    const { definition, endOfText } = tokenizer
    let taken = 0
    let rested = performance.now()
    const here = (text: string) =>
      Effect.suspend(() => write(encodeTexts(tokenizer, width, [text]))).pipe(
        Effect.zipRight(
          Effect.suspend(() => {
            if (performance.now() - rested < PATIENCE) return Effect.void
            return Effect.tap(turn, () => {
              rested = performance.now()
            })
          })
        )
      )

    // Not of the fiber that a stream runs its parts in, which ends earlier.
    const scope = yield* Effect.scope
    let pool: EncodePool.EncodePool | undefined
    const underWay: Array<Fiber.Fiber<Encoded, EncodePool.EncodePoolError>> = []
    let batch: Array<string> = []
    let gathered = 0
    const writeOldest = Effect.suspend(() => Effect.flatMap(Fiber.join(underWay.shift()!), write))
    const send = Effect.gen(function* () {
      if (batch.length === 0 || pool === undefined) return
      if (underWay.length >= 2 * threads) yield* writeOldest
      underWay.push(yield* Effect.forkIn(pool.encode(batch), scope))
      batch = []
      gathered = 0
    })
    const there = (text: string) =>
      Effect.gen(function* () {
        if (definition === undefined) return yield* here(text)
        pool ??= yield* EncodePool.make({ definition, endOfText, width, threads })
        const weight = text.length + EACH
        if (gathered + weight > BATCH) yield* send
        batch.push(text)
        gathered += weight
      })

    const alone = definition === undefined || threads < 2
    yield* Stream.runForEachChunk(options.texts, (texts) =>
      Effect.forEach(
        Chunk.toReadonlyArray(texts),
        (text) => {
          taken += text.length + EACH
          return alone || (pool === undefined && taken <= few) ? here(text) : there(text)
        },
        { discard: true }
      )
    )
    yield* send
    while (underWay.length > 0) yield* writeOldest
  })

/** A turn of the event loop: timers, files and signals are served before it ends. */
const turn = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
