/**
 * Learns byte-pair merges from counted words: again and again the most frequent pair of neighbours becomes one token.
 *
 * The symbols of all distinct words lie in one array as linked lists. Each pair knows its count and the places where it
 * stands; a heap gives the most frequent one. A merge touches only the places of its pair, so the cost is the number of
 * symbols times the logarithm of the number of pairs, and a word of a million equal letters is no special case.
 *
 * Ties: highest count, then smaller left id, then smaller right id. Merging goes from left to right inside a word. So the
 * result depends on the counts alone, and is the one of Hugging Face's BpeTrainer.
 * Source: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909
 */
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import * as Heap from "../../../core/tokenizer/Heap.ts"
import * as PairTable from "../../../core/tokenizer/PairTable.ts"

export interface Options {
  /** Merges wanted. */
  readonly limit: number
  /** A pair seen less often is not merged. */
  readonly minFrequency: number
  /** Written forms that no merge may produce, because special tokens have them. */
  readonly reserved: ReadonlySet<string>
}

export interface Merge {
  readonly left: number
  readonly right: number
}

/**
 * The merges of counted words, most frequent first. Ids 0–255 are the bytes in the order of their characters; merge i makes
 * id 256 + i. Yields now and then, with the number of merges so far, so that the caller can breathe; returns fewer than
 * `limit` when no pair is left.
 */
export const learn = function* (
  words: ReadonlyMap<string, number>,
  options: Options
): Generator<number, ReadonlyArray<Merge>, void> {
  const symbols = link(words)
  yield 0
  const pairs = makePairs()
  for (let at = 0; at < symbols.id.length; at++) {
    const after = symbols.next[at]!
    if (after >= 0) pairs.add(symbols.id[at]!, symbols.id[after]!, symbols.weight[at]!, at)
  }
  yield 0

  const { count, left, right } = pairs
  // The count that placed a pair in the heap; the true one may have fallen since, never risen.
  const placed = [...count]
  const precedes = (a: number, b: number) =>
    placed[a]! !== placed[b]!
      ? placed[a]! > placed[b]!
      : left[a]! !== left[b]!
        ? left[a]! < left[b]!
        : right[a]! < right[b]!
  const least = Math.max(1, options.minFrequency)
  const heap = Heap.make(
    precedes,
    count.flatMap((n, pair) => (n >= least ? [pair] : []))
  )
  const written = ByteAlphabet.bytesByCharacter.map((byte) => ByteAlphabet.byteToCharacter[byte]!)
  const merges: Array<Merge> = []

  while (merges.length < options.limit) {
    const pair = heap.peek()
    if (pair === undefined) break
    if (placed[pair] !== count[pair]) {
      placed[pair] = count[pair]!
      heap.sinkFirst()
      continue
    }
    if (count[pair]! < least) break
    heap.pop()
    const text = written[left[pair]!]! + written[right[pair]!]!
    if (options.reserved.has(text)) continue
    const known = count.length
    replace(symbols, pairs, pair, written.length)
    written.push(text)
    merges.push({ left: left[pair]!, right: right[pair]! })
    for (let fresh = known; fresh < count.length; fresh++) {
      placed.push(count[fresh]!)
      if (count[fresh]! >= least) heap.push(fresh)
      else pairs.places[fresh] = []
    }
    if (merges.length % 64 === 0) yield merges.length
  }
  return merges
}

/** The symbols of all words, one word after the other. A symbol that was merged into the one before it has id −1. */
interface Symbols {
  readonly id: Int32Array
  /** The neighbour's place, or −1 at the word's edge. */
  readonly next: Int32Array
  readonly previous: Int32Array
  /** How often the symbol's word was seen. */
  readonly weight: Float64Array
}

const link = (words: ReadonlyMap<string, number>): Symbols => {
  const idOf = new Int32Array(256)
  ByteAlphabet.bytesByCharacter.forEach((byte, id) => {
    idOf[byte] = id
  })
  const encoder = new TextEncoder()
  let total = 0
  for (const word of words.keys()) total += encoder.encode(word).length
  const symbols = {
    id: new Int32Array(total),
    next: new Int32Array(total),
    previous: new Int32Array(total),
    weight: new Float64Array(total)
  }
  let at = 0
  for (const [word, weight] of words) {
    const first = at
    for (const byte of encoder.encode(word)) {
      symbols.id[at] = idOf[byte]!
      symbols.weight[at] = weight
      symbols.previous[at] = at === first ? -1 : at - 1
      symbols.next[at] = at + 1
      at++
    }
    if (at > first) symbols.next[at - 1] = -1
  }
  return symbols
}

/** Statistics of the pairs of neighbours, by the order in which they were first seen. */
interface Pairs {
  readonly left: Array<number>
  readonly right: Array<number>
  readonly count: Array<number>
  /** Places of the left symbol, from left to right inside a word; some may no longer hold the pair. */
  readonly places: Array<Array<number>>
  readonly add: (left: number, right: number, weight: number, place: number) => void
  readonly remove: (left: number, right: number, weight: number) => void
}

const makePairs = (): Pairs => {
  const table = PairTable.make(1 << 12)
  const left: Array<number> = []
  const right: Array<number> = []
  const count: Array<number> = []
  const places: Array<Array<number>> = []
  return {
    left,
    right,
    count,
    places,
    add: (a, b, weight, place) => {
      const pair = table.get(a, b)
      if (pair >= 0) {
        count[pair]! += weight
        places[pair]!.push(place)
        return
      }
      table.set(a, b, count.length)
      left.push(a)
      right.push(b)
      count.push(weight)
      places.push([place])
    },
    remove: (a, b, weight) => {
      const pair = table.get(a, b)
      if (pair >= 0) count[pair]! -= weight
    }
  }
}

/** Replaces a pair by the token `id` wherever it stands. */
const replace = (symbols: Symbols, pairs: Pairs, pair: number, id: number): void => {
  const [left, right] = [pairs.left[pair]!, pairs.right[pair]!]
  const places = pairs.places[pair]!
  pairs.places[pair] = []
  for (const at of places) {
    const joined = symbols.next[at]!
    if (symbols.id[at] !== left || joined < 0 || symbols.id[joined] !== right) continue
    const weight = symbols.weight[at]!
    const before = symbols.previous[at]!
    const after = symbols.next[joined]!
    if (before >= 0) {
      pairs.remove(symbols.id[before]!, left, weight)
      pairs.add(symbols.id[before]!, id, weight, before)
    }
    if (after >= 0) {
      pairs.remove(right, symbols.id[after]!, weight)
      pairs.add(id, symbols.id[after]!, weight, at)
      symbols.previous[after] = at
    }
    symbols.id[at] = id
    symbols.id[joined] = -1
    symbols.next[at] = after
  }
}
