/**
 * The tokenizer trainer kind: learns a tokenizer from documents, as files that the tokenizer plugin of the same name loads.
 *
 * Laws: 1. the same documents and config give the same bytes, whatever the order of the documents; 2. the result has the
 * requested vocabulary size, or the trainer fails with the largest possible size; 3. each of several sizes gives the same bytes as
 * training with that size alone.
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as ExitCode from "./ExitCode.ts"
import * as Plugin from "./plugin/Plugin.ts"

/** No tokenizer can be trained: the vocabulary is too small, or larger than the text allows. */
export class TokenizerTrainError extends Schema.TaggedError<TokenizerTrainError>()("TokenizerTrainError", {
  /** The largest vocabulary that the text allows, if the requested one is larger. */
  largest: Schema.optional(Schema.Number),
  details: Schema.String,
  remedy: Schema.String
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `${this.details} ${this.remedy}`
  }
}

const trained = Schema.Struct({
  files: Schema.Record({ key: Schema.String, value: Schema.String }),
  vocabularySize: Schema.Int
})

/** Trains tokenizers. A plugin implements it with {@link TokenizerTrainer.make}. */
export class TokenizerTrainer extends Context.Tag("codex/TokenizerTrainer")<
  TokenizerTrainer,
  TokenizerTrainer.Service
>() {
  /** Text and settings from which no tokenizer can be trained. */
  static readonly Error = TokenizerTrainError

  /** The kind of plugin that trains tokenizers. */
  static readonly kind: Plugin.Kind<"tokenizer-trainer", TokenizerTrainer, TokenizerTrainer.Service> = Plugin.kind(
    "tokenizer-trainer",
    {
      api: 1,
      tag: TokenizerTrainer,
      contract: { train: trained, trainSizes: Schema.Array(trained) }
    }
  )
  /** The service from its primitives. */
  static make({ trainSizes, vocabularySize }: TokenizerTrainer.Primitives): TokenizerTrainer.Service {
    return {
      trainSizes,
      train: (documents, options) =>
        Effect.map(trainSizes(documents, [vocabularySize], options), ([trained]) => trained)
    }
  }
}

export declare namespace TokenizerTrainer {
  type Error = TokenizerTrainError
  interface Trained {
    /** The files of the tokenizer, by file name. */
    readonly files: { readonly [fileName: string]: string }
    readonly vocabularySize: number
  }
  /** What training has done so far: documents that were read, then steps of learning, such as `merges` or `pieces`. */
  type Progress =
    | { readonly phase: "counting"; readonly documents: number; readonly bytes: number }
    | { readonly phase: "learning"; readonly of: string; readonly done: number; readonly wanted: number }
  interface Options {
    readonly onProgress?: (progress: Progress) => Effect.Effect<void>
  }
  interface Primitives {
    /** The vocabulary size of the config. */
    readonly vocabularySize: number
    /** Trains a tokenizer for each size, in the given order. The documents are read once. */
    readonly trainSizes: <E, R>(
      documents: Stream.Stream<string, E, R>,
      sizes: Arr.NonEmptyReadonlyArray<number>,
      options?: Options
    ) => Effect.Effect<Arr.NonEmptyReadonlyArray<Trained>, TokenizerTrainError | E, R>
  }
  interface Service extends Pick<Primitives, "trainSizes"> {
    /** Trains a tokenizer of the config's vocabulary size. */
    readonly train: <E, R>(
      documents: Stream.Stream<string, E, R>,
      options?: Options
    ) => Effect.Effect<Trained, TokenizerTrainError | E, R>
  }
}
