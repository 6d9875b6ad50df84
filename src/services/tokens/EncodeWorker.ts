/**
 * An encoding thread's entry: makes the tokenizer once, then answers batches of texts with their ids.
 *
 * Requests are answered in the order of their arrival. What goes wrong is a reply, not the end of the thread.
 */
import { parentPort } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import type { Envelope } from "../worker/WorkerClient.ts"
import { encodeTexts, type Reply, type Request, type Start, type Width } from "./Protocol.ts"

interface Ready {
  readonly tokenizer: Pick<Tokenizer.Service, "encode" | "endOfText">
  readonly width: Width
}

const start = ({ definition: bytes, endOfText, width }: Start): Ready => {
  // It was a definition when the pool wrote it, and nothing read it since.
  const definition: TokenizerJson = JSON.parse(Buffer.from(bytes).toString("utf8"))
  const { encode } = Effect.runSync(Pipeline.make(definition))
  return { tokenizer: { encode, endOfText }, width }
}

const serve = (port: NonNullable<typeof parentPort>) => {
  let ready: Ready | { readonly failure: string } = { failure: "it was not started." }
  const answer = (request: Request): Reply => {
    try {
      if (request._tag === "Start") ready = start(request)
      if ("failure" in ready) return { _tag: "Failed", details: ready.failure }
      return request._tag === "Start" ? { _tag: "Started" } : encodeTexts(ready.tokenizer, ready.width, request.texts)
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      if (request._tag === "Start") ready = { failure }
      return { _tag: "Failed", details: failure }
    }
  }
  port.on("message", ({ body, id }: Envelope<Request>) => {
    const reply = answer(body)
    const envelope: Envelope<Reply> = { id, body: reply }
    port.postMessage(envelope, reply._tag === "Encoded" ? [reply.ids.buffer, reply.bytes.buffer] : [])
  })
}

if (parentPort !== null) serve(parentPort)
