/**
 * What all trainers do: count the words of the documents once, learn, and give a tokenizer.json for each size.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { TokenizerTrainError, TokenizerTrainer } from "../../TokenizerTrainer.ts"
import * as Definition from "../Definition.ts"
import * as Normalizer from "../Normalizer.ts"
import * as Pipeline from "../Pipeline.ts"
import * as PreTokenizer from "../PreTokenizer.ts"
import type { TokenizerJson } from "../TokenizerJson.ts"
import { countWords, defaultLimit, type Limit } from "./CountWords.ts"
import type { Words } from "./Words.ts"

/** The parts of the file that are known before training. */
export type Frame = Omit<TokenizerJson, "added_tokens" | "model">
export type Sizes = Arr.NonEmptyReadonlyArray<number>
/** What a size adds to the frame. */
export type Learned = Pick<TokenizerJson, "added_tokens" | "model">
/** Tells how many of the wanted steps are done. */
export type Report = (done: number, wanted: number) => Effect.Effect<void>

export interface Algorithm {
  readonly vocabularySize: number
  readonly frame: Omit<Frame, "version" | "truncation" | "padding">
  /** Fails for a size that no text allows. */
  readonly check?: (size: number) => Effect.Effect<void, TokenizerTrainError>
  /** The steps of learning: merges, pieces, … */
  readonly steps: string
  readonly learn: (
    words: Words,
    sizes: Sizes,
    report: Report
  ) => Effect.Effect<Arr.NonEmptyReadonlyArray<Learned>, TokenizerTrainError>
  /** Words that memory holds at most. */
  readonly limit?: Limit
}

export const make = (algorithm: Algorithm, fs: FileSystem.FileSystem): TokenizerTrainer.Service =>
  TokenizerTrainer.make({
    vocabularySize: algorithm.vocabularySize,
    trainSizes: (documents, sizes, { onProgress = () => Effect.void } = {}) =>
      Effect.gen(function* () {
        const { frame, limit = defaultLimit, steps } = algorithm
        if (algorithm.check !== undefined) yield* Effect.forEach(sizes, algorithm.check, { discard: true })
        const normalizer = frame.normalizer === null ? undefined : yield* known(Normalizer.make(frame.normalizer))
        const preTokenizer = yield* known(PreTokenizer.make(frame.pre_tokenizer))
        const cutsAtNewlines = !JSON.stringify(frame.pre_tokenizer).includes('"Metaspace"')
        const words = yield* countWords(documents, {
          splitting: { normalizer, preTokenizer, cutsAtNewlines },
          fs,
          limit,
          onProgress
        })
        const learned = yield* algorithm.learn(words, sizes, (done, wanted) =>
          onProgress({ phase: "learning", of: steps, done, wanted })
        )
        return Arr.map(learned, ({ added_tokens, model }, i): TokenizerTrainer.Trained => {
          const definition = Definition.make({ ...frame, added_tokens, model })
          return { files: { [Pipeline.fileName]: Pipeline.render(definition) }, vocabularySize: sizes[i] ?? 0 }
        })
      }).pipe(Effect.scoped)
  })

/** The specifications of a frame are codex's own: what is wrong in one is a defect. */
const known = <A, E>(result: Either.Either<A, E>): Effect.Effect<A> => Effect.orDie(result)

export interface Part {
  readonly count: number
  /** In the singular, without an s. */
  readonly name: string
}

/** Fails when a vocabulary has no room for the parts that it must have. */
export const checkLeast = (size: number, parts: ReadonlyArray<Part>): Effect.Effect<void, TokenizerTrainError> => {
  const least = parts.reduce((sum, { count }) => sum + count, 0)
  if (size >= least) return Effect.void
  const listed = parts
    .filter(({ count }) => count > 0)
    .map(({ count, name }, i) => `${i === 0 ? "the " : ""}${count} ${name}${count === 1 ? "" : "s"}`)
  return new TokenizerTrainError({
    details: `A vocabulary of ${size} is too small: ${listed.join(" and ")} need ${least}.`,
    remedy: `Set vocab_size to ${least} or more.`
  })
}

/** Fails when a vocabulary is larger than the largest that the text allows. */
export const checkLargest = (
  size: number,
  largest: number,
  because: string
): Effect.Effect<void, TokenizerTrainError> =>
  size <= largest
    ? Effect.void
    : new TokenizerTrainError({
        largest,
        details: `A vocabulary of ${size} is larger than the text allows: ${because} at most ${largest} tokens.`,
        remedy: `Set vocab_size to ${largest} or less, give more text, or lower min_frequency.`
      })
