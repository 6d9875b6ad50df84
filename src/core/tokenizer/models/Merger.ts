/**
 * Applies merges to the symbols of a word: of all pairs of neighbours the one of the lowest rank is joined first, and of
 * equal ones the leftmost.
 *
 * Symbols are a linked list. A short word is searched for its best pair after each merge; a long one takes pairs from a
 * heap, so that a word of n symbols costs n log n.
 */
import * as Heap from "../Heap.ts"
import type { Merges } from "./Merges.ts"
import type { Segments } from "./Segments.ts"

/** Words up to this many symbols are searched. */
const SEARCHED = 128
/** The rank of a pair that has no merge. */
const NONE = 0x7fffffff
/** Ranks and places share one number in the heap: place in the lower 2^31. */
const PLACES = 2 ** 31

/** Merges `symbols`, which it changes, and appends the tokens to `output`. */
export type Merger = (symbols: Segments, output: Segments) => void

export const make = (merges: Merges, searched = SEARCHED): Merger => {
  const { get } = merges.ranks
  const { ids } = merges
  const next = new Int32Array(searched)
  const ranks = new Int32Array(searched)

  const search = (symbols: Int32Array, length: number) => {
    let pairs = 0
    for (let i = 0; i + 1 < length; i++) {
      const rank = get(symbols[i]!, symbols[i + 1]!)
      next[i] = i + 1
      if (rank < 0) ranks[i] = NONE
      else {
        ranks[i] = rank
        pairs++
      }
    }
    next[length - 1] = length
    ranks[length - 1] = NONE
    if (pairs === 0) return
    for (;;) {
      let best = NONE
      let place = 0
      let before = -1
      for (let i = 0, previous = -1; i < length; previous = i, i = next[i]!) {
        if (ranks[i]! >= best) continue
        best = ranks[i]!
        place = i
        before = previous
      }
      if (best === NONE) return
      const joined = ids[best]!
      const after = next[next[place]!]!
      symbols[place] = joined
      next[place] = after
      const rank = after < length ? get(joined, symbols[after]!) : -1
      ranks[place] = rank < 0 ? NONE : rank
      if (before < 0) continue
      const rankBefore = get(symbols[before]!, joined)
      ranks[before] = rankBefore < 0 ? NONE : rankBefore
    }
  }

  return (symbols, output) => {
    const { length } = symbols
    const links = length <= searched ? next : new Int32Array(length)
    if (length <= searched) search(symbols.ids, length)
    else mergeByHeap(symbols.ids, length, links, merges)
    for (let i = 0; i < length; i = links[i]!) {
      output.push(symbols.ids[i]!, symbols.starts[i]!, symbols.ends[links[i]! - 1]!)
    }
  }
}

/** The same merges with the pairs in a heap. A pair that changed since it was pushed is dropped when it comes up. */
const mergeByHeap = (symbols: Int32Array, length: number, next: Int32Array, { ids, ranks }: Merges) => {
  const previous = new Int32Array(length)
  const candidates: Array<number> = []
  for (let i = 0; i < length; i++) {
    next[i] = i + 1
    previous[i] = i - 1
    const rank = i + 1 < length ? ranks.get(symbols[i]!, symbols[i + 1]!) : -1
    if (rank >= 0) candidates.push(rank * PLACES + i)
  }
  const heap = Heap.makeAscending(candidates)
  const consider = (place: number) => {
    const after = next[place]!
    const rank = after < length ? ranks.get(symbols[place]!, symbols[after]!) : -1
    if (rank >= 0) heap.push(rank * PLACES + place)
  }
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) {
    const place = item % PLACES
    const rank = (item - place) / PLACES
    const joined = next[place]!
    // A symbol that was joined to the one before has −1; ids are never negative, so its pair has no merge.
    if (joined >= length || ranks.get(symbols[place]!, symbols[joined]!) !== rank) continue
    const after = next[joined]!
    symbols[place] = ids[rank]!
    symbols[joined] = -2
    next[place] = after
    if (after < length) previous[after] = place
    if (previous[place]! >= 0) consider(previous[place]!)
    consider(place)
  }
}
