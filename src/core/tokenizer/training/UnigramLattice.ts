/**
 * All ways to write words with pieces: the expected count of each piece, and the most probable way.
 *
 * Source: Kudo 2018, https://arxiv.org/abs/1804.10959 (the forward-backward algorithm and Viterbi's).
 */
import * as PairTable from "../PairTable.ts"
import type { Sequences } from "./SymbolSequences.ts"

/** A string of characters that may become a token. */
export interface Piece {
  /** Ids of its characters. */
  readonly symbols: ReadonlyArray<number>
  /** Logarithm of its probability. */
  readonly score: number
}

/** The generators are for EventLoop.run. */
export interface Lattice {
  /** Expected count of each piece over the words, and the log-likelihood of the words. */
  readonly expect: (
    words: Sequences
  ) => Generator<undefined, { readonly counts: Float64Array; readonly logLikelihood: number }, void>
  /** Count of each piece in the most probable way to write each word. */
  readonly best: (words: Sequences) => Generator<undefined, Float64Array, void>
  /** The most probable way to write a piece with other pieces, and its score. */
  readonly others: (piece: number) => { readonly pieces: ReadonlyArray<number>; readonly score: number }
}

const WORDS_PER_YIELD = 512
const PIECES_PER_YIELD = 1 << 14
/** The logarithm of a probability that changes no sum. */
const NEGLIGIBLE = -50

/** The lattice of some pieces, for EventLoop.run. */
export const make = function* (pieces: ReadonlyArray<Piece>): Generator<undefined, Lattice, void> {
  const children = PairTable.make(pieces.reduce((sum, { symbols }) => sum + symbols.length, 0))
  const values: Array<number> = [-1]
  for (let id = 0; id < pieces.length; id++) {
    if (id % PIECES_PER_YIELD === 0) yield
    let node = 0
    for (const symbol of pieces[id]!.symbols) {
      let next = children.get(node, symbol)
      if (next < 0) {
        next = values.length
        values.push(-1)
        children.set(node, symbol, next)
      }
      node = next
    }
    values[node] = id
  }
  const ids = Int32Array.from(values)
  const scores = Float64Array.from(pieces, ({ score }) => score)

  /** Calls `visit` with the end and the id of each piece that starts at `at` in `symbols[at, to)`. */
  const matches = (symbols: Int32Array, at: number, to: number, visit: (end: number, id: number) => void) => {
    let node = 0
    for (let end = at; end < to; ) {
      node = children.get(node, symbols[end]!)
      if (node < 0) return
      end++
      const id = ids[node]!
      if (id >= 0) visit(end, id)
    }
  }

  let forward = new Float64Array(64)
  let backward = new Float64Array(64)
  let before = new Int32Array(64)
  const reserve = (length: number) => {
    if (length < forward.length) return
    forward = new Float64Array(2 * length)
    backward = new Float64Array(2 * length)
    before = new Int32Array(2 * length)
  }

  let edgeStarts = new Int32Array(256)
  let edgeEnds = new Int32Array(256)
  let edgeIds = new Int32Array(256)
  const growEdges = () => {
    const double = (from: Int32Array) => {
      const larger = new Int32Array(2 * from.length)
      larger.set(from)
      return larger
    }
    edgeStarts = double(edgeStarts)
    edgeEnds = double(edgeEnds)
    edgeIds = double(edgeIds)
  }

  /** Fills `forward` with the best score up to each place and `before` with its last piece, without the piece `except`. */
  const viterbi = (symbols: Int32Array, from: number, to: number, except: number) => {
    const length = to - from
    reserve(length + 1)
    forward.fill(Number.NEGATIVE_INFINITY, 0, length + 1)
    forward[0] = 0
    for (let at = 0; at < length; at++) {
      matches(symbols, from + at, to, (end, id) => {
        if (id === except) return
        const score = forward[at]! + scores[id]!
        if (score > forward[end - from]!) {
          forward[end - from] = score
          before[end - from] = id
        }
      })
    }
  }

  return {
    *expect({ counts, ids: symbols, starts }) {
      const expected = new Float64Array(pieces.length)
      let logLikelihood = 0
      for (let word = 0; word < counts.length; word++) {
        const from = starts[word]!
        const to = starts[word + 1]!
        const length = to - from
        reserve(length + 1)
        forward.fill(Number.NEGATIVE_INFINITY, 0, length + 1)
        backward.fill(Number.NEGATIVE_INFINITY, 0, length + 1)
        forward[0] = 0
        backward[length] = 0
        let edges = 0
        for (let at = 0; at < length; at++) {
          const here = forward[at]!
          let node = 0
          for (let end = at; end < length; ) {
            node = children.get(node, symbols[from + end]!)
            if (node < 0) break
            end++
            const id = ids[node]!
            if (id < 0) continue
            if (edges === edgeIds.length) growEdges()
            edgeStarts[edges] = at
            edgeEnds[edges] = end
            edgeIds[edges++] = id
            forward[end] = logAdd(forward[end]!, here + scores[id]!)
          }
        }
        const total = forward[length]!
        const count = counts[word]!
        logLikelihood += count * total
        // Edges are in the order of their starts, so that going backwards every end is done before it is needed.
        for (let edge = edges - 1; edge >= 0; edge--) {
          const at = edgeStarts[edge]!
          const id = edgeIds[edge]!
          const rest = scores[id]! + backward[edgeEnds[edge]!]!
          backward[at] = logAdd(backward[at]!, rest)
          const share = forward[at]! + rest - total
          if (share > NEGLIGIBLE) expected[id]! += count * Math.exp(share)
        }
        if (word % WORDS_PER_YIELD === 0) yield
      }
      return { counts: expected, logLikelihood }
    },
    *best({ counts, ids: symbols, starts }) {
      const found = new Float64Array(pieces.length)
      for (let word = 0; word < counts.length; word++) {
        const from = starts[word]!
        viterbi(symbols, from, starts[word + 1]!, -1)
        for (let at = starts[word + 1]! - from; at > 0; ) {
          const id = before[at]!
          found[id]! += counts[word]!
          at -= pieces[id]!.symbols.length
        }
        if (word % WORDS_PER_YIELD === 0) yield
      }
      return found
    },
    others: (piece) => {
      const symbols = Int32Array.from(pieces[piece]!.symbols)
      viterbi(symbols, 0, symbols.length, piece)
      const score = forward[symbols.length]!
      if (score === Number.NEGATIVE_INFINITY) return { pieces: [], score }
      const path: Array<number> = []
      for (let at = symbols.length; at > 0; at -= pieces[path.at(-1)!]!.symbols.length) path.push(before[at]!)
      return { pieces: path, score }
    }
  }
}

/** log(exp(a) + exp(b)) */
const logAdd = (a: number, b: number): number => {
  if (a === Number.NEGATIVE_INFINITY) return b
  const [least, most] = a < b ? [a, b] : [b, a]
  return least - most < NEGLIGIBLE ? most : most + Math.log1p(Math.exp(least - most))
}
