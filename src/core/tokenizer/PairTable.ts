/**
 * A hash table from a pair of token ids to a whole number ≥ 0, by open addressing with linear probing.
 *
 * Both the trainer (pair → its statistics) and the encoder (pair → its merge) ask this question millions of times; a Map
 * would need one number for the pair, which stops being a small integer at 32,768 tokens. Nothing is ever removed.
 */
export interface PairTable {
  /** The value of a pair, or −1. */
  readonly get: (left: number, right: number) => number
  readonly set: (left: number, right: number, value: number) => void
}

const ABSENT = -1
/** More entries would make searching slower, fewer more memory, and memory is what a lookup waits for. */
const FULLEST = 0.6

const slotOf = (left: number, right: number, mask: number) => {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca77)
  return (hash ^ (hash >>> 15)) & mask
}

/** An empty table with room for some `expected` pairs; it grows as needed. */
export const make = (expected: number): PairTable => {
  let capacity = 16
  while (capacity * FULLEST < expected) capacity *= 2
  // Three integers an entry: left + 1 (0 when the entry is empty, so that a new table needs no filling), right and value.
  let entries = new Int32Array(capacity * 3)
  let size = 0

  /** The place of the pair's entry, or of the empty entry where it belongs. */
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
