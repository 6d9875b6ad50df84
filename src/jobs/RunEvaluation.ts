/**
 * The job behind `codex evaluate`: metrics of a trained model on held-out text, with standard errors, and their files under
 * `runs/eval/`.
 *
 * Results are appended to `metrics.ndjson`, one object per line, and to `metrics.csv`, which has the same columns.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { stringify } from "csv-stringify/sync"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { Backend, type TensorDatas } from "../core/Backend.ts"
import type { EvaluationConfig } from "../core/config/RunConfig.ts"
import { type Dataset, DatasetError } from "../core/Dataset.ts"
import * as DatasetIdentity from "../core/data/DatasetIdentity.ts"
import { TokenCache, type TokenFile } from "../core/data/TokenFile.ts"
import * as Evaluation from "../core/evaluation/Evaluation.ts"
import { Metric } from "../core/Metric.ts"
import type { Architecture } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import { evaluateProgram, stateNames } from "../core/training/TrainingPrograms.ts"
import { FileError } from "../services/files/FileError.ts"
import * as FileLock from "../services/files/FileLock.ts"
import { type RunDirectory, RunStore } from "../services/runs/RunStore.ts"
import { checkFiles, type Data, datasetSection, isDataset, isDocuments } from "./DataSection.ts"
import { datasetOf } from "./RunComponents.ts"
import * as RunData from "./RunData.ts"
import type { RunPlan } from "./RunPlan.ts"

/** Called after each window with the number of windows that are scored, and of all. */
export type OnWindow = (done: number, of: number) => Effect.Effect<void>

export interface EvaluateOptions {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  readonly tokenizer: Tokenizer.Service
  readonly tokens: TokenFile
  readonly config: EvaluationConfig
  /** Metric plugins. */
  readonly metrics: ReadonlyArray<string>
  readonly onProgress?: OnWindow | undefined
}

/** Value and standard error of each metric of the config. */
export const evaluate = (options: EvaluateOptions) =>
  Effect.gen(function* () {
    const { architecture, config, tokens } = options
    const registry = yield* Registry
    const metrics = yield* Effect.forEach(options.metrics, (name) => registry.resolve(Metric.kind, name, {}))
    const backend = yield* Backend
    const contextLength = architecture.contextLength
    const stride = Math.min(contextLength, config.stride ?? Math.ceil(contextLength / 2))
    const program = yield* evaluateProgram(architecture, { batchSize: config.batch_size, contextLength })
    const executable = yield* backend.compile({ evaluate: program })
    yield* executable.writeState(stateNames.parameters(options.parameters))
    const of = Evaluation.windows(tokens.length, contextLength, stride).length
    let done = 0
    const samples = yield* Evaluation.score({
      file: tokens,
      tokenBytes: yield* Evaluation.tokenBytesOf(options.tokenizer),
      contextLength,
      stride,
      batchSize: config.batch_size,
      limit: undefined,
      run: (inputs) => executable.run("evaluate", inputs)
    }).pipe(
      Stream.tap(() => options.onProgress?.(++done, of) ?? Effect.void),
      Stream.runCollect
    )
    const scored = Chunk.toReadonlyArray(samples)
    return yield* Evaluation.requireFinite(Evaluation.results(metrics, scored, { seed: config.seed }), scored)
  }).pipe(Effect.scoped)

/** The run whose held-out text is scored, and what it was trained with. */
export interface Scored extends Pick<RunPlan, "config" | "services"> {
  readonly run: RunDirectory
  readonly tokenizer: Tokenizer.Service
}

/**
 * The text to score, in words and as tokens: what the run held out, or all of the text that is given. A Dataset and the section
 * of a plugin have their own splits: their held-out documents are scored.
 */
