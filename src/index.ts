/**
 * The public names of codex-ml.
 *
 * A kind is a tag with its services' helpers (`Tokenizer`, `Tokenizer.kind`); a module of functions is a namespace
 * (`Plugin.make`, `Training.steps`, `OnnxBackend.layer`); a job is what the command of its name does (`train`, `evaluate`, …).
 * Importing it starts nothing. Test suites for plugins are in `codex-ml/testing`.
 */

// Tensors, Programs and the backends that run them.
export { Backend, BackendError, type DeviceInfo, type Executable, type TensorDatas } from "./core/Backend.ts"
// Configs, and the jobs of the command.
export * as Config from "./core/config/Config.ts"
export { RunConfig } from "./core/config/RunConfig.ts"
// Kinds, plugins and the registry.
export { Dataset, DatasetError } from "./core/Dataset.ts"
export * as DataOrder from "./core/data/DataOrder.ts"
export * as Redaction from "./core/data/Redaction.ts"
export { TokenCache, TokenFileError } from "./core/data/TokenFile.ts"
export * as Evaluation from "./core/evaluation/Evaluation.ts"
export * as Generation from "./core/generation/Generation.ts"
export { Metric } from "./core/Metric.ts"
export { type Architecture, Model, ModelError } from "./core/Model.ts"
export * as Plugin from "./core/plugin/Plugin.ts"
export {
  ApiMismatch,
  DuplicatePlugin,
  PluginConfigError,
  PluginInitError,
  UnknownPlugin
} from "./core/plugin/PluginError.ts"
export * as PluginGroup from "./core/plugin/PluginGroup.ts"
export { type PluginInfo, Registry } from "./core/plugin/Registry.ts"
export {
  type ChatMessage,
  type ChatOptions,
  ChatTemplateError,
  Tokenizer,
  TokenizerFileError,
  UnknownToken
} from "./core/Tokenizer.ts"
export { TokenizerTrainError, TokenizerTrainer } from "./core/TokenizerTrainer.ts"
export { Tracker, TrackerError } from "./core/Tracker.ts"
export { grad } from "./core/tensor/Gradient.ts"
export * as Module from "./core/tensor/Module.ts"
export * as Operator from "./core/tensor/Operator.ts"
export * as Optimizer from "./core/tensor/Optimizer.ts"
export * as ops from "./core/tensor/ops.ts"
export * as Program from "./core/tensor/Program.ts"
export * as Safetensors from "./core/tensor/Safetensors.ts"
export * as Tensor from "./core/tensor/Tensor.ts"
export type { Batch, BatchOptions, Padding } from "./core/tokenizer/Batch.ts"
export type { EncodeOptions, Encoding, TextTokens, Truncation } from "./core/tokenizer/Encoding.ts"
export { EncodingError } from "./core/tokenizer/Encoding.ts"
export * as TokenizerPipeline from "./core/tokenizer/Pipeline.ts"
export { TokenizerJson } from "./core/tokenizer/TokenizerJson.ts"
export * as TokenizerStatistics from "./core/tokenizer/TokenizerStatistics.ts"
// Training, evaluation and generation as Effects and Streams.
export { CheckpointError, CheckpointStore, TrainState } from "./core/training/Checkpoint.ts"
export * as Schedule from "./core/training/Schedule.ts"
export * as TrainEvent from "./core/training/TrainEvent.ts"
export * as Training from "./core/training/Training.ts"
export * as Programs from "./core/training/TrainingPrograms.ts"
export { NonFiniteLoss, TrainConfigError, TrainingSession } from "./core/training/TrainingSession.ts"
export { version } from "./core/Version.ts"
export * as Environment from "./jobs/Environment.ts"
export * as OnnxExport from "./jobs/OnnxExport.ts"
export * as Quickstart from "./jobs/Quickstart.ts"
export * as Run from "./jobs/Run.ts"
export { type Comparison, compareTokenizers } from "./jobs/tokenizers/compareTokenizers.ts"
export { exportTokenizer, TokenizerExportError } from "./jobs/tokenizers/exportTokenizer.ts"
export { type Inspection, inspectTokenizer } from "./jobs/tokenizers/inspectTokenizer.ts"
export { type OpenedTokenizer, openTokenizer, TokenizerNotFound } from "./jobs/tokenizers/openTokenizer.ts"
export { type TextSource, TextSourceError } from "./jobs/tokenizers/TextSource.ts"
export { type Difference, differences, type TokenSpan, tokenSpans } from "./jobs/tokenizers/TokenSpans.ts"
export { planTokenizer, TokenizerExists, type TokenizerPlan, trainTokenizer } from "./jobs/tokenizers/trainTokenizer.ts"
// The built-in plugins, alone and together.
export { builtins } from "./plugins/builtins.ts"
export { NdjsonDataset } from "./plugins/datasets/ndjson.ts"
export { TextDataset } from "./plugins/datasets/text.ts"
export { Accuracy } from "./plugins/metrics/accuracy.ts"
export { BitsPerByte } from "./plugins/metrics/bits_per_byte.ts"
export { Loss } from "./plugins/metrics/loss.ts"
export { Perplexity } from "./plugins/metrics/perplexity.ts"
export { Decoder } from "./plugins/models/decoder.ts"
export { BertTokenizer } from "./plugins/tokenizers/bert.ts"
export { BpeTokenizer, BpeTrainer } from "./plugins/tokenizers/bpe.ts"
export { ByteTokenizer } from "./plugins/tokenizers/byte.ts"
export { HuggingFaceTokenizer } from "./plugins/tokenizers/huggingface.ts"
export { SentencePieceTokenizer } from "./plugins/tokenizers/sentencepiece.ts"
export { TiktokenTokenizer } from "./plugins/tokenizers/tiktoken.ts"
export { UnigramTokenizer, UnigramTrainer } from "./plugins/tokenizers/unigram.ts"
export { WhitespaceTokenizer } from "./plugins/tokenizers/whitespace.ts"
export { WordLevelTokenizer, WordLevelTrainer } from "./plugins/tokenizers/wordlevel.ts"
export { WordPieceTokenizer, WordPieceTrainer } from "./plugins/tokenizers/wordpiece.ts"
export { Ndjson } from "./plugins/trackers/ndjson.ts"
export * as OnnxBackend from "./services/backend/OnnxBackend.ts"
export * as ReferenceBackend from "./services/backend/ReferenceBackend.ts"
export { writeFiles as saveTokenizer } from "./services/files/AtomicFiles.ts"
export { ChangeJournal } from "./services/logs/ChangeJournal.ts"
export type { LogQuery, LogStats, SessionSummary } from "./services/logs/LogQuery.ts"
export * as LogReader from "./services/logs/LogReader.ts"
export * as LogSnapshot from "./services/logs/LogSnapshot.ts"
export * as LogRotation from "./services/logs/rotation/LogRotation.ts"
export * as SampleLog from "./services/logs/SampleLog.ts"
export type { LogEvent, SessionEvent } from "./services/logs/SessionEvent.ts"
export { SessionLog } from "./services/logs/SessionLog.ts"
export * as TimeExpression from "./services/logs/TimeExpression.ts"
export { SessionLogError } from "./services/logs/write/Sink.ts"
export { SqlitePool } from "./services/logs/write/SqlitePool.ts"
export * as PluginLoader from "./services/plugins/PluginLoader.ts"
export { type RunDirectory, RunError, RunStore } from "./services/runs/RunStore.ts"
