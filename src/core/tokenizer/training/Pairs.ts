/**
 * Pairs of neighbouring symbols: how often each stands in the text, and where.
 *
 * Pairs are numbered as they are first seen. Every place of a pair is found in one go, when the younger of its two tokens is
 * made; so places are noted down together with their pairs, and then arranged: each pair gets one stretch of a common array.
 */
import * as PairTable from "../PairTable.ts"
import { TokenIds } from "../TokenIds.ts"

const none = new Int32Array(0)

export class Pairs {
  size = 0
  left = new Int32Array(1 << 12)
  right = new Int32Array(1 << 12)
  count = new Float64Array(1 << 12)
  private readonly table = PairTable.make(1 << 12)
  /** The stretch of each pair in `places`. */
  private from = new Int32Array(1 << 12)
  private length = new Int32Array(1 << 12)
  private places = new Int32Array(1 << 12)
  private used = 0
  /** Places that belong to pairs which may still be merged. */
  private live = 0
  private readonly noted = { pair: new TokenIds(1 << 12), place: new TokenIds(1 << 12) }

  /** The number of a pair, which is new when it was not seen before. */
  find(left: number, right: number): number {
    const pair = this.table.get(left, right)
    if (pair >= 0) return pair
    if (this.size === this.left.length) {
      this.left = doubled(this.left, new Int32Array(2 * this.size))
      this.right = doubled(this.right, new Int32Array(2 * this.size))
      this.from = doubled(this.from, new Int32Array(2 * this.size))
      this.length = doubled(this.length, new Int32Array(2 * this.size))
      this.count = doubled(this.count, new Float64Array(2 * this.size))
    }
    this.left[this.size] = left
    this.right[this.size] = right
    this.table.set(left, right, this.size)
    return this.size++
  }

  /** The pair stands at one place more, in a word seen `weight` times; places of a word come from left to right. */
  add(pair: number, weight: number, place: number): void {
    this.count[pair]! += weight
    this.noted.pair.push(pair)
    this.noted.place.push(place)
  }

  remove(left: number, right: number, weight: number): void {
    const pair = this.table.get(left, right)
    if (pair >= 0) this.count[pair]! -= weight
  }

  /** Where the pair stood when it was found, for the last time. Good until `arrange`. */
  take(pair: number): Int32Array {
    const length = this.length[pair]!
    this.length[pair] = 0
    this.live -= length
    return length === 0 ? none : this.places.subarray(this.from[pair]!, this.from[pair]! + length)
  }

  /** Gives the places noted since the last time to their pairs, numbers `known` and up; those of rare pairs are forgotten. */
  arrange(known: number, least: number): void {
    const { pair, place } = this.noted
    let total = 0
    for (let i = 0; i < pair.length; i++) {
      const of = pair.ids[i]!
      if (this.count[of]! < least) continue
      this.length[of]!++
      total++
    }
    this.makeRoom(known, total)
    for (let of = known; of < this.size; of++) {
      this.from[of] = this.used
      this.used += this.length[of]!
      this.length[of] = 0
    }
    this.live += total
    const { from, length, places } = this
    for (let i = 0; i < pair.length; i++) {
      const of = pair.ids[i]!
      if (this.count[of]! < least) continue
      places[from[of]! + length[of]!++] = place.ids[i]!
    }
    pair.length = 0
    place.length = 0
  }

  /** Room for places of pairs from number `known` on, where the forgotten ones of earlier pairs are, or in a larger array. */
  private makeRoom(known: number, more: number): void {
    if (this.used + more <= this.places.length) return
    const target =
      this.live + more <= this.places.length / 2
        ? this.places
        : new Int32Array(Math.max(2 * this.live + 2 * more, 1 << 12))
    // Stretches lie in the order of their pairs, so that none is overwritten before it has moved.
    let used = 0
    for (let pair = 0; pair < known; pair++) {
      const length = this.length[pair]!
      if (length === 0) continue
      const from = this.from[pair]!
      target.set(this.places.subarray(from, from + length), used)
      this.from[pair] = used
      used += length
    }
    this.places = target
    this.used = used
  }
}

const doubled = <A extends Int32Array | Float64Array>(from: A, to: A): A => {
  to.set(from)
  return to
}
