/**
 * Tokens of a text, read by position: the form in which training and evaluation read their data.
 *
 * The text is tokenized once by a service (services/runs/TokenCache.ts). A TokenFile never loads all of it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Dataset, DatasetError, Split } from "../Dataset.ts"
import type { Tokenizer } from "../Tokenizer.ts"

/** Tokens that could not be written or read. */
export class TokenFileError extends Schema.TaggedError<TokenFileError>()("TokenFileError", {
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** The tokens of one split of a dataset. */
export interface TokenFile {
  /** Tokens, with one end-of-text token after each document if the tokenizer has one. */
  readonly length: number
  readonly documents: number
  /** UTF-8 bytes of the text. */
  readonly bytes: number
  /** `length` token ids from `position` on. The range must be inside the file. */
  readonly read: (position: number, length: number) => Effect.Effect<Int32Array, TokenFileError>
}

/** Tokenizes datasets, and keeps the tokens. */
export class TokenCache extends Context.Tag("codex/TokenCache")<TokenCache, TokenCache.Service>() {
  /** A token file that cannot be read or written. */
  static readonly Error = TokenFileError
}

export declare namespace TokenCache {
  type Error = TokenFileError
  interface Service {
    /** The tokens of a split. They are made if the cache does not have them. */
    readonly open: (options: {
      readonly dataset: Dataset.Service
      readonly tokenizer: Tokenizer.Service
      readonly split: Split
      /** Called after each document with the numbers of documents and of UTF-8 bytes so far. */
      readonly onProgress?: (done: { readonly documents: number; readonly bytes: number }) => Effect.Effect<void>
    }) => Effect.Effect<TokenFile, DatasetError | TokenFileError, Scope.Scope>
    /** The tokens of the split with this digest (core/data/DatasetIdentity.ts), if the cache has them. No text is read. */
    readonly find: (options: {
      readonly digest: string
      readonly tokenizer: Tokenizer.Service
    }) => Effect.Effect<Option.Option<TokenFile>, TokenFileError, Scope.Scope>
  }
}
