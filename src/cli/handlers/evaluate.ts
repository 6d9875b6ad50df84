/**
 * Measures a trained model, prints a table (or JSON) and appends to the files under runs/eval/.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunConfig } from "../../core/config/RunConfig.ts"
import { Dataset, DatasetError } from "../../core/Dataset.ts"
import { TokenCache } from "../../core/data/TokenFile.ts"
import { Registry } from "../../core/plugin/Registry.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import { datasetOf } from "../../jobs/RunComponents.ts"
import * as EvaluateJob from "../../jobs/RunEvaluation.ts"
import type { Which } from "../../jobs/SavedRun.ts"
import type { Device } from "../../services/backend/onnx/OnnxProtocol.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { count } from "../render/Format.ts"
import * as ProgressLine from "../render/ProgressLine.ts"
import { evaluationTable, scores } from "../render/RunReport.ts"
import { facts } from "../render/Table.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly run: string
  readonly data: ReadonlyArray<string>
  readonly metrics: Option.Option<ReadonlyArray<string>>
  readonly checkpoint: Which
  readonly stride: Option.Option<number>
  readonly device: Option.Option<Device | "auto">
  readonly json: boolean
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const saved = yield* Session.savedConfig(options.run)
    const evaluated = yield* measure(options).pipe(
      Effect.scoped,
      Effect.provide(Session.layerOf(saved, Option.getOrUndefined(options.device)))
    )
    yield* ChangeJournal.result(scores(evaluated.results))
    yield* Console.log(options.json ? JSON.stringify(evaluated) : describe(evaluated))
  })

export const logging = ({ run }: Options) => Session.savedLogging(run)

const measure = (options: Options) =>
  Effect.gen(function* () {
    const { architecture, checkpoint, config, path, run, tokenizer } = yield* Session.open(
      options.run,
      options.checkpoint
    )
    const tokens = yield* tokensOf(config, options.data, tokenizer)
    const metrics = Option.getOrElse(options.metrics, () => config.evaluation.metrics)
    const stride = Option.getOrElse(options.stride, () => config.evaluation.stride)
    const line = yield* ProgressLine.make(process.stderr)
    const results = yield* EvaluateJob.evaluate({
      architecture,
      parameters: checkpoint.parameters,
      tokenizer,
      tokens,
      config: { ...config.evaluation, metrics, ...(stride === undefined ? {} : { stride }) },
      onProgress: (done, of) => line.update(`${ProgressLine.bar(done / of)} ${done}/${of} windows`)
    })
    const data = options.data.length === 0 ? "held out by the run" : options.data.join(" ")
    const files = yield* EvaluateJob.record(run.id, checkpoint.state.step, data, results)
    return { run: run.directory, checkpoint: path, data, tokens: tokens.length, bytes: tokens.bytes, results, files }
  })

/** Tokens of the files that were named, or of what the run held out. */
const tokensOf = (config: RunConfig, data: ReadonlyArray<string>, tokenizer: Tokenizer.Service) =>
  Effect.gen(function* () {
    const registry = yield* Registry
    const cache = yield* TokenCache
    const dataset =
      data.length === 0
        ? yield* datasetOf(config.data)
        : yield* registry.resolve(Dataset.kind, "text", { paths: data, validation: { fraction: 1 } })
    const tokens = yield* cache.open({ dataset, tokenizer, split: "validation" })
    if (tokens.length >= 2) return tokens
    return yield* new DatasetError({
      reason: "Empty",
      path: data.length === 0 ? "the run's held-out text" : data.join(", "),
      details: `there are ${tokens.length} tokens, and it takes two to predict one.`,
      remedy: "Name files to score with --data."
    })
  })

type Evaluated = Effect.Effect.Success<ReturnType<typeof measure>>

const describe = ({ checkpoint, data, files, results, tokens }: Evaluated): string =>
  [
    evaluationTable(results),
    "",
    facts([
      ["Checkpoint", checkpoint],
      ["Text", `${data}, ${count(tokens)} tokens`],
      ["Results", `${files.ndjson}, ${files.csv}`]
    ])
  ].join("\n")
