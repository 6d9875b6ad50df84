/**
 * The pieces that training begins with: every character, and the strings inside of words that stand in at least two places.
 *
 * Strings are found by splitting the places of a string by the character that follows, again and again. A string that is
 * always followed by the same character is no piece, because the longer one stands for it. The best by length times count
 * are taken.
 * Source: SentencePiece 0.1.97, MakeSeedSentencePieces, which finds the same strings with a suffix array.
 */
import { sortIndexes } from "../Sort.ts"
import type { Corpus } from "./Corpus.ts"

export interface Piece {
  /** Numbers of its characters. */
  readonly symbols: ReadonlyArray<number>
  /** Logarithmic probability. */
  readonly score: number
}

export interface Options {
  /** Characters of a piece at most. */
  readonly maxPieceLength: number
  /** Pieces to begin with at most, characters apart. */
  readonly seedSize: number
  /** Written forms that no piece may have, because other tokens have them. */
  readonly reserved?: ReadonlySet<string>
}

/** Yields now and then. The characters come first, in the order of their numbers. */
export const seeds = function* (corpus: Corpus, options: Options): Generator<undefined, ReadonlyArray<Piece>, void> {
  const { alphabet, counts, starts, symbols } = corpus
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
  // Of equal value the first by its characters, so that nothing depends on the order of the words.
  const order = yield* sortIndexes(found.length, (a, b) => {
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

export const compare = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
