/**
 * Learns a Unigram model as SentencePiece does: starts from many seed pieces, estimates their probabilities by expectation
 * maximization, drops the pieces whose loss lowers the likelihood least, and repeats until the vocabulary has its size.
 *
 * The ids are: the special tokens, then the pieces, the most probable first. Words are sorted before anything is added up, so
 * that sums do not depend on the order of the documents. The path from large to small does not depend on the size: each step
 * keeps three quarters, and a size branches off where the next step would go below 1.1 times that size. So several sizes are
 * learned on one path, each as if it were learned alone.
 * Source: SentencePiece 0.1.97, unigram_model_trainer.cc; Kudo 2018, https://arxiv.org/abs/1804.10959
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as EventLoop from "../../EventLoop.ts"
import * as SymbolSequences from "./SymbolSequences.ts"
import {
  checkLargest,
  checkLeast,
  distinctWords,
  type LearnedModel,
  type Report,
  type Sizes
} from "./TokenizerTraining.ts"
import { addedTokens } from "./TrainerSettings.ts"
import * as UnigramLattice from "./UnigramLattice.ts"
import * as WordCounts from "./WordCounts.ts"

/** Largest number of seed pieces, as in SentencePiece. */
const SEEDS = 1_000_000

export interface Options {
  /** Words with a lower count are skipped. */
  readonly minFrequency: number
  /** Including the unknown token. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
  readonly limitAlphabet: number | undefined
  /** In characters. */
  readonly maxPieceLength: number
}

export const learn = (all: WordCounts.WordCounts, sizes: Sizes, report: Report, options: Options) =>
  Effect.gen(function* () {
    const { limitAlphabet, maxPieceLength, minFrequency, specialTokens, unknown } = options
    const frequent = Int32Array.from({ length: WordCounts.size(all) }, (_, word) => word).filter(
      (word) => all.counts[word]! >= minFrequency
    )
    const words = yield* EventLoop.run(() => WordCounts.sorted(WordCounts.select(all, frequent)))
    const alphabet = SymbolSequences.alphabet(words, limitAlphabet)
    const { characters } = alphabet
    yield* Effect.forEach(
      sizes,
      (size) =>
        checkLeast(size, [
          { count: specialTokens.length, name: "special token" },
          { count: characters.length, name: "character" }
        ]),
      { discard: true }
    )
    const first = specialTokens.length
    const corpus = { alphabet: characters, ...SymbolSequences.ofCharacters(words, alphabet) }
    // The number of pieces falls: progress is the part of the path from the most pieces to the wanted size that is done.
    const wanted = Math.min(...sizes)
    let most = 0
    const { bySize, largest } = yield* EventLoop.run(
      () =>
        learnPieces(
          corpus,
          sizes.map((size) => size - first),
          { maxPieceLength, seedSize: SEEDS, reserved: new Set(specialTokens) }
        ),
      (left) => {
        most = Math.max(most, left)
        return report(most > wanted ? Math.round((wanted * (most - left)) / (most - wanted)) : 0, wanted)
      }
    )
    yield* report(wanted, wanted)
    yield* checkLargest(
      Math.max(...sizes),
      first + largest,
      `${distinctWords(WordCounts.size(words))} with min_frequency ${minFrequency}`
    )
    return Arr.map(
      sizes,
      (size): LearnedModel => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: {
          type: "Unigram",
          unk_id: specialTokens.indexOf(unknown),
          vocab: [
            ...specialTokens.map((token) => [token, 0]),
            ...bySize
              .get(size - first)!
              .map(({ score, symbols }) => [symbols.map((symbol) => characters[symbol]).join(""), score])
          ],
          byte_fallback: false
        }
      })
    )
  })

/** Words as sequences of characters. */
export interface Corpus extends SymbolSequences.Sequences {
  /** The characters by id. */
  readonly alphabet: ReadonlyArray<string>
}

export interface LearnedPieces {
  /** Pieces by requested size, the most probable first. Every character of the corpus is a piece. */
  readonly bySize: ReadonlyMap<number, ReadonlyArray<UnigramLattice.Piece>>
  /** Largest number of pieces that this corpus gives. Larger sizes are missing in `bySize`. */
  readonly largest: number
}

