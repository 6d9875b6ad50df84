/**
 * Vocabularies: the `vocab` object of a model, checked, and tables that find ids by UTF-16 units without allocating strings: a
 * hash table of whole tokens, and a trie of their beginnings.
 */
import * as Either from "effect/Either"
import * as PairTable from "../PairTable.ts"
import type { InvalidComponent } from "../TokenizerJson.ts"

/** Which token has which id. */
export interface Vocabulary {
  /** Tokens by id; undefined where there is none. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly idOf: (token: string) => number | undefined
  /** UTF-16 units of the longest token. */
  readonly longest: number
}

/**
 * Checks the `vocab` of a model. Real files have unused ids (those of added tokens) and ids in any order. But an id far beyond the
 * number of tokens would make every table of the vocabulary as large, and two tokens of one id could not be distinguished.
 */
export const read = (vocab: { readonly [token: string]: unknown }): Either.Either<Vocabulary, InvalidComponent> => {
  const names = Object.keys(vocab)
  const limit = 4 * names.length + 65_536
  const tokens = new Array<string | undefined>(names.length).fill(undefined)
  let longest = 0
  for (const token of names) {
    const id = vocab[token]
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
      return problem(token, `is ${JSON.stringify(id)}, not an id.`)
    }
    if (id >= limit) return problem(token, `is ${id}, which is far beyond the number of tokens, ${names.length}.`)
    while (tokens.length <= id) tokens.push(undefined)
    const owner = tokens[id]
    if (owner !== undefined) return problem(token, `is ${id}, which is also the id of ${JSON.stringify(owner)}.`)
    tokens[id] = token
    if (token.length > longest) longest = token.length
  }
  return Either.right({
    tokens,
    longest,
    idOf: (token) => {
      const id = Object.hasOwn(vocab, token) ? vocab[token] : undefined
      return typeof id === "number" ? id : undefined
    }
  })
}

const problem = (token: string, details: string) =>
  Either.left({ key: `model.vocab[${JSON.stringify(token)}]`, details })

/** The id of the token that a model names for unknown text. */
export const unknownToken = ({ idOf }: Vocabulary, token: string): Either.Either<number, InvalidComponent> => {
  const id = idOf(token)
  return id === undefined
    ? Either.left({ key: "model.unk_token", details: `is ${JSON.stringify(token)}, which is not in model.vocab.` })
    : Either.right(id)
}

const OFFSET = 0x811c9dc5
const PRIME = 0x01000193

/**
 * Ids by token: a hash table over one array of UTF-16 units. Merges name several hundred thousand pairs of tokens; with a Map,
 * splitting and joining their strings would take longer than reading the file.
 */
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

/**
 * Tokens by their beginnings: a node represents a string, and one UTF-16 unit leads to the next node. Tokens are well-formed, so
 * in well-formed text no match ends inside a character.
 */
export interface Trie {
  /** The node of the string with one more unit, or −1. The node of the empty string is 0. */
  readonly child: (node: number, unit: number) => number
  /** The value of the string of a node, or −1. */
  readonly value: (node: number) => number
  readonly add: (token: string, value: number) => void
  /** The node of a string, or −1. */
  readonly find: (token: string) => number
}

/** An empty trie. */
export const makeTrie = (expectedTokens: number): Trie => {
  const children = PairTable.makeFiltered(3 * expectedTokens)
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
