/**
 * What makes tokens of one word: the `model` of a tokenizer.json, ready to run.
 *
 * A word is a range of a text, so that splitting copies nothing. Under a byte-level pre-tokenizer the word is raw text and
 * the model works on its UTF-8 bytes; tokens are then written in the alphabet of ByteAlphabet.ts.
 */
import type * as Either from "effect/Either"
import * as Bpe from "./models/Bpe.ts"
import * as Unigram from "./models/Unigram.ts"
import * as WordLevel from "./models/WordLevel.ts"
import * as WordPiece from "./models/WordPiece.ts"
import type { Problem } from "./Problem.ts"
import type { TokenIds } from "./TokenIds.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

/** A token of a word, which stands for the UTF-16 units [start, end) of it. Tokens of parts of one character share it. */
export interface WordToken {
  readonly id: number
  readonly start: number
  readonly end: number
}

export interface TokenModel {
  /** Tokens by id, in written form; holes where the vocabulary has none. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly idOf: (token: string) => number | undefined
  /** The token for what the vocabulary cannot write. */
  readonly unknownToken: number | undefined
  /** True when every word has tokens that are not the unknown one. */
  readonly total: boolean
  /** Appends the ids of the word `text[start, end)`. Never called with an empty word. */
  readonly encode: (text: string, start: number, end: number, output: TokenIds) => void
  /** The same tokens with their places in the word. */
  readonly tokenize: (word: string) => ReadonlyArray<WordToken>
}

/** The model that a file describes; `byteLevel` when words are raw text whose bytes the tokens are written in. */
export const make = (
  spec: TokenizerJson.Model,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel, Problem> => {
  switch (spec.type) {
    case "BPE":
      return Bpe.make(spec, options)
    case "WordPiece":
      return WordPiece.make(spec, options)
    case "WordLevel":
      return WordLevel.make(spec, options)
    case "Unigram":
      return Unigram.make(spec, options)
  }
}
