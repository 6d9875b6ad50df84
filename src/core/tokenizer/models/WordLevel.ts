/**
 * A word is a token, or the unknown one.
 *
 * Nothing is split and nothing merged, so every token has the whole word's place.
 */
import * as Either from "effect/Either"
import type { Problem } from "../Problem.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import type { TokenModel } from "../TokenModel.ts"
import { segmentBytes } from "./ByteWords.ts"
import * as CachedModel from "./CachedModel.ts"
import * as Vocabulary from "./Vocabulary.ts"

export const make = (
  spec: TokenizerJson.WordLevel,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel, Problem> =>
  Either.gen(function* () {
    const vocabulary = yield* Vocabulary.read(spec.vocab)
    const unknown = yield* Vocabulary.unknownToken(vocabulary, spec.unk_token)
    const { idOf, longest, tokens } = vocabulary
    const segment: CachedModel.Segment = (text, start, end, output) => {
      const id = end - start > longest ? undefined : idOf(text.slice(start, end))
      output.push(id ?? unknown, 0, end - start)
    }
    return CachedModel.make({
      tokens,
      idOf,
      unknownToken: unknown,
      total: false,
      segment: options.byteLevel ? segmentBytes(segment) : segment
    })
  })