const SHRINKING = 0.75
const SURPLUS = 1.1
/** A piece with a lower expected count is dropped. */
const LEAST_EXPECTED = 0.5
const ROUNDS = 2

/** Yields the number of pieces that are left, for EventLoop.run. */
export const learnPieces = function* (
  corpus: Corpus,
  sizes: ReadonlyArray<number>,
  options: SeedOptions
): Generator<number, LearnedPieces, void> {
  const characters = corpus.alphabet.length
  let pieces: ReadonlyArray<UnigramLattice.Piece> = yield* counting(seeds(corpus, options), characters)
  for (let round = 0; round < ROUNDS; round++) pieces = yield* maximize(pieces, corpus, true)
  const largest = pieces.length
  const bySize = new Map<number, ReadonlyArray<UnigramLattice.Piece>>()
  let open = sizes.filter((size) => size <= largest)
  while (open.length > 0) {
    const next = Math.floor(pieces.length * SHRINKING)
    const branching = open.filter((size) => Math.floor(size * SURPLUS) > next)
    for (const size of branching) {
      const wanted = Math.floor(size * SURPLUS)
      let branch = pieces
      if (wanted < pieces.length) {
        branch = yield* prune(pieces, corpus, wanted)
        for (let round = 0; round < ROUNDS; round++) branch = yield* maximize(branch, corpus, false)
      }
      bySize.set(size, finish(branch, characters, size))
    }
    open = open.filter((size) => !branching.includes(size))
    if (open.length === 0) break
    pieces = yield* prune(pieces, corpus, next)
    for (let round = 0; round < ROUNDS; round++) pieces = yield* maximize(pieces, corpus, false)
  }
  return { bySize, largest }
}

/** One round of expectation maximization. Characters are kept whatever their expected count is. */
const maximize = function* (
  pieces: ReadonlyArray<UnigramLattice.Piece>,
  corpus: Corpus,
  drop: boolean
): Generator<number, ReadonlyArray<UnigramLattice.Piece>, void> {
  const lattice = yield* counting(UnigramLattice.make(pieces), pieces.length)
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

/** `wanted` pieces: all characters, and the pieces whose loss would lower the likelihood most. */
const prune = function* (
  pieces: ReadonlyArray<UnigramLattice.Piece>,
  corpus: Corpus,
  wanted: number
): Generator<number, ReadonlyArray<UnigramLattice.Piece>, void> {
  const lattice = yield* counting(UnigramLattice.make(pieces), pieces.length)
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
    // It is never used, or is better written with other pieces: such pieces are dropped first, the least probable before others.
    if (count === 0 || score > piece.score) {
      losses.push({ id, loss: piece.score - 1e9 })
      continue
    }
    // If it is dropped, its count goes to the pieces that replace it.
    const logSumOthers = Math.log(sum + count * (others.length - 1))
    const logOthers = others.reduce((total, other) => total + Math.log(counts[other]! + count) - logSumOthers, 0)
    losses.push({ id, loss: count * (Math.log(count) - logSum - logOthers) })
  }
  // Losses are in the order of ids, and equal losses keep that order.
  const order = yield* counting(
    EventLoop.sortIndexes(losses.length, (a, b) => losses[b]!.loss - losses[a]!.loss),
    pieces.length
  )
  const best = order.subarray(0, Math.max(0, wanted - corpus.alphabet.length))
  const kept = new Set(Array.from(best, (index) => losses[index]!.id))
  return pieces.filter((piece, id) => piece.symbols.length === 1 || kept.has(id))
}

/** `size` pieces, the most probable first: all characters, and the most probable of the others. */
const finish = (
  pieces: ReadonlyArray<UnigramLattice.Piece>,
  characters: number,
  size: number
): ReadonlyArray<UnigramLattice.Piece> => {
  const byScore = (a: UnigramLattice.Piece, b: UnigramLattice.Piece) =>
    b.score - a.score || compare(a.symbols, b.symbols)
  const long = pieces.filter(({ symbols }) => symbols.length > 1).sort(byScore)
  const single = pieces.filter(({ symbols }) => symbols.length === 1)
  return [...single, ...long.slice(0, Math.max(0, size - characters))].sort(byScore)
}

