/**
 * A hash table from a pair of token ids to an integer ≥ 0, by open addressing with linear probing.
 *
 * Trainers (pair → count) and encoders (pair → merge) look up millions of pairs. A Map would need one number as the key of a
 * pair, which is no longer a small integer from 32,768 tokens on. Pairs are never removed.
 */
export interface PairTable {
  /** The value of a pair, or −1. */
  readonly get: (left: number, right: number) => number
  readonly set: (left: number, right: number, value: number) => void
}

const ABSENT = -1
/** A fuller table is slower to search; an emptier one needs more memory, and memory is what a lookup waits for. */
const FULLEST = 0.6

const slotOf = (left: number, right: number, mask: number) => {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca77)
  return (hash ^ (hash >>> 15)) & mask
}

/** An empty table with room for `expected` pairs. It grows when needed. */
export const make = (expected: number): PairTable => {
  let capacity = 16
  while (capacity * FULLEST < expected) capacity *= 2
  // Three integers per entry: left + 1 (0 for an empty entry, so that a new table need not be filled), right and value.
  let entries = new Int32Array(capacity * 3)
  let size = 0

  /** The index of the pair's entry, or of the empty entry where it would be. */
  const find = (left: number, right: number) => {
    let slot = slotOf(left, right, capacity - 1)
    for (;;) {
      const at = slot * 3
      const found = entries[at]! - 1
      if (found < 0 || (found === left && entries[at + 1] === right)) return at
      slot = (slot + 1) & (capacity - 1)
    }
  }

  const grow = () => {
    const old = entries
    capacity *= 2
    entries = new Int32Array(capacity * 3)
    for (let from = 0; from < old.length; from += 3) {
      if (old[from] === 0) continue
      const at = find(old[from]! - 1, old[from + 1]!)
      entries[at] = old[from]!
      entries[at + 1] = old[from + 1]!
      entries[at + 2] = old[from + 2]!
    }
  }

  return {
    get: (left, right) => {
      const at = find(left, right)
      return entries[at] === 0 ? ABSENT : entries[at + 2]!
    },
    set: (left, right, value) => {
      if (size >= capacity * FULLEST) grow()
      const at = find(left, right)
      if (entries[at] === 0) size++
      entries[at] = left + 1
      entries[at + 1] = right
      entries[at + 2] = value
    }
  }
}

/**
 * An empty table behind a filter of a few bits per pair, for `expected` pairs; with many more pairs the filter does not help.
 *
 * Most pairs that encoding looks up are not in the table. A large table does not fit in the processor's cache, so each of these
 * lookups would wait for memory. The filter is small and answers nine out of ten of them.
 */
export const makeFiltered = (expected: number): PairTable => {
  const table = make(expected)
  let log = 10
  while (2 ** log < 8 * expected) log++
  const filter = new Int32Array(2 ** (log - 5))
  const shift = 32 - log
  const hashOf = (left: number, right: number) => Math.imul(Math.imul(left, 0x9e3779b1) + right, 0x85ebca77) >>> shift
  return {
    get: (left, right) => {
      const hash = hashOf(left, right)
      return (filter[hash >>> 5]! & (1 << (hash & 31))) === 0 ? -1 : table.get(left, right)
    },
    set: (left, right, value) => {
      const hash = hashOf(left, right)
      filter[hash >>> 5]! |= 1 << (hash & 31)
      table.set(left, right, value)
    }
  }
}
