/**
 * The schema of a `tokenizer.json`, the format of Hugging Face's tokenizers: the one description of a tokenizer that the engine
 * runs, reads and writes.
 *
 * A text goes through the components in the order of the keys: added tokens are cut out, the normalizer rewrites the rest, the
 * pre-tokenizer splits it into words, the model makes tokens of each word, the post-processor adds special tokens, and the
 * decoder joins tokens to text. Plugins translate other formats into this one.
 * Vocabulary and merges are only checked to be objects and arrays here: they are large, and the models check them when they read
 * them. Source: Hugging Face tokenizers 0.23, the serde forms of its components.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** A component of a tokenizer.json that the engine cannot use. Whoever reads the file makes a TokenizerFileError of it. */
export interface InvalidComponent {
  /** Its place in the file: `model.vocab["ab"]`. */
  readonly key: string
  readonly details: string
}

const flag = (value: boolean) => Schema.optionalWith(Schema.Boolean, { default: () => value })
const nullable = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null })

/** A string, or a regular expression in the syntax of Oniguruma or Rust, which patterns/Pattern.ts translates. */
export const Pattern = Schema.Union(Schema.Struct({ String: Schema.String }), Schema.Struct({ Regex: Schema.String }))
export type Pattern = typeof Pattern.Type

export const AddedToken = Schema.Struct({
  id: Schema.NonNegativeInt,
  content: Schema.NonEmptyString,
  /** Matches only where no word character is next to it. */
  single_word: flag(false),
  /** Includes the white space before it, and after it. */
  lstrip: flag(false),
  rstrip: flag(false),
  /** Searched for in the normalized text instead of the original. */
  normalized: flag(false),
  special: flag(false)
})
export type AddedToken = typeof AddedToken.Type