/** Yields `size` instead of undefined. */
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

export interface SeedOptions {
  /** Largest number of characters of a piece. */
  readonly maxPieceLength: number
  /** Largest number of seed pieces, without the characters. */
  readonly seedSize: number
  /** Written forms that no piece may have, because other tokens have them. */
  readonly reserved?: ReadonlySet<string>
}

/**
 * The pieces that training starts from, for EventLoop.run: every character in the order of ids, then the strings inside words
 * that occur in at least two places.
 *
 * Strings are found by splitting the places of a string by the character that follows, repeatedly. A string that is always
 * followed by the same character is skipped, because the longer string represents it. The strings with the highest product of
 * length and count are taken. SentencePiece's MakeSeedSentencePieces finds the same strings with a suffix array.
 */
export const seeds = function* (
  corpus: Corpus,
  options: SeedOptions
): Generator<undefined, ReadonlyArray<UnigramLattice.Piece>, void> {
  const { alphabet, counts, ids: symbols, starts } = corpus
  const ends = new Int32Array(symbols.length)
  const weights = new Float64Array(symbols.length)
  for (let word = 0; word < counts.length; word++) {
    ends.fill(starts[word + 1]!, starts[word]!, starts[word + 1]!)
    weights.fill(counts[word]!, starts[word]!, starts[word + 1]!)
  }
  const weightOf = (places: ReadonlyArray<number>) => places.reduce((sum, place) => sum + weights[place]!, 0)

  const characters: Array<Array<number>> = alphabet.map(() => [])
  for (let place = 0; place < symbols.length; place++) characters[symbols[place]!]!.push(place)
  const found: Array<{ readonly at: number; readonly length: number; readonly value: number }> = []
  const open: Array<{ readonly places: ReadonlyArray<number>; readonly length: number }> = characters.map((places) => ({
    places,
    length: 1
  }))
  for (let steps = 0; ; steps++) {
    const group = open.pop()
    if (group === undefined) break
    const { length, places } = group
    const count = weightOf(places)
    const [first] = places
    if (first === undefined || count < 2) continue
    const following = new Map<number, Array<number>>()
    let ended = false
    for (const place of places) {
      if (place + length === ends[place]!) {
        ended = true
        continue
      }
      const next = symbols[place + length]!
      const same = following.get(next)
      if (same === undefined) following.set(next, [place])
      else same.push(place)
    }
    if (length > 1 && (ended || following.size > 1)) found.push({ at: first, length, value: count * length })
    if (length < options.maxPieceLength) {
      for (const rest of following.values()) open.push({ places: rest, length: length + 1 })
    }
    if (steps % 256 === 0) yield
  }
  // Ties are broken by characters, so that nothing depends on the order of the words.
  const order = yield* EventLoop.sortIndexes(found.length, (a, b) => {
    const [x, y] = [found[a]!, found[b]!]
    return y.value - x.value || compareRanges(symbols, x, y)
  })
  const reserved = options.reserved ?? new Set<string>()
  const lengths = new Set(Array.from(reserved, (token) => [...token].length))
  const values = characters.map((places, symbol) => ({ symbols: [symbol], value: Math.max(weightOf(places), 1) }))
  let total = values.reduce((sum, { value }) => sum + value, 0)
  for (let i = 0; i < order.length && values.length < alphabet.length + options.seedSize; i++) {
    if (i % (1 << 14) === 0) yield
    const { at, length, value } = found[order[i]!]!
    const piece = [...symbols.subarray(at, at + length)]
    if (lengths.has(length) && reserved.has(piece.map((symbol) => alphabet[symbol]).join(""))) continue
    values.push({ symbols: piece, value })
    total += value
  }
  yield
  const logTotal = Math.log(total)
  return values.map(({ symbols, value }) => ({ symbols, score: Math.log(value) - logTotal }))
}

interface Range {
  readonly at: number
  readonly length: number
}

const compareRanges = (symbols: Int32Array, a: Range, b: Range): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (symbols[a.at + i] !== symbols[b.at + i]) return symbols[a.at + i]! - symbols[b.at + i]!
  }
  return a.length - b.length
}

const compare = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
