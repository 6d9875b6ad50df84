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
import * as Heap from "../Heap.ts"
import * as Pairs from "./Pairs.ts"
import type { Sequences } from "./Symbols.ts"

export interface Options {
  /** Written forms of the symbols, by id. */
  readonly symbols: ReadonlyArray<string>
  /** The written form of two tokens in one. Default: one after the other. */
  readonly join?: (left: string, right: string) => string
  /** Merges wanted. */
  readonly limit: number
  /** A pair seen less often is not merged. */
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
 * The merges of counted sequences, most frequent first; merge i makes the id after all symbols and earlier merges. Yields now
 * and then, with the number of merges so far, so that the caller can breathe; returns fewer than `limit` when no pair is left.
 */
export const learn = function* (sequences: Sequences, options: Options): Generator<number, ReadonlyArray<Merge>, void> {
  const { join = (left, right) => left + right, minFrequency } = options
  // Of two merges that make one written form, which takes a prefix that a text spells too, the first one stays.
  const taken = new Set(options.reserved)
  const least = Math.max(1, minFrequency)
  const symbols = yield* link(sequences)
  const pairs = new Pairs.Pairs()
  yield* countPairs(symbols, sequences.counts, pairs, least)
  yield 0

  // The count that placed a pair in the heap; the true one may have fallen since, never risen.
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
  const replacing = new Replacing(symbols, sequences.counts, pairs)

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
    yield* replacing.replace(pair, written.length, merges.length)
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

/** The symbols of all words, one word after the other. A symbol that was merged into the one before it has id −1. */
interface Symbols {
  readonly id: Int32Array
  /** The neighbour's place, or −1 at the word's edge. */
  readonly next: Int32Array
  readonly previous: Int32Array
  readonly word: Int32Array
}

const link = function* ({ counts, ids, starts }: Sequences): Generator<number, Symbols, void> {
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
  symbols: Symbols,
  counts: Float64Array,
  pairs: Pairs.Pairs,
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

/** Replaces pairs by tokens wherever they stand. */
class Replacing {
  private readonly symbols: Symbols
  private readonly counts: Float64Array
  private readonly pairs: Pairs.Pairs
  /** The pair of each token with the new one after it, or before it, as far as the pair is of this replacement. */
  private before = new Int32Array(1 << 10)
  private after = new Int32Array(1 << 10)

  constructor(symbols: Symbols, counts: Float64Array, pairs: Pairs.Pairs) {
    this.symbols = symbols
    this.counts = counts
    this.pairs = pairs
  }

  *replace(pair: number, id: number, done: number): Generator<number, void, void> {
    const { counts, pairs, symbols } = this
    const { next, previous, word } = symbols
    const ids = symbols.id
    if (id >= this.before.length) {
      this.before = grown(this.before, 2 * id)
      this.after = grown(this.after, 2 * id)
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

const grown = (from: Int32Array, length: number) => {
  const to = new Int32Array(length)
  to.set(from)
  return to
}
