/**
 * Learns byte-pair merges from counted words: in each step the most frequent pair of adjacent symbols becomes one token.
 *
 * The symbols of all distinct words are linked lists in one array. Each pair has its count and the places where it occurs; a
 * heap gives the most frequent pair. A merge touches only the places of its pair, so the cost is the number of symbols times
 * the logarithm of the number of pairs, also for a word of a million equal letters.
 *
 * Ties: highest count, then smaller left id, then smaller right id. Inside a word, merging goes from left to right. So the
 * result depends on the counts alone, and equals that of Hugging Face's BpeTrainer.
 * Source: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909
 */
import * as Heap from "../Heap.ts"
import * as PairTable from "../PairTable.ts"
import { TokenIds } from "../TokenIds.ts"
import type { Sequences } from "./SymbolSequences.ts"

export interface Options {
  /** Written forms of the symbols, by id. */
  readonly symbols: ReadonlyArray<string>
  /** The written form of the token that two tokens become. Default: their concatenation. */
  readonly join?: (left: string, right: string) => string
  /** Number of merges to learn. */
  readonly limit: number
  /** A pair with a lower count is not merged. */
  readonly minFrequency: number
  /** Written forms that no merge may produce, because other tokens have them. */
  readonly reserved: ReadonlySet<string>
}

export interface Merge {
  readonly left: number
  readonly right: number
}

/** Symbols and places between two yields. */
const STEP = 1 << 16

/**
 * The merges of counted sequences, most frequent first, for EventLoop.run; merge i makes the id after all symbols and earlier
 * merges. Yields the number of merges so far. Returns fewer than `limit` merges when no pair is left.
 */
export const learn = function* (sequences: Sequences, options: Options): Generator<number, ReadonlyArray<Merge>, void> {
  const { join = (left, right) => left + right, minFrequency } = options
  // Two merges can make the same written form (with a prefix that the text contains too): the first one is kept.
  const taken = new Set(options.reserved)
  const least = Math.max(1, minFrequency)
  const symbols = yield* link(sequences)
  const pairs = new PairCounts()
  yield* countPairs(symbols, sequences.counts, pairs, least)
  yield 0

  // The count that placed a pair in the heap. The true count may be lower by now, never higher.
  const placed: Array<number> = []
  const precedes = (a: number, b: number) =>
    placed[a]! !== placed[b]!
      ? placed[a]! > placed[b]!
      : pairs.left[a]! !== pairs.left[b]!
        ? pairs.left[a]! < pairs.left[b]!
        : pairs.right[a]! < pairs.right[b]!
  const first: Array<number> = []
  for (let pair = 0; pair < pairs.size; pair++) {
    placed.push(pairs.count[pair]!)
    if (placed[pair]! >= least) first.push(pair)
  }
  yield 0
  const heap = Heap.make(precedes, first)
  yield 0
  const written = [...options.symbols]
  const merges: Array<Merge> = []
  const replacer = new PairReplacer(symbols, sequences.counts, pairs)

  while (merges.length < options.limit) {
    const pair = heap.peek()
    if (pair === undefined) break
    const count = pairs.count[pair]!
    if (placed[pair] !== count) {
      placed[pair] = count
      heap.sinkFirst()
      continue
    }
    if (count < least) break
    heap.pop()
    const left = pairs.left[pair]!
    const right = pairs.right[pair]!
    const text = join(written[left]!, written[right]!)
    if (taken.has(text)) continue
    taken.add(text)
    const known = pairs.size
    yield* replacer.replace(pair, written.length, merges.length)
    written.push(text)
    merges.push({ left, right })
    pairs.arrange(known, least)
    for (let fresh = known; fresh < pairs.size; fresh++) {
      placed.push(pairs.count[fresh]!)
      if (placed[fresh]! >= least) heap.push(fresh)
    }
    if (merges.length % 16 === 0) yield merges.length
  }
  return merges
}

