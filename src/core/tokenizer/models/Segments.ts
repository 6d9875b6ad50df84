/**
 * Tokens of a word, or symbols on the way to tokens: ids and places in columns that grow.
 *
 * Mutable and used again for the next word. Places are UTF-16 units from the start of the word.
 */
const CAPACITY = 256
/** Columns that a long word made larger than this are not kept. */
const KEPT = 1 << 16

export class Segments {
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

  /** Forgets all; makes room for `expected`. */
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
