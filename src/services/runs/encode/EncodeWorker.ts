/**
 * An encoding thread's entry: makes the tokenizer once, then answers batches of texts with their ids.
 *
 * Requests are answered in the order of their arrival. What goes wrong is a reply, not the end of the thread.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Pipeline from "../../../core/tokenizer/Pipeline.ts"
import type { Envelope } from "../../WorkerThread.ts"
import { encodeTexts, type Reply, type Request, type Start } from "./EncodeProtocol.ts"

const make = ({ definition: bytes, endOfText, width }: Start) => {
  const definition = Pipeline.parse(Buffer.from(bytes).toString("utf8"), Pipeline.fileName)
  const { encode } = Effect.runSync(Effect.flatMap(definition, (parsed) => Pipeline.make(parsed)))
  return (texts: Request): Reply => encodeTexts({ encode, endOfText }, width, texts)
}

const attempt = <A>(run: () => A): Either.Either<A, string> =>
  Either.try({ try: run, catch: (error) => (error instanceof Error ? error.message : String(error)) })

const serve = (port: NonNullable<typeof parentPort>) => {
  const encoder = attempt(() => make(workerData))
  port.on("message", ({ body, id }: Envelope<Request>) => {
    const reply = encoder.pipe(
      Either.flatMap((encode) => attempt(() => encode(body))),
      Either.getOrElse((details): Reply => ({ _tag: "Failed", details }))
    )
    const envelope: Envelope<Reply> = { id, body: reply }
    port.postMessage(envelope, reply._tag === "Encoded" ? [reply.ids.buffer, reply.bytes.buffer] : [])
  })
}

if (parentPort !== null) serve(parentPort)
