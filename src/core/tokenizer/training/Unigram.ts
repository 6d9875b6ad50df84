/**
 * Learns a Unigram model's file: the pieces of unigram/Learn.ts behind the special tokens.
 *
 * The ids are: the special tokens, then the pieces, the most probable first. Words are put in order before anything is added
 * up, so that sums do not depend on the order of the documents either.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Breath from "./Breath.ts"
import { addedTokens } from "./Frame.ts"
import * as Symbols from "./Symbols.ts"
import { checkLargest, checkLeast, type Learned, type Report, type Sizes } from "./Training.ts"
import * as Corpus from "./unigram/Corpus.ts"
import * as Learn from "./unigram/Learn.ts"
import * as Words from "./Words.ts"

/** Strings that training begins with at most; as many as SentencePiece takes. */
const SEEDS = 1_000_000

export interface Options {
  /** A word seen less often is not learnt from. */
  readonly minFrequency: number
  /** With the unknown token among them. */
  readonly specialTokens: ReadonlyArray<string>
  readonly unknown: string
  readonly limitAlphabet: number | undefined
  /** In characters. */
  readonly maxPieceLength: number
}

export const learn = (all: Words.Words, sizes: Sizes, report: Report, options: Options) =>
  Effect.gen(function* () {
    const { limitAlphabet, maxPieceLength, minFrequency, specialTokens, unknown } = options
    const frequent = Int32Array.from({ length: Words.size(all) }, (_, word) => word).filter(
      (word) => all.counts[word]! >= minFrequency
    )
    const words = yield* Breath.run(() => Words.sorted(Words.select(all, frequent)))
    const { characters } = Symbols.alphabet(words, limitAlphabet)
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
    const corpus = Corpus.make(words, characters)
    // Pieces become fewer: of the way from the most there were to the size wanted, what is behind.
    const wanted = Math.min(...sizes)
    let most = 0
    const { bySize, largest } = yield* Breath.run(
      () =>
        Learn.learn(
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
      `${Words.size(words)} distinct words with min_frequency ${minFrequency} give`
    )
    return Arr.map(
      sizes,
      (size): Learned => ({
        added_tokens: addedTokens(specialTokens, 0),
        model: {
          type: "Unigram",
          unk_id: specialTokens.indexOf(unknown),
          vocab: [
            ...specialTokens.map((token) => [token, 0]),
            ...(bySize.get(size - first) ?? []).map(({ score, symbols }) => [
              symbols.map((symbol) => characters[symbol]).join(""),
              score
            ])
          ],
          byte_fallback: false
        }
      })
    )
  })
