/**
 * Documents to ids in the order of the documents: on this thread while there is little text, on a pool after that.
 *
 * Threads read the vocabulary again, which takes as long as encoding some megabytes or, for a large one, tens of them. So
 * they are started when there is more text than a few megabytes, and this thread goes on, between turns of the event loop,
 * until they are ready. Then documents are gathered into batches of half a megabyte, two batches a thread are under
 * way, and nothing is taken from the stream until the oldest has been written. Documents are never cut, since ids could
 * differ: memory is bounded by a few of the longest ones a thread. The ids depend on nothing but the texts.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EventLoop from "../../../core/EventLoop.ts"
import type { Tokenizer } from "../../../core/Tokenizer.ts"
import * as EncodePool from "./EncodePool.ts"
import { type Encoded, encodeTexts, type Width } from "./EncodeProtocol.ts"

export interface Options<E, R, E2, R2> {
  readonly texts: Stream.Stream<string, E, R>
  readonly tokenizer: Tokenizer.Service
  readonly width: Width
  /** At most this many threads besides this one; fewer than 2 means this one alone. */
  readonly threads: number
  /** UTF-16 units that are encoded here before threads are started. Default: some millions, more for a large vocabulary. */
  readonly few?: number
  /** Told the ids of batches in order, one at a time; the next is not taken before it is done. */
  readonly write: (encoded: Encoded) => Effect.Effect<void, E2, R2>
}

/** UTF-16 units that are not worth threads. */
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
    const { definitionFile, endOfText } = tokenizer
    let taken = 0
    const slice = EventLoop.timeSlice(PATIENCE)
    const here = (text: string) =>
      Effect.suspend(() => write(encodeTexts(tokenizer, width, [text]))).pipe(
        Effect.zipRight(Effect.suspend(() => (slice.isOver() ? slice.next : Effect.void)))
      )

    // Not of the fiber that a stream runs its parts in, which ends earlier.
    const scope = yield* Effect.scope
    let pool: EncodePool.EncodePool | undefined
    let answers: Fiber.Fiber<unknown, EncodePool.EncodePoolError> | undefined
    let ready = false
    const startPool = Effect.gen(function* () {
      const definition = definitionFile === undefined ? undefined : tokenizer.files[definitionFile]
      if (definition === undefined || threads < 2) return
      const { encode } = yield* EncodePool.make({ definition, endOfText, width, threads })
      pool = { encode }
      // One answer of each thread, or a death; until then this thread goes on.
      answers = yield* Effect.forEach(Array(threads).keys(), () => encode([]), { concurrency: "unbounded" }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            ready = true
          })
        ),
        Effect.forkIn(scope)
      )
    })
    const underWay: Array<Fiber.Fiber<Encoded, EncodePool.EncodePoolError>> = []
    let batch: Array<string> = []
    let gathered = 0
    const writeOldest = Effect.suspend(() => Effect.flatMap(Fiber.join(underWay.shift()!), write))
    const send = Effect.gen(function* () {
      if (batch.length === 0 || pool === undefined || answers === undefined) return
      yield* Fiber.join(answers)
      if (underWay.length >= 2 * threads) yield* writeOldest
      underWay.push(yield* Effect.forkIn(pool.encode(batch), scope))
      batch = []
      gathered = 0
    })
    const there = (text: string) =>
      Effect.gen(function* () {
        const weight = text.length + EACH
        if (gathered + weight > BATCH) yield* send
        batch.push(text)
        gathered += weight
      })

    yield* Stream.runForEachChunk(options.texts, (texts) =>
      Effect.forEach(
        Chunk.toReadonlyArray(texts),
        (text) => {
          if (ready) return there(text)
          const before = taken
          taken += text.length + EACH
          return before <= few && taken > few ? Effect.zipRight(startPool, here(text)) : here(text)
        },
        { discard: true }
      )
    )
    yield* send
    while (underWay.length > 0) yield* writeOldest
  })
