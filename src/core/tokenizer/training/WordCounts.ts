/**
 * Words and their counts: all that training keeps of a text.
 *
 * The words are stored one after another in one array of UTF-16 units. They are in the order in which they were first seen,
 * unless a function says "sorted"; sorted means the order of code points, as in UTF-8.
 */
import { sortIndexes } from "../../EventLoop.ts"

/** Distinct words with their counts. Word i is `units[starts[i], starts[i + 1])`, seen `counts[i]` times. */
export interface WordCounts {
  readonly units: Uint16Array
  readonly starts: Int32Array
  readonly counts: Float64Array
}

/** Number of distinct words. */
export const size = (words: WordCounts): number => words.counts.length

export const wordAt = ({ starts, units }: WordCounts, word: number): string =>
  textOf(units.subarray(starts[word]!, starts[word + 1]!))

/** The string of any number of units. */
export const textOf = (units: Uint16Array): string => {
  let text = ""
  for (let at = 0; at < units.length; at += 4096) text += String.fromCharCode(...units.subarray(at, at + 4096))
  return text
}

/** Compares two ranges of units by code points: < 0, 0 or > 0. */
export const compare = (a: Uint16Array, aFrom: number, aTo: number, b: Uint16Array, bFrom: number, bTo: number) => {
  const length = Math.min(aTo - aFrom, bTo - bFrom)
  for (let i = 0; i < length; i++) {
    const x = a[aFrom + i]!
    const y = b[bFrom + i]!
    if (x !== y) return rank(x) - rank(y)
  }
  return aTo - aFrom - (bTo - bFrom)
}

/** Surrogates sort after all other units, because they encode code points above U+FFFF. */
const rank = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** The words sorted, for EventLoop.run. */
export const sorted = function* (words: WordCounts): Generator<undefined, WordCounts, void> {
  const { starts, units } = words
  const order = yield* sortIndexes(size(words), (a, b) =>
    compare(units, starts[a]!, starts[a + 1]!, units, starts[b]!, starts[b + 1]!)
  )
  return yield* selecting(words, order)
}

/** Some of the words, in the given order. */
export const select = (words: WordCounts, order: Int32Array): WordCounts => {
  const steps = selecting(words, order)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

const WORDS_PER_YIELD = 1 << 14

const selecting = function* (
  { counts, starts, units }: WordCounts,
  order: Int32Array
): Generator<undefined, WordCounts, void> {
  let total = 0
  for (let i = 0; i < order.length; i++) {
    total += starts[order[i]! + 1]! - starts[order[i]!]!
    if (i % WORDS_PER_YIELD === 0) yield
  }
  const chosen = {
    units: new Uint16Array(total),
    starts: new Int32Array(order.length + 1),
    counts: new Float64Array(order.length)
  }
  let at = 0
  for (let i = 0; i < order.length; i++) {
    const word = order[i]!
    const end = starts[word + 1]!
    // Words are short: a subarray of each would take longer than copying its units.
    for (let unit = starts[word]!; unit < end; unit++) chosen.units[at++] = units[unit]!
    chosen.starts[i + 1] = at
    chosen.counts[i] = counts[word]!
    if (i % WORDS_PER_YIELD === 0) yield
  }
  return chosen
}

/**
 * Counts words by their content: a hash table over the UTF-16 units of ranges of texts, which makes no strings.
 *
 * A Map of strings holds at most 2^24 entries, and each substring that it keeps also keeps the whole text in memory.
 */
export class WordCounter {
  /** Number of distinct words. */
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

  /** The counts so far. The counter must not be used afterwards. */
  words(): WordCounts {
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
