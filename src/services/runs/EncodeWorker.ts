/**
 * The thread that encodes batches of texts: its messages, what it does with a batch, and its entry.
 *
 * It makes the tokenizer once, then answers batches of texts with their ids, in the order in which they arrive. A failure is
 * a reply, not the end of the thread.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { Envelope } from "../WorkerThread.ts"

/** Bytes of an id in the file. */
export type Width = 2 | 4

/** What a thread is started with: the tokenizer's definition file, as UTF-8 in memory that all threads share. */
export interface Start {
  readonly _tag: "EncodeStart"
  readonly definition: SharedArrayBuffer
  readonly width: Width
  readonly endOfText: number | undefined
}

/** Texts to encode. */
export type Request = ReadonlyArray<string>

/** A batch of texts as the file stores it; its buffers are transferred, not copied. */
export interface Encoded {
  readonly _tag: "Encoded"
  /** Ids of all texts, one after the other. */
  readonly ids: Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>
  /** UTF-8 bytes of each text. */
  readonly bytes: Float64Array<ArrayBuffer>
}

/** The ids, or why there are none. */
export type Reply = Encoded | { readonly _tag: "Failed"; readonly details: string }

/** Encodes texts, each followed by the token that ends a text, if the tokenizer has one. */
export const encodeTexts = (
  { encode, endOfText }: Pick<Tokenizer.Service, "encode" | "endOfText">,
  width: Width,
  texts: ReadonlyArray<string>
): Encoded => {
  const parts = texts.map(encode)
  const ends = endOfText === undefined ? 0 : 1
  const length = parts.reduce((sum, { length }) => sum + length + ends, 0)
  const ids = width === 2 ? new Uint16Array(length) : new Uint32Array(length)
  let at = 0
  for (const part of parts) {
    ids.set(part, at)
    at += part.length
    if (endOfText !== undefined) ids[at++] = endOfText
  }
  // As TextEncoder: a lone surrogate counts the three bytes of U+FFFD.
  return { _tag: "Encoded", ids, bytes: Float64Array.from(texts, (text) => Buffer.byteLength(text)) }
}

const make = ({ definition: bytes, endOfText, width }: Start) => {
  const definition = Pipeline.parse(Buffer.from(bytes).toString("utf8"), Pipeline.fileName)
  const { encode } = Effect.runSync(Effect.flatMap(definition, (parsed) => Pipeline.make(parsed)))
  return (texts: Request): Reply => encodeTexts({ encode, endOfText }, width, texts)
}

const attempt = <A>(run: () => A): Either.Either<A, string> =>
  Either.try({ try: run, catch: (error) => (error instanceof Error ? error.message : String(error)) })

const serve = (port: NonNullable<typeof parentPort>, start: Start) => {
  const encoder = attempt(() => make(start))
  port.on("message", ({ body, id }: Envelope<Request>) => {
    const reply = encoder.pipe(
      Either.flatMap((encode) => attempt(() => encode(body))),
      Either.getOrElse((details): Reply => ({ _tag: "Failed", details }))
    )
    const envelope: Envelope<Reply> = { id, body: reply }
    port.postMessage(envelope, reply._tag === "Encoded" ? [reply.ids.buffer, reply.bytes.buffer] : [])
  })
}

// Other threads import this file too, for the definitions above.
const isStart = (data: unknown): data is Start => Predicate.isTagged(data, "EncodeStart")
if (parentPort !== null && isStart(workerData)) serve(parentPort, workerData)
