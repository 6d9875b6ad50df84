/**
 * The job behind `codex evaluate`: metrics of a trained model on held-out text, with standard errors, as a table and as
 * files under `runs/eval/`.
 *
 * Results are appended to `metrics.ndjson`, one object a line, and to `metrics.csv`, which has the same columns.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { stringify } from "csv-stringify/sync"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Backend, type TensorDatas } from "../core/Backend.ts"
import type { EvaluationConfig } from "../core/config/RunConfig.ts"
import { DatasetError } from "../core/Dataset.ts"
import type { TokenFile } from "../core/data/TokenFile.ts"
import * as Evaluation from "../core/evaluation/Evaluation.ts"
import { MetricKind } from "../core/Metric.ts"
import type { Architecture } from "../core/Model.ts"
import { Registry } from "../core/plugin/Registry.ts"
import type { Tokenizer } from "../core/Tokenizer.ts"
import { evaluateProgram, stateNames } from "../core/training/TrainingPrograms.ts"
import { RunStore } from "../services/runs/RunStore.ts"

/** Results that could not be written. */
export class ResultsError extends Schema.TaggedError<ResultsError>()("ResultsError", {
  path: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.path}: the results could not be written: ${reason}. Check space and permissions.`
  }
}

export interface EvaluateOptions {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  readonly tokenizer: Tokenizer.Service
  readonly tokens: TokenFile
  readonly config: EvaluationConfig
  /** Told after each window how many of how many are scored. */
  readonly onProgress?: (done: number, of: number) => Effect.Effect<void>
}

/** Value and standard error of each metric of the config. */
export const evaluate = (options: EvaluateOptions) =>
  Effect.gen(function* () {
    const { architecture, config, tokens } = options
    const registry = yield* Registry
    const metrics = yield* Effect.forEach(config.metrics, (name) => registry.resolve(MetricKind, name, {}))
    const backend = yield* Backend
    const contextLength = architecture.contextLength
    const stride = Math.min(contextLength, config.stride ?? Math.ceil(contextLength / 2))
    if (tokens.length < 2) {
      return yield* new DatasetError({
        reason: "Empty",
        path: "evaluation data",
        details: "There are fewer than two tokens of held-out text, so there is nothing to predict.",
        remedy: "Give more text."
      })
    }
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
    return Evaluation.results(metrics, Chunk.toReadonlyArray(samples), { seed: config.seed })
  }).pipe(Effect.scoped)

/** Appends results to `runs/eval/metrics.ndjson` and `.csv`, and returns both paths. */
export const record = (run: string, step: number, data: string, results: ReadonlyArray<Evaluation.Result>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { root } = yield* RunStore
    const directory = paths.join(root, "eval")
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
    const files = { ndjson: paths.join(directory, "metrics.ndjson"), csv: paths.join(directory, "metrics.csv") }
    yield* fs.makeDirectory(directory, { recursive: true })
    yield* fs.writeFileString(files.ndjson, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { flag: "a" })
    const header = !(yield* fs.exists(files.csv))
    yield* fs.writeFileString(files.csv, stringify(rows, { header }), { flag: "a" })
    return files
  }).pipe(Effect.mapError((cause) => new ResultsError({ path: "runs/eval", cause })))
