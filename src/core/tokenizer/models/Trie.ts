/**
 * Tokens by their beginnings: from a node, which stands for a string, one UTF-16 unit leads to the next node.
 *
 * Tokens are well-formed, so in well-formed text no match ends inside a character.
 */
import * as FilteredPairs from "./FilteredPairs.ts"

export interface Trie {
  /** The node of the empty string is 0. The node after one unit more, or −1. */
  readonly child: (node: number, unit: number) => number
  /** The value of the string that a node stands for, or −1. */
  readonly value: (node: number) => number
  readonly add: (token: string, value: number) => void
  /** The node of a string, or −1. */
  readonly find: (token: string) => number
}

export const make = (expectedTokens: number): Trie => {
  const children = FilteredPairs.make(3 * expectedTokens)
  let values = new Int32Array(4 * expectedTokens + 16).fill(-1)
  let nodes = 1
  const firsts = new Int32Array(1 << 16).fill(-1)

  const child = (node: number, unit: number) => (node === 0 ? firsts[unit]! : children.get(node, unit))
  return {
    child,
    value: (node) => values[node]!,
    add: (token, value) => {
      let node = 0
      for (let i = 0; i < token.length; i++) {
        const unit = token.charCodeAt(i)
        let next = child(node, unit)
        if (next < 0) {
          next = nodes++
          if (node === 0) firsts[unit] = next
          else children.set(node, unit, next)
        }
        node = next
      }
      if (nodes > values.length) {
        const larger = new Int32Array(2 * nodes).fill(-1)
        larger.set(values)
        values = larger
      }
      values[node] = value
    },
    find: (token) => {
      let node = 0
      for (let i = 0; i < token.length && node >= 0; i++) node = child(node, token.charCodeAt(i))
      return node
    }
  }
}
