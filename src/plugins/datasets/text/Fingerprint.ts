/**
 * The fingerprint of a dataset: a chain over the splits and their documents.
 *
 * Each link is the SHA-256 of the link before it, of what follows (a split or a document) and of its own SHA-256, so that no
 * two datasets look alike, and no more than a document is held.
 */
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Stream from "effect/Stream"
import type { Split } from "../../../core/Dataset.ts"

/** Reads everything. Names and times of files do not matter. */
export const fingerprint = <E>(documents: (split: Split) => Stream.Stream<{ readonly text: string }, E>) =>
  Effect.gen(function* () {
    const encoder = new TextEncoder()
    let chain = new Uint8Array(32)
    const link = (what: "split" | "document", text: string) =>
      Effect.gen(function* () {
        const own = yield* sha256(encoder.encode(text))
        chain = yield* sha256(Uint8Array.from([...chain, ...encoder.encode(what), ...own]))
      })
    for (const split of ["train", "validation"] as const) {
      yield* link("split", split)
      yield* Stream.runForEach(documents(split), ({ text }) => link("document", text))
    }
    return Encoding.encodeHex(chain)
  })

const sha256 = (bytes: Uint8Array<ArrayBuffer>) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", bytes)),
    (digest) => new Uint8Array(digest)
  )
