/**
 * The `merges` of a BPE model: reading and checking them, applying them to the symbols of a word, and finding places where a word
 * can be split before it is merged.
 *
 * A merge is a pair of tokens, or in older files a string of two tokens with a space between. Its index is its rank. Of two merges
 * of one pair the later one counts, as in Hugging Face's readers.
 */
import * as Either from "effect/Either"
import * as Heap from "../Heap.ts"
import * as PairTable from "../PairTable.ts"
import type { TokenRanges } from "../TokenIds.ts"
import type { InvalidComponent } from "../TokenizerJson.ts"
import type { TokenTable } from "./Vocabulary.ts"

const SPACE = 0x20
const HASH = 0x23

/** Merges in tables. */
export interface MergeTable {
  /** Ranks by pair of tokens. */
  readonly ranks: PairTable.PairTable
  /** By rank: the tokens of the pair, and the token that they become. */
  readonly left: Int32Array
  readonly right: Int32Array
  readonly ids: Int32Array
}

/** Checks merges. `prefix` is the number of UTF-16 units that the right token loses when it is joined to the left one. */
export const read = (
  merges: ReadonlyArray<unknown>,
  table: TokenTable,
  { longest, prefix }: { readonly longest: number; readonly prefix: number }
): Either.Either<MergeTable, InvalidComponent> => {
  const ranks = PairTable.makeFiltered(merges.length)
  const left = new Int32Array(merges.length)
  const right = new Int32Array(merges.length)
  const ids = new Int32Array(merges.length)
  const units = new Uint16Array(2 * longest + 1)

  const needs = (rank: number, token: string) =>
    invalid(rank, `needs the token ${JSON.stringify(token)}, which is not in model.vocab.`)

  let rank = 0
  let joined = -1
  for (let i = 0; i < merges.length; i++) {
    const merge = merges[i]
    let middle = 0
    let end = 0
    if (typeof merge === "string") {
      // The first line of a merges.txt.
      if (merge.charCodeAt(0) === HASH && merge.startsWith("#version")) continue
      if (merge.length > units.length) {
        const [first = "", second = ""] = merge.split(" ")
        return needs(i, first.length > longest ? first : second)
      }
      let spaces = 0
      for (let at = 0; at < merge.length; at++) {
        const unit = merge.charCodeAt(at)
        if (unit === SPACE) {
          spaces++
          middle = end
        } else units[end++] = unit
      }
      if (spaces !== 1) return invalid(i, `is ${JSON.stringify(merge)}, not a pair of tokens.`)
    } else {
      const [first, second, ...rest]: ReadonlyArray<unknown> = Array.isArray(merge) ? merge : []
      if (typeof first !== "string" || typeof second !== "string" || rest.length > 0) {
        return invalid(i, `is ${JSON.stringify(merge)}, not a pair of tokens.`)
      }
      if (first.length > longest) return needs(i, first)
      if (second.length > longest) return needs(i, second)
      for (let at = 0; at < first.length; at++) units[end++] = first.charCodeAt(at)
      middle = end
      for (let at = 0; at < second.length; at++) units[end++] = second.charCodeAt(at)
    }
    const a = table.find(units, 0, middle)
    if (a < 0) return needs(i, written(units, 0, middle))
    const b = table.find(units, middle, end)
    if (b < 0) return needs(i, written(units, middle, end))
    if (prefix > 0) {
      units.copyWithin(middle, middle + prefix, end)
      end = Math.max(middle, end - prefix)
    }
    // Merges are nearly always in the order of the tokens that they make.
    if (!table.has(joined, units, 0, end)) {
      joined = table.has(joined + 1, units, 0, end) ? joined + 1 : table.find(units, 0, end)
      if (joined < 0) return needs(i, written(units, 0, end))
    }
    ranks.set(a, b, rank)
    left[rank] = a
    right[rank] = b
    ids[rank] = joined
    rank++
  }
  return Either.right({
    ranks,
    left: left.subarray(0, rank),
    right: right.subarray(0, rank),
    ids: ids.subarray(0, rank)
  })
}

const invalid = (index: number, details: string) => Either.left({ key: `model.merges[${index}]`, details })

const written = (units: Uint16Array, start: number, end: number) => {
  let text = ""
  for (let i = start; i < end; i++) text += String.fromCharCode(units[i]!)
  return text
}