export const textToScore = (scored: Scored, data: Data | Dataset.Service | undefined) =>
  Effect.gen(function* () {
    const { tokenizer } = scored
    const name = nameOf(data)
    const cache = yield* TokenCache
    const tokens =
      data === undefined
        ? yield* heldOut(scored)
        : yield* cache.open({
            dataset: isDataset(data) ? data : yield* datasetToScore(data),
            tokenizer,
            split: "validation"
          })
    if (tokens.length >= 2) return { name, tokens }
    return yield* new DatasetError({
      reason: "Empty",
      path: name,
      details: `There ${tokens.length === 1 ? "is 1 token" : "are no tokens"}, and it takes 2 to predict one.`,
      remedy: data === undefined ? "Name other text: --data, or the option data of run.evaluate." : "Give more text."
    })
  })

/** The dataset of data that is given, whose text is all held out unless it is the section of a plugin. */
const datasetToScore = (data: Data) =>
  Effect.gen(function* () {
    const section = yield* datasetSection(data, { validation: { fraction: 1 } })
    const dataset = yield* datasetOf(section)
    if (!Predicate.hasProperty(data, "name")) yield* checkFiles(section.name, dataset.files, "data")
    return dataset
  })

/**
 * The tokens that a run held out: those of the token cache, whatever has become of the files, else those of the data if its
 * held-out text is still the same.
 */
const heldOut = ({ config, run, services, tokenizer }: Scored) =>
  Effect.gen(function* () {
    const unavailable = (details: string) => new RunData.HeldOutUnavailable({ run: run.directory, details })
    const found = yield* RunData.read(run)
    if (Option.isNone(found)) {
      return yield* unavailable("what it held out is not recorded (there is no data.json; codex 0.1.0 wrote none)")
    }
    const data = found.value
    if (data.tokenizer !== RunData.tokenizerDigest(tokenizer)) {
      return yield* new RunData.TokenizerChanged({ run: run.directory })
    }
    const notHeldOut = RunData.notHeldOut(data)
    if (notHeldOut !== undefined) return yield* unavailable(notHeldOut.details)
    const cache = yield* TokenCache
    const cached = yield* cache.find({ digest: data.validation.digest, tokenizer })
    if (Option.isSome(cached)) return cached.value
    const dataset = yield* datasetOf(config.data, services.data)
    const identity = yield* dataset.identity
    if (identity.validation.digest === data.validation.digest) {
      return yield* cache.open({ dataset, tokenizer, split: "validation" })
    }
    const changes = DatasetIdentity.changes(data, identity).join("; ")
    return yield* unavailable(`the data has changed since (${changes}), and the token cache does not have it any more`)
  })

const nameOf = (data: Data | Dataset.Service | undefined): string => {
  if (data === undefined) return "held out by the run"
  if (typeof data === "string") return data
  if (isDataset(data)) return "a Dataset"
  if (isDocuments(data)) return data.length === 1 ? "1 document" : `${data.length} documents`
  if ("name" in data) return `the dataset ${data.name}`
  return typeof data.paths === "string" ? data.paths : data.paths.join(" ")
}

/** Files to which results were appended. */
export interface ResultFiles {
  readonly ndjson: string
  readonly csv: string
}

/** Appends results to `eval/metrics.ndjson` and `.csv` below the directory of all runs. `data` says what was scored. */
export const record = (run: string, step: number, data: string, results: ReadonlyArray<Evaluation.Result>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { root } = yield* RunStore
    const directory = paths.join(root, "eval")
    const files: ResultFiles = {
      ndjson: paths.join(directory, "metrics.ndjson"),
      csv: paths.join(directory, "metrics.csv")
    }
    const time = DateTime.formatIso(yield* DateTime.now)
    const rows = results.map(({ metric, stderr, unit, value }) => ({
      time,
      run,
      step,
      data,
      metric,
      value,
      stderr,
      unit
    }))
    const append = (path: string, content: string) =>
      Effect.mapError(fs.writeFileString(path, content, { flag: "a" }), FileError.from(path, "write"))
    yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), FileError.from(directory, "write"))
    // Evaluations that end at the same time must not both write the header.
    yield* FileLock.exclusively(
      paths.join(directory, "metrics.lock"),
      Effect.gen(function* () {
        yield* append(files.ndjson, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
        const header = !(yield* Effect.mapError(fs.exists(files.csv), FileError.from(files.csv, "read")))
        yield* append(files.csv, stringify(rows, { header }))
      })
    )
    return files
  })
