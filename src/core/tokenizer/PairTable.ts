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

const EMPTY = -1

const slotOf = (left: number, right: number, mask: number) => {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right + 0x7f4a7c15, 0x85ebca77)
  return (hash ^ (hash >>> 15)) & mask
}

/** An empty table with room for some `expected` pairs; it grows as needed. */
export const make = (expected: number): PairTable => {
  let capacity = 16
  while (capacity < expected * 2) capacity *= 2
  let entries = new Int32Array(capacity * 3).fill(EMPTY)
  let size = 0

  /** The place of the pair's entry, or of the empty entry where it belongs. */
  const find = (left: number, right: number) => {
    let slot = slotOf(left, right, capacity - 1)
    for (;;) {
      const at = slot * 3
      const found = entries[at]
      if (found === EMPTY || (found === left && entries[at + 1] === right)) return at
      slot = (slot + 1) & (capacity - 1)
    }
  }

  const grow = () => {
    const old = entries
    capacity *= 2
    entries = new Int32Array(capacity * 3).fill(EMPTY)
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] !== EMPTY) entries.set(old.subarray(at, at + 3), find(old[at]!, old[at + 1]!))
    }
  }

  return {
    get: (left, right) => {
      const at = find(left, right)
      return entries[at] === EMPTY ? EMPTY : entries[at + 2]!
    },
    set: (left, right, value) => {
      if (size * 2 >= capacity) grow()
      const at = find(left, right)
      if (entries[at] === EMPTY) size++
      entries[at] = left
      entries[at + 1] = right
      entries[at + 2] = value
    }
  }
}
