/**
 * `codex-ml`: train, evaluate, generate and export, and the parts that these are made of.
 *
 *     import { Run } from "codex-ml"
 *
 * Every name is one of two things. A service or a kind of plugin is a tag, with `make`, `layer`, `kind` and its errors as
 * members: `Dataset.make`, `RunStore.layer`, `Dataset.Error`. Everything else is a namespace of functions and types:
 * `Run.train`, `Training.steps`, `Schedule.cosine`. Types of their signatures stand next to them. Importing starts nothing.
 *
 * Sub-paths: `codex-ml/tokenizers`, `codex-ml/logs`, and `codex-ml/testing` for authors of plugins.
 */

// Whole jobs.

/** What works on this machine, and why the rest does not: `codex doctor`. */
export * as Doctor from "./jobs/Doctor.ts"
/** The layers behind `Run`: files and stores, the registry, all of it. */
export { type AnyPluginGroup, Environment, type Files, type RegistryError } from "./jobs/Environment.ts"
/** A model as one ONNX file. */
export * as OnnxExport from "./jobs/OnnxExport.ts"
/** Fits the settings of a small run to a text, as `codex quickstart` does. */
export * as Quickstart from "./jobs/Quickstart.ts"
/** One handle that trains, opens, evaluates, generates and exports: what most programs need. */
export * as Run from "./jobs/Run.ts"

// Kinds of plugins, each a tag with `kind` and `make`; plugins, their groups and the registry.

/** Text to train and evaluate on. */
export { Dataset, type Document, type Split } from "./core/Dataset.ts"
/** The exit code that an error asks for. */
export * as ExitCode from "./core/ExitCode.ts"
/** What an evaluation reports. */
export { Metric, type Sample, type Totals } from "./core/Metric.ts"
/** An architecture: named parameters, and functions that build graphs. */
export { type Architecture, Model } from "./core/Model.ts"
/** Plugins and their kinds. */
export * as Plugin from "./core/plugin/Plugin.ts"
/** Typed collections of plugins. */
export * as PluginGroup from "./core/plugin/PluginGroup.ts"
/** Finds plugins by kind and name. */
export { type PluginInfo, Registry, type ResolveError } from "./core/plugin/Registry.ts"
/** Text to token ids and back. */
export { Tokenizer } from "./core/Tokenizer.ts"
/** Texts to the files of a tokenizer. */
export { TokenizerTrainer } from "./core/TokenizerTrainer.ts"
/** Where the numbers of a run go. */
export { Tracker } from "./core/Tracker.ts"
/** Finds the plugins of the packages of a project. */
export * as PluginLoader from "./services/plugins/PluginLoader.ts"

// Training, evaluation and generation as Effects and Streams.

/** The order of training windows as a function of seed, epoch and position. */
export * as DataOrder from "./core/data/DataOrder.ts"
/** Removes secrets from text. */
export * as Redaction from "./core/data/Redaction.ts"
/** The cache of tokenized text. */
export { TokenCache, type TokenFile } from "./core/data/TokenFile.ts"
/** Scores of held-out text, and metrics of them with standard errors. */
export * as Evaluation from "./core/evaluation/Evaluation.ts"
/** Sampling and decoding with a key/value cache. */
export * as Generation from "./core/generation/Generation.ts"
/** Saves and loads checkpoints. */
export { type Checkpoint, CheckpointStore, type TextFiles, TrainState } from "./core/training/Checkpoint.ts"
/** Learning-rate schedules as functions of the step. */
export * as Schedule from "./core/training/Schedule.ts"
/** Events of training as a stream, with combinators: evaluate, stop early, save checkpoints, track. */
export * as Training from "./core/training/Training.ts"
/** The Programs of a language model: one update, and scores. */
export * as TrainingPrograms from "./core/training/TrainingPrograms.ts"
/** One training in progress: compiled Programs, their state, one update at a time. */
export { TrainingSession, type TrainingSessionOptions } from "./core/training/TrainingSession.ts"
/** A file that could not be read or written: what is wrong, and what to do. */
export { FileError, type FileOperation } from "./services/files/FileError.ts"
/** Runs on disk. */
export { RunStore } from "./services/runs/RunStore.ts"

// Configs.

/** Composition from files and overrides. */
export * as Config from "./core/config/Config.ts"
/** The schema of a run's config. */
export { RunConfig } from "./core/config/RunConfig.ts"

// The compiler, and the backends that run what it makes.

/** Compiles Programs and keeps their state. */
export { Backend, type DeviceInfo, type Executable, type TensorDatas } from "./core/Backend.ts"
/** Reverse-mode derivatives of graphs. */
export * as Gradient from "./core/tensor/Gradient.ts"
/** Parts of models that own named parameters. */
export * as Module from "./core/tensor/Module.ts"
/** Definitions of operators. */
export * as Operator from "./core/tensor/Operator.ts"
/** Optimizers as chains of gradient transformations. */
export * as Optimizer from "./core/tensor/Optimizer.ts"
/** The operators as functions of tensors. */
export * as ops from "./core/tensor/ops.ts"
/** Pure functions from state and inputs to state and outputs. */
export * as Program from "./core/tensor/Program.ts"
/** The file format of weights. */
export * as Safetensors from "./core/tensor/Safetensors.ts"
/** Values that are not computed yet. */
export * as Tensor from "./core/tensor/Tensor.ts"
/** The backend of ONNX Runtime. */
export * as OnnxBackend from "./services/backend/OnnxBackend.ts"
/** A slow backend in float64, the oracle of every other. */
export * as ReferenceBackend from "./services/backend/ReferenceBackend.ts"

// The built-in plugins as a group, and those that are not in `codex-ml/tokenizers`.

/** All built-in plugins. `builtins.add(YourPlugin)` is a group with yours as well. */
export { builtins } from "./plugins/builtins.ts"
/** Documents in the config itself. */
export { MemoryDataset } from "./plugins/datasets/memory.ts"
/** Documents as lines of JSON. */
export { NdjsonDataset } from "./plugins/datasets/ndjson.ts"
/** Text files as documents. */
export { TextDataset } from "./plugins/datasets/text.ts"
/** The share of tokens that were the most probable one. */
export { Accuracy } from "./plugins/metrics/accuracy.ts"
/** Loss in bits per UTF-8 byte, comparable between tokenizers. */
export { BitsPerByte } from "./plugins/metrics/bits_per_byte.ts"
/** Loss in nats per token. */
export { Loss } from "./plugins/metrics/loss.ts"
/** e to the power of the loss. */
export { Perplexity } from "./plugins/metrics/perplexity.ts"
/** Transformers of the GPT-2 and Llama families. */
export { Decoder } from "./plugins/models/decoder.ts"
/** Metrics as lines of JSON. */
export { Ndjson } from "./plugins/trackers/ndjson.ts"

// The package.

/** The version of this package. */
export { version } from "./core/Version.ts"