/** The symbols of all words, one word after another. A symbol that was merged into the one before it has id −1. */
interface LinkedSymbols {
  readonly id: Int32Array
  /** The place of the adjacent symbol, or −1 at the edge of the word. */
  readonly next: Int32Array
  readonly previous: Int32Array
  readonly word: Int32Array
}

const link = function* ({ counts, ids, starts }: Sequences): Generator<number, LinkedSymbols, void> {
  const symbols = {
    id: ids.slice(),
    next: new Int32Array(ids.length),
    previous: new Int32Array(ids.length),
    word: new Int32Array(ids.length)
  }
  for (let word = 0; word < counts.length; word++) {
    const [start, end] = [starts[word]!, starts[word + 1]!]
    for (let at = start; at < end; at++) {
      symbols.word[at] = word
      symbols.previous[at] = at === start ? -1 : at - 1
      symbols.next[at] = at + 1 === end ? -1 : at + 1
    }
    if (word % STEP === 0) yield 0
  }
  return symbols
}

const countPairs = function* (
  symbols: LinkedSymbols,
  counts: Float64Array,
  pairs: PairCounts,
  least: number
): Generator<number, void, void> {
  for (let at = 0; at < symbols.id.length; at++) {
    const after = symbols.next[at]!
    if (after >= 0) {
      pairs.add(pairs.find(symbols.id[at]!, symbols.id[after]!), counts[symbols.word[at]!]!, at)
    }
    if (at % STEP === 0) yield 0
  }
  yield 0
  pairs.arrange(0, least)
}

/** Replaces a pair by its new token everywhere. */
class PairReplacer {
  private readonly symbols: LinkedSymbols
  private readonly counts: Float64Array
  private readonly pairs: PairCounts
  /** The pair of each token with the new token after it, or before it; valid when the pair is of this replacement. */
  private before = new Int32Array(1 << 10)
  private after = new Int32Array(1 << 10)

  constructor(symbols: LinkedSymbols, counts: Float64Array, pairs: PairCounts) {
    this.symbols = symbols
    this.counts = counts
    this.pairs = pairs
  }

  *replace(pair: number, id: number, done: number): Generator<number, void, void> {
    const { counts, pairs, symbols } = this
    const { next, previous, word } = symbols
    const ids = symbols.id
    if (id >= this.before.length) {
      this.before = copied(this.before, new Int32Array(2 * id))
      this.after = copied(this.after, new Int32Array(2 * id))
    }
    const { after: pairAfter, before: pairBefore } = this
    const known = pairs.size
    const left = pairs.left[pair]!
    const right = pairs.right[pair]!
    const places = pairs.take(pair)
    for (let i = 0; i < places.length; i++) {
      if ((i + 1) % STEP === 0) yield done
      const at = places[i]!
      const joined = next[at]!
      if (ids[at] !== left || joined < 0 || ids[joined] !== right) continue
      const weight = counts[word[at]!]!
      const b = previous[at]!
      const a = next[joined]!
      if (b >= 0) {
        const symbol = ids[b]!
        pairs.remove(symbol, left, weight)
        let fresh = pairBefore[symbol]!
        if (fresh < known || symbol === id) {
          fresh = pairs.find(symbol, id)
          pairBefore[symbol] = fresh
        }
        pairs.add(fresh, weight, b)
      }
      if (a >= 0) {
        const symbol = ids[a]!
        pairs.remove(right, symbol, weight)
        let fresh = pairAfter[symbol]!
        if (fresh < known || symbol === id) {
          fresh = pairs.find(id, symbol)
          pairAfter[symbol] = fresh
        }
        pairs.add(fresh, weight, at)
        previous[a] = at
      }
      ids[at] = id
      ids[joined] = -1
      next[at] = a
    }
  }
}

const copied = <A extends Int32Array | Float64Array>(from: A, to: A): A => {
  to.set(from)
  return to
}

