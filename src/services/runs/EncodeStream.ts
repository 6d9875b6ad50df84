/**
 * Documents to ids in the order of the documents: on this thread while there is little text, on a pool of threads after that.
 *
 * Each thread reads the vocabulary again, which takes as long as encoding some megabytes or, for a large one, tens of them. So
 * threads are started after a few megabytes of text, and this thread continues to encode, between turns of the event loop,
 * until they are ready. Then documents are gathered into batches of half a megabyte; two batches per thread are in flight, and
 * nothing is taken from the stream until the oldest has been written. Documents are never cut, since ids could differ: memory
 * is bounded by a few of the longest documents per thread. The ids depend on nothing but the texts.
 */
import type { Worker } from "node:worker_threads"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EventLoop from "../../core/EventLoop.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import * as WorkerThread from "../WorkerThread.ts"
import { type Encoded, encodeTexts, type Reply, type Request, type Start, type Width } from "./EncodeWorker.ts"

/** What is encoded, and where it goes. */
export interface Options<E, R, E2, R2> {
  readonly texts: Stream.Stream<string, E, R>
  readonly tokenizer: Tokenizer.Service
  readonly width: Width
  /** At most this many threads besides this one. Fewer than 2 means this one alone. */
  readonly threads: number
  /** UTF-16 units after which threads are started. Default: some millions, more for a large vocabulary. */
  readonly startAfter?: number
  /** Called with the batches in order, one at a time. The next one waits until it is done. */
  readonly write: (encoded: Encoded) => Effect.Effect<void, E2, R2>
}

/** UTF-16 units that are encoded faster than threads start. */
const startAfterFor = ({ vocabularySize }: Tokenizer.Service) => 8e6 + 64 * vocabularySize
/** UTF-16 units of a batch: about 25 milliseconds of work. */
const BATCH_UNITS = 1 << 19
/** Units that a text counts in addition to its length: there may be millions of empty ones. */
const TEXT_UNITS = 32
/** How long the event loop may be blocked, in milliseconds. */
const SLICE_MILLIS = 10

/** Encodes all texts and writes their ids. */
export const run = <E, R, E2, R2>(
  options: Options<E, R, E2, R2>
): Effect.Effect<void, E | E2 | EncodePoolError, R | R2 | Scope.Scope> =>
  Effect.gen(function* () {
    const { startAfter = startAfterFor(options.tokenizer), threads, tokenizer, width, write } = options
    const { definitionFile, endOfText } = tokenizer
    let taken = 0
    const slice = EventLoop.timeSlice(SLICE_MILLIS)
    const encodeHere = (text: string) =>
      Effect.suspend(() => write(encodeTexts(tokenizer, width, [text]))).pipe(
        Effect.zipRight(Effect.suspend(() => (slice.isOver() ? slice.next : Effect.void)))
      )

    // The fiber in which a stream runs its parts ends earlier.
    const scope = yield* Effect.scope
    let pool: EncodePool | undefined
    let answers: Fiber.Fiber<unknown, EncodePoolError> | undefined
    let ready = false
    const startPool = Effect.gen(function* () {
      const definition = definitionFile === undefined ? undefined : tokenizer.files[definitionFile]
      if (definition === undefined || threads < 2) return
      const { encode } = yield* makePool({ definition, endOfText, width, threads })
      pool = { encode }
      // One answer of each thread, or its death. Until then this thread encodes.
      answers = yield* Effect.forEach(Array(threads).keys(), () => encode([]), { concurrency: "unbounded" }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            ready = true
          })
        ),
        Effect.forkIn(scope)
      )
    })
    const inFlight: Array<Fiber.Fiber<Encoded, EncodePoolError>> = []
    let batch: Array<string> = []
    let gathered = 0
    const writeOldest = Effect.suspend(() => Effect.flatMap(Fiber.join(inFlight.shift()!), write))
    const send = Effect.gen(function* () {
      if (batch.length === 0 || pool === undefined || answers === undefined) return
      yield* Fiber.join(answers)
      if (inFlight.length >= 2 * threads) yield* writeOldest
      inFlight.push(yield* Effect.forkIn(pool.encode(batch), scope))
      batch = []
      gathered = 0
    })
    const addToBatch = (text: string) =>
      Effect.gen(function* () {
        const units = text.length + TEXT_UNITS
        if (gathered + units > BATCH_UNITS) yield* send
        batch.push(text)
        gathered += units
      })

    yield* Stream.runForEachChunk(options.texts, (texts) =>
      Effect.forEach(
        Chunk.toReadonlyArray(texts),
        (text) => {
          if (ready) return addToBatch(text)
          const before = taken
          taken += text.length + TEXT_UNITS
          return before <= startAfter && taken > startAfter
            ? Effect.zipRight(startPool, encodeHere(text))
            : encodeHere(text)
        },
        { discard: true }
      )
    )
    yield* send
    while (inFlight.length > 0) yield* writeOldest
  })

/** A batch that was not encoded, because its thread died or cannot make the tokenizer. */
export class EncodePoolError extends Schema.TaggedError<EncodePoolError>()("EncodePoolError", {
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `A thread that encodes text failed: ${this.details}`
  }
}

/** Threads that encode batches of texts, all with the same tokenizer. */
export interface EncodePool {
  /** Waits for a free thread. If interrupted while it encodes, the reply is dropped. */
  readonly encode: (texts: ReadonlyArray<string>) => Effect.Effect<Encoded, EncodePoolError>
}

export interface PoolOptions {
  /** The text of the tokenizer's definition file. */
  readonly definition: string
  readonly endOfText: number | undefined
  /** Bytes of an id. */
  readonly width: Width
  readonly threads: number
  /** Default: a thread of EncodeWorker.ts. */
  readonly spawn?: (start: Start) => Worker
}

/**
 * Starts the threads, which are released with the scope: at once, whatever they are doing. A thread with a large vocabulary
 * takes a second to make its tokenizer, and answers then.
 */
export const makePool = (options: PoolOptions): Effect.Effect<EncodePool, EncodePoolError, Scope.Scope> =>
  Effect.gen(function* () {
    const { endOfText, spawn = spawnWorker, threads, width } = options
    // Shared, because a string would be copied for each thread.
    const start: Start = { _tag: "EncodeStart", definition: shared(options.definition), endOfText, width }
    const free: Array<WorkerThread.WorkerThread<Request, Reply>> = []
    const turns = yield* Effect.makeSemaphore(threads)
    for (let i = 0; i < threads; i++) {
      free.push(yield* Effect.mapError(WorkerThread.make<Request, Reply>({ spawn: () => spawn(start) }), poolError))
    }
    const ask = (texts: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        // There is one permit per thread.
        const client = free.pop()!
        return Effect.ensuring(
          client.ask(texts),
          Effect.sync(() => free.push(client))
        )
      }).pipe(turns.withPermits(1), Effect.mapError(poolError))
    const encode: EncodePool["encode"] = (texts) =>
      Effect.flatMap(ask(texts), (reply) =>
        reply._tag === "Encoded" ? Effect.succeed(reply) : new EncodePoolError({ details: reply.details })
      )
    return { encode }
  })

const spawnWorker = (start: Start): Worker => WorkerThread.spawn("runs/EncodeWorker", "codex-encode", start)

const poolError = ({ cause, message }: WorkerThread.WorkerGone) => new EncodePoolError({ details: message, cause })

const shared = (text: string): SharedArrayBuffer => {
  const bytes = new SharedArrayBuffer(Buffer.byteLength(text))
  Buffer.from(bytes).write(text, "utf8")
  return bytes
}
