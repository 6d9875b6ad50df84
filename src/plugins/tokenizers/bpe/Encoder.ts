/// <reference lib="es2024.string" />
/**
 * Applies byte-pair merges to text: in each word the merge that was learnt first is made first, leftmost first.
 *
 * Words are cached, since a text uses the same ones again and again. A short word is scanned for its best pair after each
 * merge; a long one takes pairs from a heap, so that a word of n bytes costs n log n.
 */
import * as Heap from "../../../core/tokenizer/Heap.ts"
import type { Merge } from "./Merges.ts"
import * as PairTable from "../../../core/tokenizer/PairTable.ts"
import { forEachWord } from "./PreTokenizer.ts"

export interface Rules {
  /** Token id of each byte. */
  readonly byteIds: Int32Array
  /** Merges in the order of their rank. */
  readonly merges: ReadonlyArray<Merge & { readonly id: number }>
}

/** Words up to this many bytes are scanned; longer ones use the heap. */
const SCANNED_BYTES = 48
/** Words up to this many UTF-16 units are cached, and so many of them; then the cache starts afresh. */
const CACHED_UNITS = 64
const CACHED_WORDS = 100_000

export const make = (rules: Rules): ((text: string) => Int32Array) => {
  const ranks = PairTable.make(rules.merges.length)
  const ids = Int32Array.from(rules.merges, (merge) => merge.id)
  rules.merges.forEach((merge, rank) => {
    ranks.set(merge.left, merge.right, rank)
  })
  const encoder = new TextEncoder()
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  let cache = new Map<string, Int32Array>()

  const encodeWord = (word: string): Int32Array => {
    const bytes = encoder.encode(word)
    const symbols = new Int32Array(bytes.length)
    for (let i = 0; i < bytes.length; i++) symbols[i] = rules.byteIds[bytes[i]!]!
    const tokens = bytes.length <= SCANNED_BYTES ? scan(symbols, ranks, ids) : mergeByHeap(symbols, ranks, ids)
    if (word.length <= CACHED_UNITS) {
      if (cache.size >= CACHED_WORDS) cache = new Map()
      // A slice of a text keeps the whole text alive, so the key is made afresh from the bytes.
      cache.set(decoder.decode(bytes), tokens)
    }
    return tokens
  }

  return (text) => {
    let output = new Int32Array((text.length >> 1) + 16)
    let length = 0
    forEachWord(text.toWellFormed(), (word) => {
      const tokens = cache.get(word) ?? encodeWord(word)
      if (length + tokens.length > output.length) {
        const larger = new Int32Array(Math.max(output.length * 2, length + tokens.length))
        larger.set(output)
        output = larger
      }
      for (let i = 0; i < tokens.length; i++) output[length++] = tokens[i]!
    })
    return output.slice(0, length)
  }
}

/** Merges in place, looking for the best pair in the whole word each time. */
const scan = (symbols: Int32Array, ranks: PairTable.PairTable, ids: Int32Array): Int32Array => {
  let length = symbols.length
  for (;;) {
    let best = -1
    let place = -1
    for (let i = 0; i + 1 < length; i++) {
      const rank = ranks.get(symbols[i]!, symbols[i + 1]!)
      if (rank >= 0 && (best < 0 || rank < best)) {
        best = rank
        place = i
      }
    }
    if (best < 0) return symbols.slice(0, length)
    symbols[place] = ids[best]!
    symbols.copyWithin(place + 1, place + 2, length)
    length--
  }
}

/** Ranks and places share one number in the heap: place in the lower 2^31. */
const PLACES = 2 ** 31

/** The same merges with the pairs in a heap. A pair that changed since it was pushed is dropped when it comes up. */
const mergeByHeap = (symbols: Int32Array, ranks: PairTable.PairTable, ids: Int32Array): Int32Array => {
  const n = symbols.length
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1))
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1)
  const rankAt = (place: number) => {
    const after = next[place]!
    return after < 0 ? -1 : ranks.get(symbols[place]!, symbols[after]!)
  }
  const candidates: Array<number> = []
  for (let place = 0; place + 1 < n; place++) {
    const rank = rankAt(place)
    if (rank >= 0) candidates.push(rank * PLACES + place)
  }
  const heap = Heap.make((a, b) => a < b, candidates)
  const consider = (place: number) => {
    const rank = rankAt(place)
    if (rank >= 0) heap.push(rank * PLACES + place)
  }
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) {
    const place = item % PLACES
    const rank = (item - place) / PLACES
    if (symbols[place]! < 0 || rankAt(place) !== rank) continue
    const joined = next[place]!
    const after = next[joined]!
    symbols[place] = ids[rank]!
    symbols[joined] = -1
    next[place] = after
    if (after >= 0) previous[after] = place
    if (previous[place]! >= 0) consider(previous[place]!)
    consider(place)
  }
  return symbols.filter((symbol) => symbol >= 0)
}
