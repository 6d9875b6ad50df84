/**
 * Threads that encode batches of texts, all with the same tokenizer.
 *
 * A batch goes to the next thread that is free. Acquired with the scope: the threads, which take a second to make a
 * tokenizer of a large vocabulary and answer then. Released with it: they are ended at once, whatever they are doing.
 */
import type { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as WorkerThread from "../../WorkerThread.ts"
import type { Encoded, Reply, Request, Start, Width } from "./EncodeProtocol.ts"

/** A batch has no ids, because its thread died or cannot make the tokenizer. */
export class EncodePoolError extends Schema.TaggedError<EncodePoolError>()("EncodePoolError", {
  details: Schema.String,
  cause: Schema.optional(Schema.Defect)
}) {
  override get message() {
    return `A thread that encodes text failed: ${this.details}`
  }
}

export interface EncodePool {
  /** Waits for a free thread; when interrupted while it encodes, the reply is thrown away. */
  readonly encode: (texts: ReadonlyArray<string>) => Effect.Effect<Encoded, EncodePoolError>
}

export interface Options {
  /** The text of the tokenizer's definition file. */
  readonly definition: string
  readonly endOfText: number | undefined
  /** Bytes of an id. */
  readonly width: Width
  readonly threads: number
  /** Default: a thread of tokens/EncodeWorker. */
  readonly spawn?: (start: Start) => Worker
}

export const make = (options: Options): Effect.Effect<EncodePool, EncodePoolError, Scope.Scope> =>
  Effect.gen(function* () {
    const { endOfText, spawn = spawnWorker, threads, width } = options
    // Shared, because a string would be copied for each thread.
    const start: Start = { definition: shared(options.definition), endOfText, width }
    const free: Array<WorkerThread.WorkerThread<Request, Reply>> = []
    const turns = yield* Effect.makeSemaphore(threads)
    for (let i = 0; i < threads; i++) {
      free.push(yield* Effect.mapError(WorkerThread.make<Request, Reply>({ spawn: () => spawn(start) }), fromGone))
    }
    const ask = (texts: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        // One permit a thread, so there is one.
        const client = free.pop()!
        return Effect.ensuring(
          client.ask(texts),
          Effect.sync(() => free.push(client))
        )
      }).pipe(turns.withPermits(1), Effect.mapError(fromGone))
    const encode: EncodePool["encode"] = (texts) =>
      Effect.flatMap(ask(texts), (reply) =>
        reply._tag === "Encoded" ? Effect.succeed(reply) : new EncodePoolError({ details: reply.details })
      )
    return { encode }
  })

const spawnWorker = (start: Start): Worker => WorkerThread.spawn("runs/encode/EncodeWorker", "codex-encode", start)

const fromGone = ({ cause, message }: WorkerThread.WorkerGone) => new EncodePoolError({ details: message, cause })

const shared = (text: string): SharedArrayBuffer => {
  const bytes = new SharedArrayBuffer(Buffer.byteLength(text))
  Buffer.from(bytes).write(text, "utf8")
  return bytes
}
