/**
 * Counts words by their content: a hash table over the UTF-16 units of ranges of texts, which makes no strings.
 *
 * A Map of strings holds at most 2^24 entries, and every slice of a text that it keeps keeps the text alive.
 */
import type { Words } from "./Words.ts"

export class WordTable {
  /** Distinct words. */
  size = 0
  /** UTF-16 units of the distinct words together. */
  used = 0
  private units = new Uint16Array(1 << 14)
  private starts = new Int32Array(1 << 11)
  private counts = new Float64Array(1 << 11)
  private hashes = new Int32Array(1 << 11)
  /** Word + 1 by hash, 0 for none. */
  private slots = new Int32Array(1 << 12)

  /** Counts the word `text[start, end)` once. */
  add(text: string, start: number, end: number): void {
    let hash = 0
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x9e3779b1)
    hash ^= hash >>> 15
    const { hashes, slots, starts, units } = this
    const mask = slots.length - 1
    const length = end - start
    let slot = hash & mask
    for (;;) {
      const word = slots[slot]! - 1
      if (word < 0) break
      if (hashes[word] === hash) {
        const from = starts[word]!
        if (starts[word + 1]! - from === length) {
          let same = 0
          while (same < length && units[from + same] === text.charCodeAt(start + same)) same++
          if (same === length) {
            this.counts[word]!++
            return
          }
        }
      }
      slot = (slot + 1) & mask
    }
    this.insert(text, start, end, hash, slot)
  }

  /** What was counted; the table must not be used after it. */
  words(): Words {
    return {
      units: this.units.subarray(0, this.used),
      starts: this.starts.subarray(0, this.size + 1),
      counts: this.counts.subarray(0, this.size)
    }
  }

  private insert(text: string, start: number, end: number, hash: number, slot: number): void {
    const length = end - start
    if (this.used + length > this.units.length) {
      const larger = new Uint16Array(Math.max(2 * this.units.length, this.used + length))
      larger.set(this.units)
      this.units = larger
    }
    if (this.size + 2 > this.starts.length) {
      this.starts = doubled(this.starts, new Int32Array(2 * this.starts.length))
      this.hashes = doubled(this.hashes, new Int32Array(2 * this.hashes.length))
      this.counts = doubled(this.counts, new Float64Array(2 * this.counts.length))
    }
    for (let i = 0; i < length; i++) this.units[this.used + i] = text.charCodeAt(start + i)
    this.used += length
    this.counts[this.size] = 1
    this.hashes[this.size] = hash
    this.size++
    this.starts[this.size] = this.used
    this.slots[slot] = this.size
    if (2 * this.size > this.slots.length) this.rehash()
  }

  private rehash(): void {
    const slots = new Int32Array(2 * this.slots.length)
    const mask = slots.length - 1
    for (let word = 0; word < this.size; word++) {
      let slot = this.hashes[word]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = word + 1
    }
    this.slots = slots
  }
}

const doubled = <A extends Int32Array | Float64Array>(from: A, to: A): A => {
  to.set(from)
  return to
}