const SimpleNormalizer = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("BertNormalizer"),
    clean_text: flag(true),
    handle_chinese_chars: flag(true),
    /** null: as `lowercase`. */
    strip_accents: nullable(Schema.Boolean),
    lowercase: flag(true)
  }),
  Schema.Struct({ type: Schema.Literal("Strip"), strip_left: flag(true), strip_right: flag(true) }),
  Schema.Struct({
    type: Schema.Literal("StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "ByteLevel")
  }),
  /** The character map of a SentencePiece model, in base64. */
  Schema.Struct({ type: Schema.Literal("Precompiled"), precompiled_charsmap: Schema.NullOr(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("Replace"), pattern: Pattern, content: Schema.String }),
  Schema.Struct({ type: Schema.Literal("Prepend"), prepend: Schema.String })
)
/** A component that changes the text before it is split. */
export type Normalizer =
  | typeof SimpleNormalizer.Type
  | { readonly type: "Sequence"; readonly normalizers: ReadonlyArray<Normalizer> }
/** A normalizer as it is written in a tokenizer.json. */
export type NormalizerEncoded =
  | typeof SimpleNormalizer.Encoded
  | { readonly type: "Sequence"; readonly normalizers: ReadonlyArray<NormalizerEncoded> }
export const Normalizer: Schema.Schema<Normalizer, NormalizerEncoded> = Schema.Union(
  ...SimpleNormalizer.members,
  Schema.Struct({
    type: Schema.Literal("Sequence"),
    normalizers: Schema.Array(Schema.suspend((): Schema.Schema<Normalizer, NormalizerEncoded> => Normalizer))
  })
)

/** What happens to the matches of a pattern when a text is split. */
export const SplitBehavior = Schema.Literal("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
export type SplitBehavior = typeof SplitBehavior.Type

const byteLevel = {
  type: Schema.Literal("ByteLevel"),
  add_prefix_space: flag(true),
  trim_offsets: flag(true),
  use_regex: flag(true)
}

const metaspace = {
  type: Schema.Literal("Metaspace"),
  replacement: Schema.optionalWith(Schema.String, { default: () => "▁" }),
  prepend_scheme: Schema.optional(Schema.Literal("always", "first", "never")),
  /** In older files: `true` means `prepend_scheme: "always"`. */
  add_prefix_space: Schema.optional(Schema.Boolean),
  split: flag(true)
}

const SimplePreTokenizer = Schema.Union(
  Schema.Struct({ type: Schema.Literal("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts") }),
  Schema.Struct(byteLevel),
  Schema.Struct(metaspace),
  Schema.Struct({ type: Schema.Literal("CharDelimiterSplit"), delimiter: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("Split"),
    pattern: Pattern,
    behavior: SplitBehavior,
    invert: flag(false)
  }),
  Schema.Struct({
    type: Schema.Literal("Punctuation"),
    behavior: Schema.optionalWith(SplitBehavior, { default: () => "Isolated" as const })
  }),
  Schema.Struct({ type: Schema.Literal("Digits"), individual_digits: flag(false) }),
  Schema.Struct({ type: Schema.Literal("FixedLength"), length: Schema.Int.pipe(Schema.positive()) })
)
/** A component that splits the text into words. */
export type PreTokenizer =
  | typeof SimplePreTokenizer.Type
  | { readonly type: "Sequence"; readonly pretokenizers: ReadonlyArray<PreTokenizer> }
/** A pre-tokenizer as it is written in a tokenizer.json. */
export type PreTokenizerEncoded =
  | typeof SimplePreTokenizer.Encoded
  | { readonly type: "Sequence"; readonly pretokenizers: ReadonlyArray<PreTokenizerEncoded> }
export const PreTokenizer: Schema.Schema<PreTokenizer, PreTokenizerEncoded> = Schema.Union(
  ...SimplePreTokenizer.members,
  Schema.Struct({
    type: Schema.Literal("Sequence"),
    pretokenizers: Schema.Array(Schema.suspend((): Schema.Schema<PreTokenizer, PreTokenizerEncoded> => PreTokenizer))
  })
)

/** Ids by token, not checked. */
const Vocabulary = Schema.declare(
  (value): value is { readonly [token: string]: unknown } => Predicate.isRecord(value),
  { description: "an object of tokens and ids" }
)
const List = Schema.declare((value): value is ReadonlyArray<unknown> => Array.isArray(value), {
  description: "an array"
})

export const Bpe = Schema.Struct({
  type: Schema.Literal("BPE"),
  dropout: nullable(Schema.Number),
  unk_token: nullable(Schema.String),
  continuing_subword_prefix: nullable(Schema.String),
  end_of_word_suffix: nullable(Schema.String),
  fuse_unk: flag(false),
  byte_fallback: flag(false),
  /** A word that is in the vocabulary becomes that token without merging. */
  ignore_merges: flag(false),
  vocab: Vocabulary,
  /** Pairs of tokens, or strings of two tokens with a space between; the first has the highest rank. */
  merges: List
})
export type Bpe = typeof Bpe.Type

export const WordPiece = Schema.Struct({
  type: Schema.Literal("WordPiece"),
  unk_token: Schema.optionalWith(Schema.String, { default: () => "[UNK]" }),
  continuing_subword_prefix: Schema.optionalWith(Schema.String, { default: () => "##" }),
  max_input_chars_per_word: Schema.optionalWith(Schema.NonNegativeInt, { default: () => 100 }),
  vocab: Vocabulary
})
export type WordPiece = typeof WordPiece.Type

export const WordLevel = Schema.Struct({
  type: Schema.Literal("WordLevel"),
  unk_token: Schema.optionalWith(Schema.String, { default: () => "<unk>" }),
  vocab: Vocabulary
})
export type WordLevel = typeof WordLevel.Type

export const Unigram = Schema.Struct({
  type: Schema.Literal("Unigram"),
  unk_id: nullable(Schema.NonNegativeInt),
  /** Pairs of a token and the logarithm of its probability. The id is the index. */
  vocab: List,
  byte_fallback: flag(false)
})
export type Unigram = typeof Unigram.Type

export const Model = Schema.Union(Bpe, WordPiece, WordLevel, Unigram)
export type Model = typeof Model.Type

const SequenceId = Schema.Literal("A", "B")
const TemplatePiece = Schema.Union(
  Schema.Struct({ SpecialToken: Schema.Struct({ id: Schema.String, type_id: Schema.NonNegativeInt }) }),
  Schema.Struct({ Sequence: Schema.Struct({ id: SequenceId, type_id: Schema.NonNegativeInt }) })
)
const TokenAndId = Schema.Tuple(Schema.String, Schema.NonNegativeInt)

const SimplePostProcessor = Schema.Union(
  Schema.Struct({ type: Schema.Literal("BertProcessing"), sep: TokenAndId, cls: TokenAndId }),
  Schema.Struct({
    type: Schema.Literal("RobertaProcessing"),
    sep: TokenAndId,
    cls: TokenAndId,
    trim_offsets: flag(true),
    add_prefix_space: flag(true)
  }),
  Schema.Struct(byteLevel),
  Schema.Struct({
    type: Schema.Literal("TemplateProcessing"),
    single: Schema.Array(TemplatePiece),
    pair: Schema.Array(TemplatePiece),
    special_tokens: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        id: Schema.String,
        ids: Schema.Array(Schema.NonNegativeInt),
        tokens: Schema.Array(Schema.String)
      })
    })
  })
)
/** A component that adds special tokens. */
export type PostProcessor =
  | typeof SimplePostProcessor.Type
  | { readonly type: "Sequence"; readonly processors: ReadonlyArray<PostProcessor> }
