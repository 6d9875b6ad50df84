/**
 * Token ids as they are found: an Int32Array that grows.
 *
 * Mutable on purpose, and never shared: the innermost loops of encoding append to it.
 */
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

  /** The ids so far, in memory of their own. */
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
