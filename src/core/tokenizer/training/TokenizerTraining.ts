/**
 * Training a tokenizer: an algorithm counts the words of the documents once, learns a model for each vocabulary size, and
 * renders each as a tokenizer.json. BpeTraining, WordPieceTraining, UnigramTraining and WordLevelTraining learn the models.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { plural } from "../../Plural.ts"
import { TokenizerTrainError, TokenizerTrainer } from "../../TokenizerTrainer.ts"
import * as Normalizer from "../Normalizer.ts"
import * as Pipeline from "../Pipeline.ts"
import * as PreTokenizer from "../PreTokenizer.ts"
import * as TokenizerJson from "../TokenizerJson.ts"
import { countWords, defaultLimit, type WordLimit } from "./countWords.ts"
import type { WordCounts } from "./WordCounts.ts"
import type { AcquireStorage } from "./WordSpill.ts"

/** The components of a tokenizer.json that are known before training. */
export type Components = Omit<
  TokenizerJson.TokenizerJson,
  "version" | "truncation" | "padding" | "added_tokens" | "model"
>
/** Vocabulary sizes. */
export type Sizes = Arr.NonEmptyReadonlyArray<number>
/** What is learned for one size. */
export type LearnedModel = Pick<TokenizerJson.TokenizerJson, "added_tokens" | "model">
/** Reports how many of the wanted steps are done. */
export type Report = (done: number, wanted: number) => Effect.Effect<void>

export interface Algorithm {
  /** The size that `train` learns. */
  readonly vocabularySize: number
  readonly components: Components
  /** Fails for a size that is too small for any text. */
  readonly check?: (size: number) => Effect.Effect<void, TokenizerTrainError>
  /** Name of the steps of learning, in the plural: merges, pieces, … */
  readonly steps: string
  readonly learn: (
    words: WordCounts,
    sizes: Sizes,
    report: Report
  ) => Effect.Effect<Arr.NonEmptyReadonlyArray<LearnedModel>, TokenizerTrainError>
  /** What is held in memory at most. */
  readonly limit?: WordLimit
}

/** The trainer of an algorithm. `spill` gives storage for words that do not fit in memory. */
export const make = (algorithm: Algorithm, spill: AcquireStorage): TokenizerTrainer.Service =>
  TokenizerTrainer.make({
    vocabularySize: algorithm.vocabularySize,
    trainSizes: (documents, sizes, { onProgress = () => Effect.void } = {}) =>
      Effect.gen(function* () {
        const { components, limit = defaultLimit, steps } = algorithm
        if (algorithm.check !== undefined) yield* Effect.forEach(sizes, algorithm.check, { discard: true })
        const normalizer =
          components.normalizer === null ? undefined : yield* valid(Normalizer.make(components.normalizer))
        const preTokenizer = yield* valid(PreTokenizer.make(components.pre_tokenizer))
        const words = yield* countWords(documents, { normalizer, preTokenizer, spill, limit, onProgress })
        const learned = yield* algorithm.learn(words, sizes, (done, wanted) =>
          onProgress({ phase: "learning", of: steps, done, wanted })
        )
        return Arr.map(learned, ({ added_tokens, model }, i): TokenizerTrainer.Trained => {
          const definition = TokenizerJson.make({ ...components, added_tokens, model })
          return { files: { [Pipeline.fileName]: Pipeline.render(definition) }, vocabularySize: sizes[i]! }
        })
      }).pipe(Effect.scoped)
  })

/** The components are made by codex, so an invalid one is a defect. */
const valid = <A, E>(result: Either.Either<A, E>): Effect.Effect<A> => Effect.orDie(result)

/** Tokens that every vocabulary of an algorithm has. */
export interface RequiredTokens {
  readonly count: number
  /** In the singular, without an s. */
  readonly name: string
}

/** Fails when a vocabulary is too small for its required tokens. */
export const checkLeast = (
  size: number,
  parts: ReadonlyArray<RequiredTokens>
): Effect.Effect<void, TokenizerTrainError> => {
  const least = parts.reduce((sum, { count }) => sum + count, 0)
  if (size >= least) return Effect.void
  const listed = parts
    .filter(({ count }) => count > 0)
    .map(({ count, name }, i) => `${i === 0 ? "the " : ""}${plural(count, name)}`)
  return new TokenizerTrainError({
    details: `A vocabulary of ${size} is too small: ${listed.join(" and ")} need ${least}.`,
    remedy: `Set vocab_size to ${least} or more.`
  })
}

/** How messages say how many distinct words a text has. */
export const distinctWords = (count: number): string => plural(count, "distinct word")

/** Fails when a vocabulary is larger than the text allows. `source` is what the tokens are learned from. */
export const checkLargest = (
  size: number,
  largest: number,
  source: string
): Effect.Effect<void, TokenizerTrainError> =>
  size <= largest
    ? Effect.void
    : new TokenizerTrainError({
        largest,
        details: `A vocabulary of ${size} is larger than the text allows: ${source} can give at most ${plural(largest, "token")}.`,
        remedy: `Set vocab_size to ${largest} or less, give more text, or lower min_frequency.`
      })