/** A post-processor as it is written in a tokenizer.json. */
export type PostProcessorEncoded =
  | typeof SimplePostProcessor.Encoded
  | { readonly type: "Sequence"; readonly processors: ReadonlyArray<PostProcessorEncoded> }
export const PostProcessor: Schema.Schema<PostProcessor, PostProcessorEncoded> = Schema.Union(
  ...SimplePostProcessor.members,
  Schema.Struct({
    type: Schema.Literal("Sequence"),
    processors: Schema.Array(Schema.suspend((): Schema.Schema<PostProcessor, PostProcessorEncoded> => PostProcessor))
  })
)

const SimpleDecoder = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("BPEDecoder"),
    suffix: Schema.optionalWith(Schema.String, { default: () => "</w>" })
  }),
  Schema.Struct(byteLevel),
  Schema.Struct({
    type: Schema.Literal("WordPiece"),
    prefix: Schema.optionalWith(Schema.String, { default: () => "##" }),
    cleanup: flag(true)
  }),
  Schema.Struct(metaspace),
  Schema.Struct({
    type: Schema.Literal("CTC"),
    pad_token: Schema.optionalWith(Schema.String, { default: () => "<pad>" }),
    word_delimiter_token: Schema.optionalWith(Schema.String, { default: () => "|" }),
    cleanup: flag(true)
  }),
  Schema.Struct({ type: Schema.Literal("Fuse", "ByteFallback") }),
  Schema.Struct({
    type: Schema.Literal("Strip"),
    content: Schema.String,
    start: Schema.NonNegativeInt,
    stop: Schema.NonNegativeInt
  }),
  Schema.Struct({ type: Schema.Literal("Replace"), pattern: Pattern, content: Schema.String })
)
/** A component that joins tokens into text. */
export type Decoder =
  | typeof SimpleDecoder.Type
  | { readonly type: "Sequence"; readonly decoders: ReadonlyArray<Decoder> }
/** A decoder as it is written in a tokenizer.json. */
export type DecoderEncoded =
  | typeof SimpleDecoder.Encoded
  | { readonly type: "Sequence"; readonly decoders: ReadonlyArray<DecoderEncoded> }
export const Decoder: Schema.Schema<Decoder, DecoderEncoded> = Schema.Union(
  ...SimpleDecoder.members,
  Schema.Struct({
    type: Schema.Literal("Sequence"),
    decoders: Schema.Array(Schema.suspend((): Schema.Schema<Decoder, DecoderEncoded> => Decoder))
  })
)

/** The schema of a tokenizer.json. */
export const TokenizerJson = Schema.Struct({
  version: Schema.optionalWith(Schema.String, { default: () => "1.0" }),
  truncation: Schema.optionalWith(Schema.Unknown, { default: () => null }),
  padding: Schema.optionalWith(Schema.Unknown, { default: () => null }),
  added_tokens: Schema.optionalWith(Schema.Array(AddedToken), { default: () => [], nullable: true }),
  normalizer: nullable(Normalizer),
  pre_tokenizer: nullable(PreTokenizer),
  post_processor: nullable(PostProcessor),
  decoder: nullable(Decoder),
  model: Model
})
/** A decoded tokenizer.json. */
export type TokenizerJson = typeof TokenizerJson.Type

/** A special token, found where a text contains exactly its content. */
export const specialToken = (id: number, content: string): AddedToken => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true
})

/** A BPE model; without an unknown token, prefixes or fallback unless they are given. */
export const bpe = (given: Pick<Bpe, "vocab" | "merges"> & Partial<Bpe>): Bpe => ({
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  ...given
})

/** The template `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` where B has type 1. Source: Devlin et al. 2018. */
export const clsAndSep = (
  cls: readonly [token: string, id: number],
  sep: readonly [token: string, id: number]
): PostProcessor => {
  const special = ([id]: typeof cls, type_id: number) => ({ SpecialToken: { id, type_id } })
  const single = [special(cls, 0), { Sequence: { id: "A", type_id: 0 } }, special(sep, 0)] as const
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, { Sequence: { id: "B", type_id: 1 } }, special(sep, 1)],
    special_tokens: Object.fromEntries(
      [cls, sep].map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }])
    )
  }
}

/** A tokenizer.json of the given components. The others do nothing. */
export const make = (given: Pick<TokenizerJson, "model"> & Partial<TokenizerJson>): TokenizerJson => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  ...given
})
