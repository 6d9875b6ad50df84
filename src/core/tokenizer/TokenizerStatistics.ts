/**
 * How a tokenizer tokenizes texts, in numbers: compression, unknown tokens, use of the vocabulary, round trips.
 *
 * Bytes are UTF-8, characters are code points. Coverage is the share of the vocabulary, without special tokens, that occurs. A text
 * is a round-trip fault if decoding its ids does not restore it. Texts are added one at a time, so only one is in memory.
 */
import * as Effect from "effect/Effect"
import type { Tokenizer, UnknownToken } from "../Tokenizer.ts"

/** A token that occurs. */
export interface LongToken {
  readonly id: number
  readonly token: string
  /** UTF-8 bytes that it represents inside a text, including the space before it if decoding adds one. */
  readonly bytes: number
}

/** A text that is not restored, and its first difference. */
export interface Fault {
  readonly document: string
  /** UTF-16 units before the difference, and the number of its line, from 1. */
  readonly offset: number
  readonly line: number
  /** The text from there on, and what decoding gives instead; both shortened. */
  readonly text: string
  readonly decoded: string
}

/** Statistics of a tokenizer on some texts. */
export interface Statistics {
  readonly documents: number
  readonly bytes: number
  readonly characters: number
  readonly tokens: number
  /** NaN if there are no tokens. */
  readonly bytesPerToken: number
  /** Number of unknown tokens, and their share. */
  readonly unknown: number
  readonly unknownRate: number
  /** Number of distinct tokens that occur, and their share of the vocabulary. */
  readonly used: number
  readonly coverage: number
  /** The longest tokens that occur, longest first, then by id. */
  readonly longest: ReadonlyArray<LongToken>
  readonly roundTripFaults: number
  /** The first of them. */
  readonly faults: ReadonlyArray<Fault>
}

/** Collects statistics. */
export interface Counter {
  /** Adds a text. `document` names it. */
  readonly add: (text: string, document: string) => Effect.Effect<void, UnknownToken>
  /** The numbers so far. */
  readonly result: Effect.Effect<Statistics, UnknownToken>
}

const LONGEST = 10
const FAULTS = 5
/** UTF-16 units of a piece that shows a fault. */
const SHOWN = 20

/** An empty counter. */
export const make = (tokenizer: Tokenizer.Service): Counter => {
  const counts = new Float64Array(tokenizer.vocabularySize)
  const faults: Array<Fault> = []
  let [documents, bytes, characters, tokens, roundTripFaults] = [0, 0, 0, 0, 0]
  const special = new Set(Object.values(tokenizer.specialTokens))

  const add: Counter["add"] = (given, document) =>
    Effect.gen(function* () {
      const text = given.toWellFormed()
      const ids = tokenizer.encode(text)
      documents += 1
      const lengths = lengthsOf(text)
      bytes += lengths.bytes
      characters += lengths.characters
      tokens += ids.length
      for (const id of ids) counts[id]! += 1
      const decoded = yield* tokenizer.decode(ids)
      if (decoded === text) return
      roundTripFaults += 1
      if (faults.length < FAULTS) faults.push(faultOf(document, text, decoded))
    })

  const result: Counter["result"] = Effect.gen(function* () {
    const { unknownToken } = tokenizer
    const unknown = unknownToken === undefined ? 0 : counts[unknownToken]!
    const found: Array<LongToken> = []
    let [used, ordinary] = [0, 0]
    for (const [id, count] of counts.entries()) {
      if (special.has(id) || id === unknownToken) continue
      const token = tokenizer.token(id)
      if (token === undefined) continue
      ordinary += 1
      if (count === 0) continue
      used += 1
      found.push({ id, token, bytes: yield* tokenizer.byteLength(id) })
    }
    return {
      documents,
      bytes,
      characters,
      tokens,
      bytesPerToken: bytes / tokens,
      unknown,
      unknownRate: tokens === 0 ? 0 : unknown / tokens,
      used,
      coverage: ordinary === 0 ? 0 : used / ordinary,
      longest: found.sort((a, b) => b.bytes - a.bytes || a.id - b.id).slice(0, LONGEST),
      roundTripFaults,
      faults: [...faults]
    }
  })
  return { add, result }
}

/** UTF-8 bytes and code points of a well-formed text, without copying it. */
const lengthsOf = (text: string): { readonly bytes: number; readonly characters: number } => {
  let [bytes, characters] = [0, 0]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    characters += 1
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if ((unit & 0xfc00) !== 0xd800) bytes += 3
    else {
      bytes += 4
      i++
    }
  }
  return { bytes, characters }
}

const faultOf = (document: string, text: string, decoded: string): Fault => {
  let offset = 0
  while (offset < text.length && text.charCodeAt(offset) === decoded.charCodeAt(offset)) offset += 1
  // Both texts start with a whole character.
  if ((text.charCodeAt(offset) & 0xfc00) === 0xdc00 && offset > 0) offset -= 1
  let line = 1
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line += 1
  const piece = (whole: string) => whole.slice(offset, offset + SHOWN).toWellFormed()
  return { document, offset, line, text: piece(text), decoded: piece(decoded) }
}

/** The statistics as JSON, for manifests and the command. NaN becomes null in JSON. */
export const encode = (statistics: Statistics) => ({
  documents: statistics.documents,
  bytes: statistics.bytes,
  characters: statistics.characters,
  tokens: statistics.tokens,
  bytes_per_token: statistics.bytesPerToken,
  unknown_tokens: statistics.unknown,
  unknown_rate: statistics.unknownRate,
  used_tokens: statistics.used,
  coverage: statistics.coverage,
  longest_tokens: statistics.longest,
  round_trip_faults: statistics.roundTripFaults,
  first_faults: statistics.faults
})
