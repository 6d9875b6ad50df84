/**
 * Encoding on real threads: order, bounds, death and interruption. Oracle: `encode` of the same tokenizer on this thread.
 */
import type { Worker } from "node:worker_threads"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Tokenizer } from "../../../src/core/Tokenizer.ts"
import * as Pipeline from "../../../src/core/tokenizer/Pipeline.ts"
import * as EncodeStream from "../../../src/services/runs/EncodeStream.ts"
import type { Encoded } from "../../../src/services/runs/EncodeWorker.ts"
import { byteLevel } from "./definition.ts"
import { startedThreads, waiting } from "./threads.ts"

const startAfter = 5e5
const tokenizer = Pipeline.make(byteLevel)

/** Texts of some 40 kB in ASCII and of some in CJK, all different. */
const textOf = (i: number) =>
  Array.from({ length: 4000 }, (_, j) => (i % 3 === 0 ? `漢字${i}かな${j}` : `the end ${i} of ${j}`)).join(" ")

const collect = (texts: Stream.Stream<string>, service: Tokenizer.Service, threads: number) =>
  Effect.gen(function* () {
    const parts: Array<Encoded> = []
    const write = (encoded: Encoded) => Effect.sync(() => parts.push(encoded))
    yield* EncodeStream.run({ texts, tokenizer: service, width: 4, threads, startAfter, write })
    return {
      ids: Buffer.concat(parts.map(({ ids }) => Buffer.from(ids.buffer))),
      bytes: parts.flatMap(({ bytes }) => Array.from(bytes))
    }
  }).pipe(Effect.scoped)