const none = new Int32Array(0)

/**
 * Pairs of adjacent symbols: how often and where each occurs.
 *
 * Pairs are numbered as they are first seen. All places of a pair are found in one pass, when the newer of its two tokens is
 * made. So places are collected together with their pairs and then arranged: each pair gets one range of a common array.
 */
class PairCounts {
  size = 0
  left = new Int32Array(1 << 12)
  right = new Int32Array(1 << 12)
  count = new Float64Array(1 << 12)
  private readonly table = PairTable.make(1 << 12)
  /** The range of each pair in `places`. */
  private from = new Int32Array(1 << 12)
  private length = new Int32Array(1 << 12)
  private places = new Int32Array(1 << 12)
  private used = 0
  /** Number of places of pairs that may still be merged. */
  private live = 0
  private readonly collected = { pair: new TokenIds(1 << 12), place: new TokenIds(1 << 12) }

  /** The number of a pair; a new number when the pair was not seen before. */
  find(left: number, right: number): number {
    const pair = this.table.get(left, right)
    if (pair >= 0) return pair
    if (this.size === this.left.length) {
      this.left = copied(this.left, new Int32Array(2 * this.size))
      this.right = copied(this.right, new Int32Array(2 * this.size))
      this.from = copied(this.from, new Int32Array(2 * this.size))
      this.length = copied(this.length, new Int32Array(2 * this.size))
      this.count = copied(this.count, new Float64Array(2 * this.size))
    }
    this.left[this.size] = left
    this.right[this.size] = right
    this.table.set(left, right, this.size)
    return this.size++
  }

  /** Adds a place of the pair, in a word seen `weight` times. Places of a word are added from left to right. */
  add(pair: number, weight: number, place: number): void {
    this.count[pair]! += weight
    this.collected.pair.push(pair)
    this.collected.place.push(place)
  }

  remove(left: number, right: number, weight: number): void {
    const pair = this.table.get(left, right)
    if (pair >= 0) this.count[pair]! -= weight
  }

  /** The places of the pair as they were when it was found; the pair loses them. Valid until `arrange`. */
  take(pair: number): Int32Array {
    const length = this.length[pair]!
    this.length[pair] = 0
    this.live -= length
    return length === 0 ? none : this.places.subarray(this.from[pair]!, this.from[pair]! + length)
  }

  /** Gives the places collected since the last call to their pairs, numbers `known` and up. Places of rare pairs are dropped. */
  arrange(known: number, least: number): void {
    const { pair, place } = this.collected
    let total = 0
    for (let i = 0; i < pair.length; i++) {
      const of = pair.ids[i]!
      if (this.count[of]! < least) continue
      this.length[of]!++
      total++
    }
    this.makeRoom(known, total)
    for (let of = known; of < this.size; of++) {
      this.from[of] = this.used
      this.used += this.length[of]!
      this.length[of] = 0
    }
    this.live += total
    const { from, length, places } = this
    for (let i = 0; i < pair.length; i++) {
      const of = pair.ids[i]!
      if (this.count[of]! < least) continue
      places[from[of]! + length[of]!++] = place.ids[i]!
    }
    pair.length = 0
    place.length = 0
  }

  /** Makes room for `more` places: where dropped places of pairs below `known` are, or in a larger array. */
  private makeRoom(known: number, more: number): void {
    if (this.used + more <= this.places.length) return
    const target =
      this.live + more <= this.places.length / 2
        ? this.places
        : new Int32Array(Math.max(2 * this.live + 2 * more, 1 << 12))
    // Ranges are in the order of their pairs, so that none is overwritten before it is moved.
    let used = 0
    for (let pair = 0; pair < known; pair++) {
      const length = this.length[pair]!
      if (length === 0) continue
      const from = this.from[pair]!
      target.set(this.places.subarray(from, from + length), used)
      this.from[pair] = used
      used += length
    }
    this.places = target
    this.used = used
  }
}
