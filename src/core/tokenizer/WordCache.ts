/**
 * What was found out about words, by their content: a hash table that never makes a string.
 *
 * A word is looked up by the UTF-16 units of a range of a text, two packed into one integer. Keys and values lie behind one
 * another in one array of integers, so a hit costs one pass over the word and one over its record. Long words are not kept,
 * and when the memory is used up the cache starts afresh: texts use few words often, and those come back at once.
 */
import type { TokenIds } from "./TokenIds.ts"

/** Words up to this many UTF-16 units are kept. */
const LONGEST = 64
/** Slots at the start, and integers of records at most (4 MiB; then there are fewer than 2^20 slots, another 8 MiB). */
const SLOTS = 1 << 10
const MOST_RECORDS = 1 << 20
/** A record is its value's length and its key's length in one integer, the key, the value. */
const KEY_BITS = 7
const KEY_MASK = (1 << KEY_BITS) - 1

export class WordCache {
  /** Pairs of a hash and the place of its record, 0 for none. */
  private slots = new Int32Array(2 * SLOTS)
  private mask = SLOTS - 1
  private words = 0
  private records = new Int32Array(8 * SLOTS)
  private used = 1
  /** The key, its hash, its length in units and its free slot, of the last `find` that found nothing. */
  private readonly key = new Int32Array(LONGEST / 2)
  private hash = 0
  private units = 0
  private slot = 0

  /** The record of the word `text[start, end)`: > 0 for `append`, 0 when it is not known and `add` may follow, else −1. */
  find(text: string, start: number, end: number): number {
    const units = end - start
    if (units > LONGEST) return -1
    const { key, mask, records, slots } = this
    let hash = units
    let length = 0
    let i = start
    for (; i + 1 < end; i += 2) {
      const two = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
      key[length++] = two
      hash = Math.imul(hash ^ two, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    if (i < end) {
      const one = text.charCodeAt(i)
      key[length++] = one
      hash = Math.imul(hash ^ one, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    let slot = hash & mask
    for (;;) {
      const record = slots[2 * slot + 1]!
      if (record === 0) {
        this.hash = hash
        this.units = units
        this.slot = slot
        return 0
      }
      if (slots[2 * slot] === hash && (records[record]! & KEY_MASK) === units) {
        let same = 0
        while (same < length && records[record + 1 + same] === key[same]) same++
        if (same === length) return record
      }
      slot = (slot + 1) & mask
    }
  }

  /** Appends the value of a record. */
  append(record: number, output: TokenIds): void {
    const { records } = this
    const head = records[record]!
    const from = record + 1 + (((head & KEY_MASK) + 1) >> 1)
    const count = head >> KEY_BITS
    // Most words are one token.
    if (count === 1) output.push(records[from]!)
    else output.append(records, from, from + count)
  }

  /** Keeps `value[from, to)` for the word that `find` has just answered 0 for. */
  add(value: Int32Array, from: number, to: number): void {
    const keyLength = (this.units + 1) >> 1
    const size = 1 + keyLength + to - from
    if (this.used + size > MOST_RECORDS) {
      if (size >= MOST_RECORDS) return
      this.slots.fill(0)
      this.words = 0
      this.used = 1
      this.slot = this.hash & this.mask
    }
    if (this.used + size > this.records.length) {
      const larger = new Int32Array(Math.min(MOST_RECORDS, Math.max(2 * this.records.length, this.used + size)))
      larger.set(this.records.subarray(0, this.used))
      this.records = larger
    }
    const { key, records, used } = this
    records[used] = ((to - from) << KEY_BITS) | this.units
    for (let i = 0; i < keyLength; i++) records[used + 1 + i] = key[i]!
    for (let i = from, at = used + 1 + keyLength; i < to; i++, at++) records[at] = value[i]!
    this.slots[2 * this.slot] = this.hash
    this.slots[2 * this.slot + 1] = used
    this.used += size
    this.words++
    if (2 * this.words > this.mask) this.grow()
  }

  private grow(): void {
    const old = this.slots
    const slots = new Int32Array(2 * old.length)
    const mask = slots.length / 2 - 1
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue
      let slot = old[i]! & mask
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
      slots[2 * slot] = old[i]!
      slots[2 * slot + 1] = old[i + 1]!
    }
    this.slots = slots
    this.mask = mask
  }
}
