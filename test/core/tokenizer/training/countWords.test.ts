/**
 * Counting words in bounded memory. Oracles: a Map of strings; counting without a limit; and a plain sort for what is kept of
 * too many words. Needs the file system for temporary files.
 */
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PreTokenizer from "../../../../src/core/tokenizer/PreTokenizer.ts"
import type { PreTokenizer as Specification } from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { countWords, defaultLimit, type WordLimit } from "../../../../src/core/tokenizer/training/countWords.ts"
import * as WordCounts from "../../../../src/core/tokenizer/training/WordCounts.ts"
import { temporaryFiles } from "../../../../src/plugins/tokenizers/TrainedTokenizer.ts"
import { inFull } from "../../../full.ts"
import { chapters, train, trainers } from "./trainers.ts"

const gpt2 = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const

const count = (
  documents: ReadonlyArray<string>,
  limit: WordLimit = defaultLimit,
  specification: Specification = gpt2
) =>
  Effect.gen(function* () {
    const preTokenizer = Either.getOrThrow(PreTokenizer.make(specification))
    const words = yield* countWords(Stream.fromIterable(documents), {
      normalizer: undefined,
      preTokenizer,
      spill: temporaryFiles(yield* FileSystem.FileSystem),
      limit,
      onProgress: () => Effect.void
    })
    return Array.from(
      { length: WordCounts.size(words) },
      (_, i) => [WordCounts.wordAt(words, i), words.counts[i]!] as const
    )
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const counted = (documents: ReadonlyArray<string>, specification: Specification = gpt2) => {
  const found = new Map<string, number>()
  const { split } = Either.getOrThrow(PreTokenizer.make(specification))
  for (const text of documents) {
    split(text.toWellFormed(), true, (words, start, end) => {
      const word = words.slice(start, end)
      found.set(word, (found.get(word) ?? 0) + 1)
    })
  }
  return found
}

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** The most frequent words, of equal count those that come first in UTF-8, up to the first that does not fit. */
const mostFrequent = (words: ReadonlyMap<string, number>, limit: WordLimit) => {
  const kept = new Map<string, number>()
  let left = limit.units
  for (const [word, times] of [...words].sort(([a, m], [b, n]) => n - m || byBytes(a, b))) {
    left -= word.length
    if (kept.size === limit.words || left < 0) break
    kept.set(word, times)
  }
  return kept
}

describe("words", () => {
  it.effect("are counted as a Map counts them", () =>
    Effect.gen(function* () {
      const odd = ["", "\ud800x", "a".repeat(300_000), "😀 ".repeat(1000)]
      expect(new Map(yield* count([...chapters.slice(0, 10), ...odd]))).toEqual(
        counted([...chapters.slice(0, 10), ...odd])
      )
    })
  )

  it.effect("of a long text are those of the text as a whole", () =>
    Effect.gen(function* () {
      const text = chapters.slice(0, 60).join("\r\n\n  ")
      expect(text.length).toBeGreaterThan(400_000)
      const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true } as const
      for (const specification of [gpt2, { type: "BertPreTokenizer" } as const]) {
        expect(new Map(yield* count([text], defaultLimit, specification))).toEqual(counted([text], specification))
      }
      const spaces = text.replaceAll(/[\r\n]+/g, " ")
      expect(new Map(yield* count([spaces], defaultLimit, metaspace))).toEqual(counted([spaces], metaspace))
    })
  )

  it.effect.prop(
    "of more than memory holds: the most frequent ones, exactly",
    [
      FastCheck.array(
        FastCheck.array(FastCheck.string({ unit: FastCheck.constantFrom("a", "b", "😀", "ﬀ"), maxLength: 4 })).map(
          (words) => words.join(" ")
        ),
        { maxLength: 6 }
      ),
      FastCheck.integer({ min: 1, max: 12 }),
      FastCheck.integer({ min: 4, max: 40 })
    ],
    ([documents, words, units]) =>
      Effect.gen(function* () {
        const all = counted(documents)
        const total = [...all.keys()].reduce((sum, word) => sum + word.length, 0)
        const limit = { words, units }
        const found = yield* count(documents, limit)
        const reversed = yield* count(documents.toReversed(), limit)
        const fits = all.size <= words && total <= units
        expect(new Map(found)).toEqual(fits ? all : mostFrequent(all, limit))
        expect(new Map(reversed)).toEqual(new Map(found))
      }),
    { fastCheck: { numRuns: 30 } }
  )

  it.effect("spilled many times give what they give in memory", () =>
    Effect.gen(function* () {
      // Runs of a few hundred words, of which all fit in the end.
      const documents = chapters.slice(0, 8)
      const all = counted(documents)
      const limit = { words: all.size, units: 3000 }
      expect(new Map(yield* count(documents, limit))).toEqual(mostFrequent(all, limit))
    })
  )

  it.live("leave no file behind when training is interrupted, which takes a moment only", () =>
    Effect.gen(function* () {
      const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("codex-words-"))
      const before = new Set(folders())
      const fresh = () => folders().filter((name) => !before.has(name))
      const endless = Stream.range(0, 1_000_000).pipe(
        Stream.map((i) => `${i} ${i * 7919} `.repeat(50)),
        Stream.rechunk(1)
      )
      const fiber = yield* Effect.fork(
        Effect.gen(function* () {
          yield* countWords(endless, {
            normalizer: undefined,
            preTokenizer: Either.getOrThrow(PreTokenizer.make(gpt2)),
            spill: temporaryFiles(yield* FileSystem.FileSystem),
            limit: { words: 1000, units: 10_000 },
            onProgress: () => Effect.void
          })
        }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
      )
      yield* Effect.sleep("20 millis").pipe(Effect.repeat({ until: () => fresh().length > 0 }))
      yield* Fiber.interrupt(fiber)
      expect(fresh()).toEqual([])
    }).pipe(Effect.withClock(Clock.make()))
  )
})

const megabytes = inFull(10, 2)

describe(`a text that is one line or one word of ${megabytes} MB`, () => {
  it.effect("trains", () =>
    Effect.gen(function* () {
      const word = "abcdefgh".repeat((megabytes * 1_000_000) / 8)
      const { vocabularySize } = yield* train(trainers.bpe({ vocab_size: 264 }), [word])
      expect(vocabularySize).toBe(264)
      const line = "a line of words without an end ".repeat(megabytes * 32_000)
      expect((yield* train(trainers.wordpiece({ vocab_size: 40 }), [line])).vocabularySize).toBe(40)
    })
  )
})