/** Words of up to this many symbols are searched for the best pair after each merge. */
const SEARCHED = 128
/** The rank of a pair that has no merge. */
const NONE = 0x7fffffff
/** Ranks and places share one number in the heap: the place is below 2^31. */
const PLACES = 2 ** 31

/** Merges `symbols`, which it changes, and appends the tokens to `output`. */
export type Merger = (symbols: TokenRanges, output: TokenRanges) => void

/**
 * Applies merges: the adjacent pair of the lowest rank is joined first, and among equal ranks the leftmost pair. Symbols are a
 * linked list. A short word is searched for its best pair after each merge; a long word takes pairs from a heap, so that n symbols
 * cost n log n.
 */
export const makeMerger = (merges: MergeTable, searched = SEARCHED): Merger => {
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

/** The same with the pairs in a heap. A pair that changed since it was pushed is dropped when it is taken. */
const mergeByHeap = (symbols: Int32Array, length: number, next: Int32Array, { ids, ranks }: MergeTable) => {
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
    // A symbol that was joined to the one before it has the id −2, so its pair has no merge.
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

const BITS = 20
const UNCERTAIN = 0
const CHARACTER = 1
const BYTES = 2

/** What split points depend on. */
export interface SplitPointRules {
  readonly merges: MergeTable
  readonly tokens: ReadonlyArray<string | undefined>
  /** Ids of the characters of the basic plane by code point, −1 for those that are not tokens. */
  readonly characters: Int32Array
  /** Ids of the 256 bytes, −1 for missing ones; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined
}

const hashOf = (left: number, right: number) => Math.imul((left << 16) | right, 0x9e3779b1) >>> (32 - BITS)

/** The end of the first piece of `text[start, end)`. */
export type SplitPoint = (text: string, start: number, end: number) => number

/**
 * Where a word can be split before its characters are merged, so that a long text without pre-tokenizer becomes short pieces.
 *
 * Let x and y be adjacent characters that are both tokens. A merge of tokens l and r joins x and y only if x is the last
 * character of l and y the first of r: every symbol on the way is such a character or was merged from symbols, so its written
 * form is the text that it represents. If no merge has that form, x and y are never in one token. Then the merges on the left
 * are made in the same order whatever is on the right, and the other way round: the best pair of each side is chosen by rank and
 * place among the pairs of that side, which nothing on the other side changes. So splitting between x and y keeps all tokens.
 *
 * The written form of the unknown token and of byte tokens (`<0x0A>`) is not the text that they represent. Nothing is split next
 * to the unknown token. When no merge names a byte token, byte tokens are never joined to anything, and characters that become
 * byte tokens can be split on both sides, provided that all 256 exist, so that no character is unknown.
 *
 * Pairs of characters are stored by their UTF-16 units in a bit set under a hash. A collision prevents a split, which does no
 * harm. Nothing is split next to surrogates.
 */
export const makeSplitPoint = ({ byteIds, characters, merges, tokens }: SplitPointRules): SplitPoint => {
  const joined = new Uint8Array(1 << (BITS - 3))
  const bytes = new Set(byteIds?.every((id) => id >= 0) === true ? byteIds : [])
  let bytesNeverMerge = bytes.size === 256
  for (let rank = 0; rank < merges.ids.length; rank++) {
    const left = tokens[merges.left[rank]!]!
    const right = tokens[merges.right[rank]!]!
    const hash = hashOf(left.charCodeAt(left.length - 1), right.charCodeAt(0))
    joined[hash >> 3]! |= 1 << (hash & 7)
    if (bytesNeverMerge && (bytes.has(merges.left[rank]!) || bytes.has(merges.right[rank]!))) bytesNeverMerge = false
  }
  const kinds = Uint8Array.from(characters, (id, unit) =>
    unit >= 0xd800 && unit < 0xe000 ? UNCERTAIN : id >= 0 ? CHARACTER : bytesNeverMerge ? BYTES : UNCERTAIN
  )

  return (text, start, end) => {
    let left = text.charCodeAt(start)
    for (let at = start + 1; at < end; at++) {
      const right = text.charCodeAt(at)
      const kind = kinds[left]! * kinds[right]!
      if (kind !== UNCERTAIN) {
        if (kind !== CHARACTER) return at
        const hash = hashOf(left, right)
        if ((joined[hash >> 3]! & (1 << (hash & 7))) === 0) return at
      }
      left = right
    }
    return end
  }
}
