/**
 * A PairTable behind a filter of some bits a pair.
 *
 * Most pairs that encoding asks about are not in the table: neighbours without a merge, beginnings that no token has. The
 * table of a large vocabulary is past what the processor keeps at hand, so that each such question would wait for the
 * memory; the filter is small and answers nine out of ten.
 */
import * as PairTable from "../PairTable.ts"

/** An empty table with room for `expected` pairs; with many more the filter does not help any longer. */
export const make = (expected: number): PairTable.PairTable => {
  const table = PairTable.make(expected)
  let log = 10
  while (2 ** log < 8 * expected) log++
  const filter = new Int32Array(2 ** (log - 5))
  const shift = 32 - log
  const hashOf = (left: number, right: number) => Math.imul(Math.imul(left, 0x9e3779b1) + right, 0x85ebca77) >>> shift
  return {
    get: (left, right) => {
      const hash = hashOf(left, right)
      return (filter[hash >>> 5]! & (1 << (hash & 31))) === 0 ? -1 : table.get(left, right)
    },
    set: (left, right, value) => {
      const hash = hashOf(left, right)
      filter[hash >>> 5]! |= 1 << (hash & 31)
      table.set(left, right, value)
    }
  }
}
