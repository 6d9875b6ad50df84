/// <reference lib="es2024.string" />
/**
 * Counts the words of documents, as the normalizer and the pre-tokenizer of the tokenizer to be make them.
 *
 * Memory holds distinct words only. When they reach a limit they are written to a temporary file, sorted, and counting starts
 * afresh; at the end the files are read as one. What is counted then is exact, but of more words than the limit only the most
 * frequent ones are kept, of equal count those that come first in the order of code points. So the result never depends on the
 * order of the documents.
 */
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TokenizerTrainError, type TokenizerTrainer } from "../../TokenizerTrainer.ts"
import type { Normalizer } from "../Normalizer.ts"
import type { PreTokenizer } from "../PreTokenizer.ts"
import * as Breath from "./Breath.ts"
import * as Runs from "./Runs.ts"
import * as Words from "./Words.ts"
import { WordTable } from "./WordTable.ts"

/** What memory holds at most: words, and UTF-16 units of them together. */
export interface Limit {
  readonly words: number
  readonly units: number
}

/** Some 200 MB. Ordinary text of a gigabyte stays below it. */
export const defaultLimit: Limit = { words: 1 << 22, units: 1 << 25 }

export interface Splitting {
  readonly normalizer: Normalizer | undefined
  readonly preTokenizer: PreTokenizer
  /** Whether a word may begin with a line break only where one begins in the whole text too. */
  readonly cutsAtNewlines: boolean
}

export interface Options {
  readonly splitting: Splitting
  readonly fs: FileSystem.FileSystem
  readonly limit: Limit
  readonly onProgress: (progress: TokenizerTrainer.Progress) => Effect.Effect<void>
}

/** UTF-16 units that are split at once, about. */
const PART = 1 << 17

export const countWords = <E, R>(
  documents: Stream.Stream<string, E, R>,
  { fs, limit, onProgress, splitting }: Options
): Effect.Effect<Words.Words, E | TokenizerTrainError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const { normalizer, preTokenizer } = splitting
    const breath = Breath.make()
    const paths: Array<string> = []
    let table = new WordTable()
    let folder: string | undefined
    const seen = { documents: 0, bytes: 0 }

    const spill = Effect.gen(function* () {
      folder ??= yield* fs.makeTempDirectoryScoped({ prefix: "codex-words-" })
      const path = `${folder}/${paths.length}`
      const words = table.words()
      yield* Runs.write(fs, path, yield* Breath.run(() => Words.sorted(words)))
      table = new WordTable()
      paths.push(path)
    })
    const isFull = () => table.size > limit.words || table.used > limit.units
    const report = Effect.suspend(() => onProgress({ phase: "counting", ...seen }))

    yield* Stream.runForEachChunk(documents, (chunk) =>
      Effect.gen(function* () {
        for (const document of Chunk.toReadonlyArray(chunk)) {
          const text = document.toWellFormed()
          for (let start = 0; start < text.length; ) {
            const end = cutAfter(text, start + PART, splitting.cutsAtNewlines)
            const part = end - start === text.length ? text : text.slice(start, end)
            const normal = normalizer === undefined ? part : normalizer.normalize(part)
            preTokenizer.split(normal, start === 0, (words, from, to) => table.add(words, from, to))
            start = end
            if (isFull()) yield* inTemporaryFile(spill)
            if (breath.due()) {
              yield* report
              yield* breath.take
            }
          }
          seen.documents++
          seen.bytes += Buffer.byteLength(text)
        }
      })
    )
    yield* report
    if (paths.length === 0) return table.words()
    if (table.size > 0) yield* inTemporaryFile(spill)
    return yield* inTemporaryFile(mostFrequent(fs, paths, limit))
  })

/** The most frequent words of all runs that the limit allows. */
const mostFrequent = (fs: FileSystem.FileSystem, paths: ReadonlyArray<string>, limit: Limit) =>
  Effect.gen(function* () {
    // First what each count would take; then the words of the counts that fit, and some of the next one.
    const byCount = new Map<number, { words: number; units: number }>()
    yield* Effect.scoped(
      Runs.merge(fs, paths, (_, length, count) => {
        const level = byCount.get(count) ?? { words: 0, units: 0 }
        level.words++
        level.units += length
        byCount.set(count, level)
      })
    )
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
    yield* Effect.scoped(
      Runs.merge(fs, paths, (units, length, count) => {
        if (count < fitting) {
          if (count !== next) return
          // The first one that does not fit is the last one looked at.
          const fits = left.words > 0 && length <= left.units
          left = fits ? { words: left.words - 1, units: left.units - length } : { words: 0, units: 0 }
          if (!fits) return
        }
        kept.units.set(units.subarray(0, length), used)
        used += length
        kept.starts.push(used)
        counts.push(count)
      })
    )
    return {
      units: kept.units.subarray(0, used),
      starts: Int32Array.from(kept.starts),
      counts: Float64Array.from(counts)
    } satisfies Words.Words
  })

const inTemporaryFile = <A, R>(effect: Effect.Effect<A, PlatformError, R>) =>
  Effect.mapError(
    effect,
    (cause) =>
      new TokenizerTrainError({
        details: `The text has more words than memory shall hold, and the temporary file for them failed: ${cause.message}.`,
        remedy: "Make room in the folder for temporary files, or name another one in TMPDIR."
      })
  )

/**
 * Where a text may be cut at `at` or after it such that its parts give the words of the whole: between a letter of ASCII and a
 * space, where no pattern makes one word of both and no normal form changes anything; the end of the text if there is none.
 */
const cutAfter = (text: string, at: number, atNewlines: boolean): number => {
  for (let i = at; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if ((unit === 0x20 || (atNewlines && unit === 0x0a)) && isLetter(text.charCodeAt(i - 1))) return i
  }
  return text.length
}

const isLetter = (unit: number) => (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a)
