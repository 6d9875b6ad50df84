/// <reference lib="es2024.string" />
/**
 * Trains a byte-level BPE: counts the words of all documents, learns merges from the counts, writes `tokenizer.json`.
 *
 * Memory holds the distinct words, never the documents. Ids: 0–255 the bytes in the order of their characters, then the
 * merges in the order in which they were learnt, then the special tokens in the order given; a vocabulary cut to fewer
 * merges is the vocabulary that training with that size gives. Text that looks like a special token is ordinary text.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TokenizerTrainError, type TokenizerTrainer } from "../../../core/TokenizerTrainer.ts"
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import * as Merges from "./Merges.ts"
import { forEachWord } from "./PreTokenizer.ts"
import * as TokenizerJson from "./TokenizerJson.ts"
import * as Vocabulary from "./Vocabulary.ts"

export interface Options {
  /** Number of ids, special tokens included. */
  readonly vocabularySize: number
  /** A pair of tokens seen less often is not merged. */
  readonly minFrequency: number
  readonly specialTokens: ReadonlyArray<string>
}

/** Trains on documents; fails when they allow no vocabulary of this size. */
export const train = <E, R>(
  options: Options,
  documents: Stream.Stream<string, E, R>,
  onProgress: (progress: TokenizerTrainer.Progress) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<TokenizerTrainer.Trained, TokenizerTrainError | E, R> =>
  Effect.gen(function* () {
    yield* checkOptions(options)
    const wanted = options.vocabularySize - 256 - options.specialTokens.length
    const words = yield* countWords(documents, onProgress)
    const learning = Merges.learn(words, {
      limit: wanted,
      minFrequency: options.minFrequency,
      reserved: new Set(options.specialTokens.map(writtenForm))
    })
    let next = learning.next()
    while (next.done !== true) {
      yield* onProgress({ phase: "merging", merges: next.value, wanted })
      yield* Effect.yieldNow()
      next = learning.next()
    }
    const merges = next.value
    if (merges.length < wanted) yield* tooLarge(options, merges.length, words.size)
    yield* onProgress({ phase: "merging", merges: merges.length, wanted })
    const files = {
      [TokenizerJson.fileName]: TokenizerJson.render(Vocabulary.fromMerges(merges, options.specialTokens))
    }
    return { files, vocabularySize: options.vocabularySize }
  })

const writtenForm = (text: string) => ByteAlphabet.write(new TextEncoder().encode(text))

/** How often each word occurs in all documents. */
const countWords = <E, R>(
  documents: Stream.Stream<string, E, R>,
  onProgress: (progress: TokenizerTrainer.Progress) => Effect.Effect<void>
): Effect.Effect<ReadonlyMap<string, number>, E, R> =>
  Effect.suspend(() => {
    const words = new Map<string, number>()
    let seen = 0
    let bytes = 0
    return documents.pipe(
      Stream.runForEach((document) =>
        Effect.suspend(() => {
          const text = document.toWellFormed()
          forEachWord(text, (word) => {
            const count = words.get(word)
            if (count !== undefined) words.set(word, count + 1)
            else words.set(ownCopy(word), 1)
          })
          seen++
          bytes += new TextEncoder().encode(text).length
          return Effect.zipRight(onProgress({ phase: "counting", documents: seen, bytes }), Effect.yieldNow())
        })
      ),
      Effect.as(words)
    )
  })

/** V8 keeps a text alive for a slice of 13 units or more: such a word is copied, or memory would hold all documents. */
const ownCopy = (word: string) =>
  word.length < 13 ? word : new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(word))

const checkOptions = ({ specialTokens, vocabularySize }: Options): Effect.Effect<void, TokenizerTrainError> => {
  const fail = (details: string, remedy: string) => Effect.fail(new TokenizerTrainError({ details, remedy }))
  const doubled = specialTokens.find((token, i) => specialTokens.indexOf(token) !== i)
  if (doubled !== undefined) {
    return fail(`special_tokens has ${JSON.stringify(doubled)} twice.`, "Name each special token once.")
  }
  const single = specialTokens.find((token) => token.length === 0 || ByteAlphabet.characterToByte.has(token))
  if (single !== undefined) {
    return fail(
      `The special token ${JSON.stringify(single)} is ${single === "" ? "empty" : "the written form of a byte"}.`,
      'Choose one of several characters, such as "<|endoftext|>".'
    )
  }
  const least = 256 + specialTokens.length
  return vocabularySize < least
    ? fail(
        `A vocabulary of ${vocabularySize} is too small: the 256 bytes and ${specialTokens.length} special ` +
          `token${specialTokens.length === 1 ? "" : "s"} need ${least}.`,
        `Set vocab_size to ${least} or more.`
      )
    : Effect.void
}

const tooLarge = (options: Options, merges: number, words: number): Effect.Effect<never, TokenizerTrainError> => {
  const largest = 256 + options.specialTokens.length + merges
  return Effect.fail(
    new TokenizerTrainError({
      largest,
      details:
        `A vocabulary of ${options.vocabularySize} is larger than the text allows: ${words} distinct words give at most ` +
        `${largest} tokens with min_frequency ${options.minFrequency}.`,
      remedy: `Set vocab_size to ${largest} or less, give more text, or lower min_frequency.`
    })
  )
}
