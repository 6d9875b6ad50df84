/**
 * `codex-ml/tokenizers`: tokenizers for programs. Load any common format, encode and decode, make batches, train, measure, compare.
 *
 *     import { HuggingFaceTokenizer, Tokenizer } from "codex-ml/tokenizers"
 *
 * docs/tokenizers.md describes algorithms, formats and options. Importing it loads no backend.
 */
/** One text of a dataset. */
export type { Document } from "./core/Dataset.ts"
/** The registry, for `openTokenizer`: `builtins.layer`. */
export { Registry, type ResolveError } from "./core/plugin/Registry.ts"
/** The tokenizer service: encode, decode, batches, streams, chat templates. Its kind of plugin, and its errors. */
export {
  type ChatMessage,
  type ChatOptions,
  ChatTemplateError,
  Tokenizer,
  TokenizerFileError,
  UnknownToken
} from "./core/Tokenizer.ts"
/** The service that trains tokenizers. Its kind of plugin, and its error. */
export { TokenizerTrainError, TokenizerTrainer } from "./core/TokenizerTrainer.ts"
/** Batches of texts as matrices, and how they are padded. */
export type { Batch, BatchOptions, Padding } from "./core/tokenizer/Batch.ts"
/** Encodings of texts and pairs, and how they are truncated. */
export {
  type EncodeOptions,
  type Encoding,
  EncodingError,
  type Template,
  type TemplatePiece,
  type TextTokens,
  type Truncation
} from "./core/tokenizer/Encoding.ts"
/** The engine: a tokenizer from a tokenizer.json, with `parse` and `render` for its text. */
export * as TokenizerPipeline from "./core/tokenizer/Pipeline.ts"
/** The schema and type of a tokenizer.json, and the types of its components. */
export {
  type Decoder,
  type DecoderEncoded,
  type Normalizer,
  type NormalizerEncoded,
  type PostProcessor,
  type PostProcessorEncoded,
  type PreTokenizer,
  type PreTokenizerEncoded,
  TokenizerJson
} from "./core/tokenizer/TokenizerJson.ts"
/** How a tokenizer tokenizes texts, in numbers. */
export * as TokenizerStatistics from "./core/tokenizer/TokenizerStatistics.ts"
/** Compares two tokenizers on the same texts. */
export { type ComparedTokenizer, type Comparison, compareTokenizers } from "./jobs/tokenizers/compareTokenizers.ts"
/** Saves a tokenizer for Hugging Face's libraries. */
export {
  type ExportTokenizerOptions,
  exportTokenizer,
  TokenizerExportError
} from "./jobs/tokenizers/exportTokenizer.ts"
/** The components of a tokenizer, and the tokens of a text. */
export { type Inspection, inspectTokenizer, type SpecialToken } from "./jobs/tokenizers/inspectTokenizer.ts"
/** Opens a tokenizer by path or name. */
export {
  type OpenedTokenizer,
  type OpenOptions,
  openTokenizer,
  TokenizerNotFound
} from "./jobs/tokenizers/openTokenizer.ts"
/** Where the texts for training and measuring come from. */
export { type OpenedTexts, type TextSource, TextSourceError } from "./jobs/tokenizers/TextSource.ts"
/** Tokens with their places in a text, and where two tokenizers differ. */
export { type Difference, differences, type TokenSpan, tokenSpans } from "./jobs/tokenizers/TokenSpans.ts"
/** What is known of a tokenizer before it is trained. */
export type { Purpose } from "./jobs/tokenizers/TrainingManifest.ts"
/** Trains tokenizers and saves them, or plans to. */
export {
  planTokenizer,
  type Target,
  TokenizerExists,
  type TokenizerPlan,
  type TrainedTokenizer,
  type TrainTokenizerOptions,
  type TrainTokenizerProgress,
  trainTokenizer
} from "./jobs/tokenizers/trainTokenizer.ts"
/** All built-in plugins, for the registry. */
export { builtins } from "./plugins/builtins.ts"
/** BERT's vocab.txt. */
export { BertTokenizer } from "./plugins/tokenizers/bert.ts"
/** Byte-pair encoding, and its trainer. */
export { BpeTokenizer, BpeTrainer } from "./plugins/tokenizers/bpe.ts"
/** One token per byte. */
export { ByteTokenizer } from "./plugins/tokenizers/byte.ts"
/** Any tokenizer in Hugging Face's format. */
export { HuggingFaceTokenizer } from "./plugins/tokenizers/huggingface.ts"
/** SentencePiece's .model files. */
export { SentencePieceTokenizer } from "./plugins/tokenizers/sentencepiece.ts"
/** OpenAI's encodings from rank files. */
export { TiktokenTokenizer } from "./plugins/tokenizers/tiktoken.ts"
/** Unigram, and its trainer. */
export { UnigramTokenizer, UnigramTrainer } from "./plugins/tokenizers/unigram.ts"
/** Words between white space, from a list. */
export { WhitespaceTokenizer } from "./plugins/tokenizers/whitespace.ts"
/** Whole words, and their trainer. */
export { WordLevelTokenizer, WordLevelTrainer } from "./plugins/tokenizers/wordlevel.ts"
/** WordPiece, and its trainer. */
export { WordPieceTokenizer, WordPieceTrainer } from "./plugins/tokenizers/wordpiece.ts"
/** Writes the files of a tokenizer to a directory, all of them or none where possible. */
export { writeFiles as saveTokenizer } from "./services/files/AtomicFiles.ts"
