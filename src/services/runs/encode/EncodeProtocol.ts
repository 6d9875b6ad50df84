/**
 * What the pool and its encoding threads say to each other, and what both do with a batch of texts.
 *
 * Every text becomes its ids and, where the tokenizer has one, the token that ends a text; a batch is one array as the file
 * holds it, which goes over without a copy.
 */
import type { Tokenizer } from "../../../core/Tokenizer.ts"

export type Width = 2 | 4

/** What a thread is started with: the tokenizer to make, as JSON in UTF-8 in memory that all threads read. */
export interface Start {
  readonly definition: SharedArrayBuffer
  readonly width: Width
  readonly endOfText: number | undefined
}

/** Texts to encode. */
export type Request = ReadonlyArray<string>

export interface Encoded {
  readonly _tag: "Encoded"
  /** Ids of all texts, one after the other. */
  readonly ids: Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>
  /** UTF-8 bytes of each text. */
  readonly bytes: Float64Array<ArrayBuffer>
}

export type Reply = Encoded | { readonly _tag: "Failed"; readonly details: string }

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
