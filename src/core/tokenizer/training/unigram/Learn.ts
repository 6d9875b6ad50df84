/**
 * Learns the pieces of a Unigram model: from many seeds, estimates probabilities by expectation and maximisation, drops the
 * pieces that the likelihood misses least, and so on down to the size wanted.
 *
 * The way down does not depend on the size: each step keeps three quarters, and a size branches off where the next step
 * would go below 1.1 times of it. So several sizes are learnt on one way, each as if it were alone.
 * Source: SentencePiece 0.1.97, unigram_model_trainer.cc; Kudo 2018, https://arxiv.org/abs/1804.10959
 */

import { sortIndexes } from "../Sort.ts"
import type { Corpus } from "./Corpus.ts"
import * as Lattice from "./Lattice.ts"
import { compare, type Options, type Piece, seeds } from "./Seeds.ts"

export interface Learnt {
  /** Pieces by size asked for, the most probable first; every character of the corpus is one. */
  readonly bySize: ReadonlyMap<number, ReadonlyArray<Piece>>
  /** The most pieces that this corpus gives. Sizes above it are missing in `bySize`. */
  readonly largest: number
}

const SHRINKING = 0.75
const SURPLUS = 1.1
/** A piece that is expected less often does not help. */
const LEAST_EXPECTED = 0.5
const ROUNDS = 2

/** Yields how many pieces there still are. */
export const learn = function* (
  corpus: Corpus,
  sizes: ReadonlyArray<number>,
  options: Options
): Generator<number, Learnt, void> {
  const characters = corpus.alphabet.length
  let pieces: ReadonlyArray<Piece> = yield* counting(seeds(corpus, options), characters)
  for (let round = 0; round < ROUNDS; round++) pieces = yield* maximise(pieces, corpus, true)
  const largest = pieces.length
  const bySize = new Map<number, ReadonlyArray<Piece>>()
  let open = sizes.filter((size) => size <= largest)
  while (open.length > 0) {
    const next = Math.floor(pieces.length * SHRINKING)
    const branching = open.filter((size) => Math.floor(size * SURPLUS) > next)
    for (const size of branching) {
      const wanted = Math.floor(size * SURPLUS)
      let branch = pieces
      if (wanted < pieces.length) {
        branch = yield* prune(pieces, corpus, wanted)
        for (let round = 0; round < ROUNDS; round++) branch = yield* maximise(branch, corpus, false)
      }
      bySize.set(size, finish(branch, characters, size))
    }
    open = open.filter((size) => !branching.includes(size))
    if (open.length === 0) break
    pieces = yield* prune(pieces, corpus, next)
    for (let round = 0; round < ROUNDS; round++) pieces = yield* maximise(pieces, corpus, false)
  }
  return { bySize, largest }
}

/** One round of expectation and maximisation. Characters stay whatever is expected of them. */
const maximise = function* (
  pieces: ReadonlyArray<Piece>,
  corpus: Corpus,
  drop: boolean
): Generator<number, ReadonlyArray<Piece>, void> {
  const lattice = yield* counting(Lattice.make(pieces), pieces.length)
  const { counts } = yield* counting(lattice.expect(corpus), pieces.length)
  const kept: Array<{ readonly symbols: ReadonlyArray<number>; readonly expected: number }> = []
  pieces.forEach(({ symbols }, id) => {
    if (drop && symbols.length > 1 && counts[id]! < LEAST_EXPECTED) return
    kept.push({ symbols, expected: Math.max(counts[id]!, LEAST_EXPECTED) })
  })
  // Digamma instead of the logarithm makes rare pieces rarer: the mean under a Dirichlet process.
  const total = digamma(kept.reduce((sum, { expected }) => sum + expected, 0))
  return kept.map(({ expected, symbols }) => ({ symbols, score: digamma(expected) - total }))
}

/** The pieces without which the likelihood would fall most, and all characters: `wanted` of them. */
const prune = function* (
  pieces: ReadonlyArray<Piece>,
  corpus: Corpus,
  wanted: number
): Generator<number, ReadonlyArray<Piece>, void> {
  const lattice = yield* counting(Lattice.make(pieces), pieces.length)
  const counts = yield* counting(lattice.best(corpus), pieces.length)
  const sum = counts.reduce((total, count) => total + count, 0)
  const logSum = Math.log(sum)
  const losses: Array<{ readonly id: number; readonly loss: number }> = []
  for (let id = 0; id < pieces.length; id++) {
    if (id % 512 === 0) yield pieces.length
    const piece = pieces[id]!
    if (piece.symbols.length === 1) continue
    const count = counts[id]!
    const { pieces: others, score } = lattice.others(id)
    // Nobody writes it, or it is better written with others: it goes first, the least probable before the others.
    if (count === 0 || score > piece.score) {
      losses.push({ id, loss: piece.score - 1e9 })
      continue
    }
    // Without it its count would go to the others.
    const logSumOthers = Math.log(sum + count * (others.length - 1))
    const logOthers = others.reduce((total, other) => total + Math.log(counts[other]! + count) - logSumOthers, 0)
    losses.push({ id, loss: count * (Math.log(count) - logSum - logOthers) })
  }
  // Losses lie in the order of ids, which equal ones keep.
  const order = yield* counting(
    sortIndexes(losses.length, (a, b) => losses[b]!.loss - losses[a]!.loss),
    pieces.length
  )
  const best = order.subarray(0, Math.max(0, wanted - corpus.alphabet.length))
  const kept = new Set(Array.from(best, (index) => losses[index]!.id))
  return pieces.filter((piece, id) => piece.symbols.length === 1 || kept.has(id))
}

/** All characters and the most probable of the other pieces, `size` together, the most probable first. */
const finish = (pieces: ReadonlyArray<Piece>, characters: number, size: number): ReadonlyArray<Piece> => {
  const byScore = (a: Piece, b: Piece) => b.score - a.score || compare(a.symbols, b.symbols)
  const long = pieces.filter(({ symbols }) => symbols.length > 1).sort(byScore)
  const single = pieces.filter(({ symbols }) => symbols.length === 1)
  return [...single, ...long.slice(0, Math.max(0, size - characters))].sort(byScore)
}

/** Yields a number instead of nothing. */
const counting = function* <A>(steps: Generator<undefined, A, void>, size: number): Generator<number, A, void> {
  for (let next = steps.next(); ; next = steps.next()) {
    if (next.done === true) return next.value
    yield size
  }
}

/** The logarithmic derivative of the gamma function, for x > 0. Source: Abramowitz and Stegun, 6.3.18. */
export const digamma = (value: number): number => {
  let x = value
  let result = 0
  for (; x < 7; x++) result -= 1 / x
  x -= 0.5
  const square = 1 / (x * x)
  return (
    result +
    Math.log(x) +
    square / 24 -
    (7 / 960) * square ** 2 +
    (31 / 8064) * square ** 3 -
    (127 / 30720) * square ** 4
  )
}
