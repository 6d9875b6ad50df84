/// <reference lib="es2024.string" />
/**
 * Counts the words of documents, as split by the normalizer and pre-tokenizer of the tokenizer that will be trained.
 *
 * Only distinct words are held in memory. When they reach a limit they are sorted and spilled to a temporary file, and counting
 * starts with an empty table; at the end all files are merged. The counts are exact, but when there are more words than the
 * limit only the most frequent ones are kept, and among equal counts the first in the order of code points. So the result never
 * depends on the order of the documents.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EventLoop from "../../EventLoop.ts"
import type { TokenizerTrainError, TokenizerTrainer } from "../../TokenizerTrainer.ts"
import type { Normalizer } from "../Normalizer.ts"
import type { PreTokenizer } from "../PreTokenizer.ts"
import * as WordCounts from "./WordCounts.ts"
import * as WordSpill from "./WordSpill.ts"

/** What is held in memory at most: distinct words, and their UTF-16 units together. */
export interface WordLimit {
  readonly words: number
  readonly units: number
}

/** About 200 MB. A gigabyte of ordinary text stays below it. */
export const defaultLimit: WordLimit = { words: 1 << 22, units: 1 << 25 }

export interface CountOptions {
  readonly normalizer: Normalizer | undefined
  readonly preTokenizer: PreTokenizer
  readonly spill: WordSpill.AcquireStorage
  readonly limit: WordLimit
  readonly onProgress: (progress: TokenizerTrainer.Progress) => Effect.Effect<void>
}

/** Approximate number of UTF-16 units that are split at once. */
const PART = 1 << 17

export const countWords = <E, R>(
  documents: Stream.Stream<string, E, R>,
  { limit, normalizer, onProgress, preTokenizer, spill }: CountOptions
): Effect.Effect<WordCounts.WordCounts, E | TokenizerTrainError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const slice = EventLoop.timeSlice()
    let counter = new WordCounts.WordCounter()
    const spilled: { storage: WordSpill.SpillStorage | undefined; runs: number } = { storage: undefined, runs: 0 }
    const seen = { documents: 0, bytes: 0 }

    const spillWords = Effect.gen(function* () {
      spilled.storage ??= yield* spill
      const words = counter.words()
      yield* WordSpill.write(spilled.storage, spilled.runs, yield* EventLoop.run(() => WordCounts.sorted(words)))
      counter = new WordCounts.WordCounter()
      spilled.runs++
    })
    const isFull = () => counter.size > limit.words || counter.used > limit.units
    const report = Effect.suspend(() => onProgress({ phase: "counting", ...seen }))

    yield* Stream.runForEachChunk(documents, (chunk) =>
      Effect.gen(function* () {
        for (const document of Chunk.toReadonlyArray(chunk)) {
          const text = document.toWellFormed()
          for (let start = 0; start < text.length; ) {
            const end = cutAfter(text, start + PART, !preTokenizer.prepends)
            const part = end - start === text.length ? text : text.slice(start, end)
            const normal = normalizer === undefined ? part : normalizer.normalize(part)
            preTokenizer.split(normal, start === 0, (words, from, to) => counter.add(words, from, to))
            start = end
            if (isFull()) yield* spillWords
            if (slice.isOver()) {
              yield* report
              yield* slice.next
            }
          }
          seen.documents++
          seen.bytes += Buffer.byteLength(text)
        }
      })
    )
    yield* report
    if (spilled.storage === undefined) return counter.words()
    if (counter.size > 0) yield* spillWords
    return yield* mostFrequent(spilled.storage, spilled.runs, limit)
  })

/** The most frequent words of all runs, as many as the limit allows. */
const mostFrequent = (storage: WordSpill.SpillStorage, runs: number, limit: WordLimit) =>
  Effect.gen(function* () {
    // First pass: how much each count would take. Second pass: the words of the counts that fit, and some of the next count.
    const byCount = new Map<number, { words: number; units: number }>()
    yield* WordSpill.merge(storage, runs, (_, length, count) => {
      const level = byCount.get(count) ?? { words: 0, units: 0 }
      level.words++
      level.units += length
      byCount.set(count, level)
    })
    let left = limit
    let [fitting, next] = [Number.POSITIVE_INFINITY, Number.NaN]
    for (const [count, level] of [...byCount].sort(([a], [b]) => b - a)) {
      next = count
      if (level.words > left.words || level.units > left.units) break
      left = { words: left.words - level.words, units: left.units - level.units }
      fitting = count
    }
    const kept = { units: new Uint16Array(limit.units), starts: [0] }
    const counts: Array<number> = []
    let used = 0
    yield* WordSpill.merge(storage, runs, (units, length, count) => {
      if (count < fitting) {
        if (count !== next) return
        // The first word that does not fit ends the selection.
        const fits = left.words > 0 && length <= left.units
        left = fits ? { words: left.words - 1, units: left.units - length } : { words: 0, units: 0 }
        if (!fits) return
      }
      kept.units.set(units.subarray(0, length), used)
      used += length
      kept.starts.push(used)
      counts.push(count)
    })
    return {
      units: kept.units.subarray(0, used),
      starts: Int32Array.from(kept.starts),
      counts: Float64Array.from(counts)
    } satisfies WordCounts.WordCounts
  })

/**
 * Where a text may be cut, at `at` or later, such that its parts give the same words as the whole: between an ASCII letter and
 * a space, where no pattern joins the two and no normal form changes anything. The end of the text if there is no such place.
 */
const cutAfter = (text: string, at: number, atNewlines: boolean): number => {
  for (let i = at; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if ((unit === 0x20 || (atNewlines && unit === 0x0a)) && isLetter(text.charCodeAt(i - 1))) return i
  }
  return text.length
}

const isLetter = (unit: number) => (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a)
