/**
 * The plugins that come with codex. This is the only list of them.
 *
 * A built-in plugin has no privilege that a third-party package lacks; it only needs no installation. The group's layer
 * needs what all of these plugins need together.
 */
import * as PluginGroup from "../core/plugin/PluginGroup.ts"
import { MemoryDataset } from "./datasets/memory.ts"
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

/** The dataset plugins of data that names no plugin: documents in the config, and files that no plugin declares to read. */
export const datasetPlugins = { documents: MemoryDataset.name, files: TextDataset.name } as const

/** The trainer of a tokenizer training that names none. */
export const trainerPlugin = BpeTrainer.name

/** The metric plugins of an evaluation that names none. */
export const metricPlugins = [Perplexity.name, BitsPerByte.name, Accuracy.name] as const

/** The trackers of a run that names none, with their configs. */
export const trackerPlugins = { [Ndjson.name]: {} }

/** The plugins that come with codex. `builtins.add(YourPlugin)` is a group with yours as well. */
export const builtins = PluginGroup.make(
  TextDataset,
  NdjsonDataset,
  MemoryDataset,
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
