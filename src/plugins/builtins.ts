/**
 * The plugins that come with codex: the one place that lists them.
 *
 * A built-in has no privilege that a stranger's package lacks; it only need not be installed. The environment that the
 * group's layer asks for is the sum of what these plugins need.
 */
import * as Plugin from "../core/plugin/Plugin.ts"
import { NdjsonDataset } from "./datasets/ndjson.ts"
import { TextDataset } from "./datasets/text.ts"
import { Accuracy } from "./metrics/accuracy.ts"
import { BitsPerByte } from "./metrics/bits_per_byte.ts"
import { Loss } from "./metrics/loss.ts"
import { Perplexity } from "./metrics/perplexity.ts"
import { Decoder } from "./models/decoder.ts"
import { BertTokenizer } from "./tokenizers/bert.ts"
import { BpeTokenizer, BpeTrainer } from "./tokenizers/bpe.ts"
import { ByteTokenizer } from "./tokenizers/byte.ts"
import { HuggingFaceTokenizer } from "./tokenizers/huggingface.ts"
import { SentencePieceTokenizer } from "./tokenizers/sentencepiece.ts"
import { TiktokenTokenizer } from "./tokenizers/tiktoken.ts"
import { UnigramTokenizer, UnigramTrainer } from "./tokenizers/unigram.ts"
import { WhitespaceTokenizer } from "./tokenizers/whitespace.ts"
import { WordLevelTokenizer, WordLevelTrainer } from "./tokenizers/wordlevel.ts"
import { WordPieceTokenizer, WordPieceTrainer } from "./tokenizers/wordpiece.ts"
import { Ndjson } from "./trackers/ndjson.ts"

export const builtins = Plugin.group(
  TextDataset,
  NdjsonDataset,
  Accuracy,
  BitsPerByte,
  Loss,
  Perplexity,
  Decoder,
  BpeTokenizer,
  BpeTrainer,
  WordPieceTokenizer,
  WordPieceTrainer,
  UnigramTokenizer,
  UnigramTrainer,
  WordLevelTokenizer,
  WordLevelTrainer,
  ByteTokenizer,
  HuggingFaceTokenizer,
  TiktokenTokenizer,
  SentencePieceTokenizer,
  BertTokenizer,
  WhitespaceTokenizer,
  Ndjson
).from("codex")