describe("encoding a stream of texts", () => {
  it.scopedLive("gives the ids in order on any number of threads, long and empty texts among them", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      const texts = Array.from({ length: 60 }, (_, i) => (i % 10 === 7 ? "" : textOf(i)))
      // Alone longer than a batch.
      texts.splice(50, 0, Array.from({ length: 12 }, (_, i) => textOf(i)).join("\n"))
      const expected = Buffer.concat(
        texts.map((text) => Buffer.from(Uint32Array.from([...service.encode(text), 256]).buffer))
      )
      for (const threads of [1, 3]) {
        const started = yield* startedThreads
        const { bytes, ids } = yield* collect(
          threads === 1 ? Stream.fromIterable(texts) : waiting(texts),
          service,
          threads
        )
        expect(started).toHaveLength(threads === 1 ? 0 : threads)
        expect(ids.equals(expected)).toBe(true)
        expect(bytes).toEqual(texts.map((text) => Buffer.byteLength(text)))
      }
    })
  )

  it.scopedLive("starts no thread for little text, or for a tokenizer that only this thread has", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      const started = yield* startedThreads
      yield* collect(Stream.make(textOf(1), textOf(2)), service, 4)
      const private_ = { ...service, definitionFile: undefined, encode: service.encode, files: {} }
      yield* collect(Stream.map(Stream.range(0, 59), textOf), private_, 4)
      expect(started).toEqual([])
    })
  )

  it.scopedLive("takes no more from the stream than a few batches before the oldest is written", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      const text = textOf(1)
      let taken = 0
      let written = 0
      let ahead = 0
      let peak = 0
      const before = process.memoryUsage.rss()
      yield* EncodeStream.run({
        texts: Stream.repeatEffect(
          Effect.sync(() => {
            taken += text.length
            ahead = Math.max(ahead, taken - written)
            peak = Math.max(peak, process.memoryUsage.rss())
            // A new string each time.
            return `${taken} ${text}`
          })
        ).pipe(Stream.takeWhile(() => taken < 30e6)),
        tokenizer: service,
        width: 2,
        threads: 2,
        startAfter,
        write: ({ bytes }) =>
          Effect.sync(() => {
            for (const count of bytes) written += count
          })
      }).pipe(Effect.scoped)
      expect(written).toBeGreaterThan(29e6)
      // Two batches a thread, one gathered, one on its way.
      expect(ahead).toBeLessThan(7 * 2 ** 19)
      expect(peak - before).toBeLessThan(400 * 2 ** 20)
    })
  )

  it.scopedLive("lets timers run while it encodes without threads", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      let ticks = 0
      const timer = setInterval(() => ticks++, 1)
      yield* collect(
        Stream.map(Stream.range(0, 399), (i) => textOf(i).slice(0, 5000)),
        { ...service, definitionFile: undefined },
        1
      )
      clearInterval(timer)
      expect(ticks).toBeGreaterThan(5)
    })
  )

  for (const [when, kill] of [
    ["when it starts", (worker: Worker) => void worker.terminate()],
    ["while it encodes", (worker: Worker) => void worker.once("message", () => setTimeout(() => worker.terminate(), 5))]
  ] as const) {
    it.scopedLive(`fails with what happened when a thread dies ${when}`, () =>
      Effect.gen(function* () {
        const service = yield* tokenizer
        const threads = yield* startedThreads
        const onWorker = (worker: Worker) => {
          if (threads.length === 1) kill(worker)
        }
        process.on("worker", onWorker)
        const texts = Array.from({ length: 200 }, (_, i) => textOf(i))
        const exit = yield* Effect.exit(collect(waiting(texts), service, 2))
        process.off("worker", onWorker)
        const error = Option.getOrThrow(Option.flatMap(Exit.causeOption(exit), Cause.failureOption))
        expect(error).toMatchObject({ _tag: "EncodePoolError" })
        expect(error.message).toMatch(/^A thread that encodes text failed: .*it ended with code \d$/)
        expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1])
      })
    )
  }

  it.scopedLive("is interrupted at once, and ends its threads", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      const threads = yield* startedThreads
      // Seconds of work in one text, which no thread looks up from.
      const long = Array.from({ length: 300 }, (_, i) => textOf(i)).join("\n")
      const short = Array.from({ length: 30 }, (_, i) => textOf(i))
      const fiber = yield* Effect.fork(collect(waiting([...short, long, long, long]), service, 2))
      while (threads.length < 2) yield* Effect.sleep(10)
      yield* Effect.promise(() =>
        Promise.all(threads.map((thread) => new Promise((resolve) => thread.once("message", resolve))))
      )
      yield* Effect.sleep(200)
      let finished = 0
      for (const thread of threads)
        thread.on("message", ({ body }: { readonly body: { readonly ids?: Uint32Array } }) => {
          if (body.ids !== undefined && body.ids.length > long.length / 10) finished += 1
        })
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(finished).toBe(0)
      expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1])
    })
  )

  it.scopedLive("fails with the tokenizer's problem when a thread cannot make it", () =>
    Effect.gen(function* () {
      const definition = { ...byteLevel, model: { ...byteLevel.model, dropout: 0.5 } }
      const pool = yield* EncodeStream.makePool({
        definition: JSON.stringify(definition),
        endOfText: undefined,
        width: 2,
        threads: 1
      })
      const error = yield* Effect.flip(pool.encode(["a"]))
      expect(error.message).toMatch(/dropout is 0\.5/)
    })
  )

  it.scopedLive("serves more batches at once than there are threads", () =>
    Effect.gen(function* () {
      const service = yield* tokenizer
      const pool = yield* EncodeStream.makePool({
        definition: JSON.stringify(byteLevel),
        endOfText: 256,
        width: 2,
        threads: 2
      })
      const texts = Chunk.toReadonlyArray(Chunk.range(0, 9)).map((i) => `${i} one two`)
      const encoded = yield* Effect.forEach(texts, (text) => pool.encode([text]), { concurrency: "unbounded" })
      expect(encoded.map(({ ids }) => Array.from(ids))).toEqual(texts.map((text) => [...service.encode(text), 256]))
      expect(encoded.every(({ ids }) => ids instanceof Uint16Array)).toBe(true)
    })
  )
})
