/**
 * Ids of tokens by their UTF-16 units: a hash table over one array of units, asked without making a string.
 *
 * Merges name some hundred thousand pairs of tokens; with a Map, cutting and joining their strings costs more than reading
 * the file.
 */
const OFFSET = 0x811c9dc5
const PRIME = 0x01000193

export class TokenTable {
  private readonly units: Uint16Array
  /** Token i has the units [starts[i], starts[i + 1]). */
  private readonly starts: Int32Array
  /** Pairs of a hash and an id + 1, 0 for none. */
  private readonly slots: Int32Array
  private readonly mask: number

  constructor(tokens: ReadonlyArray<string | undefined>) {
    let total = 0
    for (const token of tokens) total += token?.length ?? 0
    let capacity = 16
    while (capacity < 2 * tokens.length) capacity *= 2
    const units = new Uint16Array(total)
    const starts = new Int32Array(tokens.length + 1)
    const slots = new Int32Array(2 * capacity)
    const mask = capacity - 1
    let at = 0
    for (let id = 0; id < tokens.length; id++) {
      const token = tokens[id]
      if (token !== undefined) {
        let hash = OFFSET
        for (let i = 0; i < token.length; i++) {
          const unit = token.charCodeAt(i)
          units[at++] = unit
          hash = Math.imul(hash ^ unit, PRIME)
        }
        hash ^= hash >>> 15
        let slot = hash & mask
        while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
        slots[2 * slot] = hash
        slots[2 * slot + 1] = id + 1
      }
      starts[id + 1] = at
    }
    this.units = units
    this.starts = starts
    this.slots = slots
    this.mask = mask
  }

  /** The id of the token `text[start, end)`, or −1. */
  find(text: Uint16Array, start: number, end: number): number {
    const { mask, slots } = this
    let hash = OFFSET
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ text[i]!, PRIME)
    hash ^= hash >>> 15
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = slots[2 * slot + 1]! - 1
      if (id < 0) return -1
      if (slots[2 * slot] === hash && this.has(id, text, start, end)) return id
    }
  }

  /** Whether token `id` is `text[start, end)`. */
  has(id: number, text: Uint16Array, start: number, end: number): boolean {
    const { starts, units } = this
    if (id < 0 || id + 1 >= starts.length) return false
    const from = starts[id]!
    if (starts[id + 1]! - from !== end - start) return false
    for (let i = start; i < end; i++) if (units[from + i - start] !== text[i]) return false
    return true
  }
}
