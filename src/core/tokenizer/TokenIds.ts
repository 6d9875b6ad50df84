/**
 * Growing arrays of token ids, without and with their ranges in the text.
 *
 * They are mutable and never shared, because the innermost loops of encoding append to them.
 */

/** Token ids: an Int32Array that grows. */
export class TokenIds {
  ids: Int32Array
  length = 0

  constructor(capacity = 16) {
    this.ids = new Int32Array(capacity)
  }

  push(id: number): void {
    if (this.length === this.ids.length) this.reserve(1)
    this.ids[this.length++] = id
  }

  /** Appends `from[start, end)`. */
  append(from: Int32Array, start = 0, end = from.length): void {
    this.reserve(end - start)
    const { ids } = this
    let { length } = this
    for (let i = start; i < end; i++) ids[length++] = from[i]!
    this.length = length
  }

  /** A copy of the ids so far. */
  toArray(): Int32Array {
    return this.ids.slice(0, this.length)
  }

  private reserve(more: number): void {
    if (this.length + more <= this.ids.length) return
    const larger = new Int32Array(Math.max(this.ids.length * 2, this.length + more))
    larger.set(this.ids.subarray(0, this.length))
    this.ids = larger
  }
}

const CAPACITY = 256
/** Columns that grew larger than this for a long word are not kept. */
const KEPT = 1 << 16

/** The tokens of a word, or the symbols that become tokens: ids with UTF-16 ranges that count from the start of the word. */
export class TokenRanges {
  ids = new Int32Array(CAPACITY)
  starts = new Int32Array(CAPACITY)
  ends = new Int32Array(CAPACITY)
  length = 0

  push(id: number, start: number, end: number): void {
    const { length } = this
    if (length === this.ids.length) this.reserve(2 * length)
    this.ids[length] = id
    this.starts[length] = start
    this.ends[length] = end
    this.length = length + 1
  }

  /** Removes all tokens and makes room for `expected`. */
  clear(expected = 0): void {
    this.length = 0
    if (this.ids.length > KEPT && expected <= KEPT) {
      this.ids = new Int32Array(CAPACITY)
      this.starts = new Int32Array(CAPACITY)
      this.ends = new Int32Array(CAPACITY)
    }
    if (expected > this.ids.length) this.reserve(expected)
  }

  private reserve(capacity: number): void {
    const enlarge = (column: Int32Array) => {
      const larger = new Int32Array(capacity)
      larger.set(column.subarray(0, this.length))
      return larger
    }
    this.ids = enlarge(this.ids)
    this.starts = enlarge(this.starts)
    this.ends = enlarge(this.ends)
  }
}
