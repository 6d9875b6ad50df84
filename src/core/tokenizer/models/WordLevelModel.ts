/**
 * Word level: every word is one token, or the unknown token.
 */
import * as Either from "effect/Either"
import type * as TokenizerJson from "../TokenizerJson.ts"
import * as TokenModel from "./TokenModel.ts"
import * as Vocabulary from "./Vocabulary.ts"

/** The model that a file describes. With `byteLevel`, words are ordinary text and tokens represent their bytes. */
export const make = (
  spec: TokenizerJson.WordLevel,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel.TokenModel, TokenizerJson.InvalidComponent> =>
  Either.gen(function* () {
    const vocabulary = yield* Vocabulary.read(spec.vocab)
    const unknown = yield* Vocabulary.unknownToken(vocabulary, spec.unk_token)
    const { idOf, longest, tokens } = vocabulary
    const segment: TokenModel.Segment = (text, start, end, output) => {
      const id = end - start > longest ? undefined : idOf(text.slice(start, end))
      output.push(id ?? unknown, 0, end - start)
    }
    return TokenModel.make({
      tokens,
      idOf,
      unknownToken: unknown,
      total: false,
      segment: options.byteLevel ? TokenModel.segmentBytes(segment) : segment
    })
  })
