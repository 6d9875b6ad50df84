/**
 * The whole job on one text: fit the config, train, evaluate, generate, and say where everything is and what to try next.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DatasetError } from "../../core/Dataset.ts"
import { TokenCache } from "../../core/data/TokenFile.ts"
import * as Layers from "../../jobs/Environment.ts"
import type { JobEvent, OnEvent } from "../../jobs/JobEvent.ts"
import * as Quickstart from "../../jobs/Quickstart.ts"
import * as Resumable from "../../jobs/Resumable.ts"
import { datasetOf } from "../../jobs/RunComponents.ts"
import * as EvaluateJob from "../../jobs/RunEvaluation.ts"
import * as GenerateJob from "../../jobs/RunGeneration.ts"
import * as LoadConfig from "../../jobs/RunPlan.ts"
import { saveGenerated } from "../../jobs/saveGenerated.ts"
import * as TrainJob from "../../jobs/TrainingRun.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { curve } from "../render/Curve.ts"
import * as ProgressLine from "../render/ProgressLine.ts"
import { evaluationTable, scores } from "../render/RunReport.ts"
import { facts, nextCommands, shellWord } from "../render/Table.ts"
import * as TrainProgress from "../render/TrainProgress.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly data: ReadonlyArray<string>
  readonly resume: boolean
  readonly overrides: ReadonlyArray<string>
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const composed = yield* compose(options)
    const { config } = yield* Session.load(composed)
    yield* Console.log(header(options))
    yield* Effect.gen(function* () {
      const losses: Array<number> = []
      const trained = yield* train(options, composed, losses)
      // None when the run had finished before.
      if (losses.length > 0) yield* Console.log(section("Loss in training, nats per token", curve(losses)))
      yield* finish(trained.run.directory)
    }).pipe(Effect.scoped, Effect.provide(Session.layerOf(config)))
  })

const compose = (options: Options) =>
  Effect.gen(function* () {
    const data = options.data.length === 0 ? [] : [`data.paths=${JSON.stringify(options.data)}`]
    const file = yield* LoadConfig.defaultFile("quickstart")
    return yield* LoadConfig.compose(file, [...data, ...options.overrides])
  }).pipe(Effect.provide(Layers.files()))

export const logging = (options: Options) => Session.logging(compose(options))

const header = ({ data }: Options): string =>
  [
    `codex quickstart: ${data.length === 0 ? "Moby-Dick" : data.join(", ")}, from text to a language model.`,
    "A tokenizer is trained on the text, then a small model; held-out text says how good it is, and it writes some of its own.",
    "This takes about three minutes on two cores. Ctrl-C stops it, and --resume goes on."
  ].join("\n")

const train = (options: Options, composed: LoadConfig.Composed, losses: Array<number>) =>
  Effect.gen(function* () {
    const progress = yield* TrainProgress.make(process.stderr)
    const onEvent: OnEvent = (event: JobEvent) => {
      if (event._tag === "Step") losses.push(event.loss)
      return progress(event)
    }
    const fitted = yield* adapted(composed, onEvent)
    if (fitted.changes.length > 0) {
      const changes = fitted.changes.map(({ from, key, to }) => `${key} ${from} → ${to}`)
      yield* Effect.logInfo(`This text is short for the usual settings: ${changes.join(", ")}.`)
    }
    const run = options.resume ? yield* Resumable.newest(fitted.config) : yield* Quickstart.begin(fitted)
    return yield* TrainJob.train({ config: fitted.config, configText: fitted.text, resume: run, onEvent })
  }).pipe(
    Effect.scoped,
    Effect.onInterrupt(() => Console.error(`Interrupted. Go on with:\n  ${again(options)}`))
  )

/** The config fitted to the text; a missing corpus is told apart from a pattern of the user that finds nothing. */
const adapted = (composed: LoadConfig.Composed, onEvent: OnEvent) =>
  Effect.gen(function* () {
    const { config } = yield* LoadConfig.decode(composed)
    const corpus = Quickstart.corpusOf(config)
    const dataset = Effect.scoped(datasetOf(config.data))
    if (corpus !== undefined) {
      yield* Effect.mapError(dataset, (error) =>
        error._tag === "PluginInitError" && isNotFound(error.cause) ? new Quickstart.NoCorpus({ paths: corpus }) : error
      )
    }
    return yield* Quickstart.fit(composed, onEvent)
  })

const isNotFound = (cause: unknown) => cause instanceof DatasetError && cause.reason === "NotFound"

const again = ({ data, overrides }: Options): string =>
  [
    "codex quickstart",
    ...data.map((path) => `--data ${shellWord(path)}`),
    "--resume",
    ...overrides.map(shellWord)
  ].join(" ")

/** Evaluation, generated text, and the end. */
const finish = (run: string) =>
  Effect.gen(function* () {
    const opened = yield* Session.open(run, "best")
    const { architecture, checkpoint, config, path, tokenizer } = opened
    const parameters = checkpoint.parameters
    const cache = yield* TokenCache
    const tokens = yield* cache.open({ dataset: yield* datasetOf(config.data), tokenizer, split: "validation" })
    const results = yield* Effect.scoped(
      Effect.flatMap(ProgressLine.make(process.stderr), (line) =>
        EvaluateJob.evaluate({
          architecture,
          parameters,
          tokenizer,
          tokens,
          config: config.evaluation,
          onProgress: (done, of) => line.update(`evaluating: ${done}/${of} windows`)
        })
      )
    )
    const files = yield* EvaluateJob.record(opened.run.id, checkpoint.state.step, "held out by the run", results)
    yield* ChangeJournal.result(scores(results))
    yield* Console.log(section("On held-out text", evaluationTable(results)))

    const { generation } = config
    let count = 0
    const pieces = yield* GenerateJob.generate({
      architecture,
      parameters,
      tokenizer,
      config: generation,
      onToken: Effect.sync(() => {
        count += 1
      })
    }).pipe(Stream.mkString)
    const text = generation.prompt + pieces
    const kept = yield* saveGenerated({ run, checkpoint: path, config: generation, text, tokens: count })
    yield* Console.log(section(`Generated from ${JSON.stringify(generation.prompt)}`, text))
    yield* Console.log(
      section(
        "Written",
        facts([
          ["Run", opened.run.directory],
          ["Checkpoint", path],
          ["Tokenizer", opened.run.tokenizer],
          ["Evaluation", `${files.ndjson}, ${files.csv}`],
          ["Text", kept]
        ])
      )
    )
    const name = shellWord(opened.run.directory)
    const own = Quickstart.corpusOf(config) === undefined ? JSON.stringify(config.data.paths) : undefined
    yield* Console.log(
      `\n${nextCommands([
        `codex generate --run ${name} --prompt "The whale" --temperature 0.7`,
        `codex evaluate --run ${name} --metrics perplexity,bits_per_byte,accuracy`,
        `codex export onnx --run ${name} --out model.onnx`,
        `codex train model=tiny training.epochs=1${own === undefined ? "" : ` data.paths=${shellWord(own)}`}`
      ])}`
    )
  })

const section = (title: string, body: string): string => `\n${title}\n\n${body}`
