/**
 * The whole job on one text: fit the config, train, evaluate, generate, and say where everything is and what to try next.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { RunEvent } from "../../core/training/TrainEvent.ts"
import * as Training from "../../core/training/Training.ts"
import * as Quickstart from "../../jobs/Quickstart.ts"
import * as Run from "../../jobs/Run.ts"
import * as RunPlan from "../../jobs/RunPlan.ts"
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
    yield* Run.plan(composed)
    yield* Console.log(header(options))
    const losses: Array<number> = []
    const trained = yield* train(options, composed, losses)
    // None when the run had finished before.
    if (losses.length > 0) yield* Console.log(section("Loss in training, nats per token", curve(losses)))
    yield* finish(trained.directory, options)
  }).pipe(Effect.scoped, Effect.provide(Run.layer()))

const compose = (options: Options) =>
  Effect.gen(function* () {
    const data = options.data.length === 0 ? [] : [`data.paths=${JSON.stringify(options.data)}`, "data.hint=null"]
    const config = yield* RunPlan.defaultFile("quickstart")
    return yield* Run.compose({ config, overrides: [...data, ...options.overrides] })
  })

export const logging = (options: Options) => Session.logging(Effect.provide(compose(options), Run.layer()))

const header = ({ data }: Options): string =>
  [
    `codex quickstart: ${data.length === 0 ? "Moby-Dick" : data.join(", ")}, from text to a language model.`,
    "A tokenizer is trained on the text, then a small model; held-out text says how good it is, and it writes some of its own.",
    "This takes about three minutes on two cores. Ctrl-C stops it, and --resume continues."
  ].join("\n")

const train = (options: Options, composed: RunPlan.Composed, losses: Array<number>) =>
  Effect.gen(function* () {
    const progress = yield* TrainProgress.make(process.stderr)
    return yield* Quickstart.train(composed, {
      resume: options.resume,
      onEvent: (event: RunEvent) => {
        if (event._tag === "Step") losses.push(event.loss)
        return progress(event)
      },
      onChanges: (all) => {
        const changes = all.map(({ from, key, to }) => `${key} ${from} → ${to}`)
        return Effect.logInfo(`This text is short for the usual settings: ${changes.join(", ")}.`)
      }
    })
  }).pipe(
    Training.onInterrupt({
      saved: Console.error(`Interrupted. Resume with:\n  ${again(options)}`),
      failed: ({ message }) => Console.error(message)
    })
  )

const again = ({ data, overrides }: Options): string =>
  [
    "codex quickstart",
    ...data.map((path) => `--data ${shellWord(path)}`),
    "--resume",
    ...overrides.map(shellWord)
  ].join(" ")

/** Evaluation, generated text, and the end. */
const finish = (directory: string, options: Options) =>
  Effect.gen(function* () {
    const run = yield* Run.open(directory)
    const { files, results } = yield* Effect.scoped(
      Effect.flatMap(ProgressLine.make(process.stderr), (line) =>
        run.evaluateFile({ onProgress: (done, of) => line.update(`evaluating: ${done}/${of} windows`) })
      )
    )
    yield* ChangeJournal.result(scores(results))
    yield* Console.log(section("On held-out text", evaluationTable(results)))
    const { file, prompt, text } = yield* run.generateFile()
    yield* Console.log(section(`Generated from ${JSON.stringify(prompt)}`, prompt + text))
    yield* Console.log(
      section(
        "Written",
        facts([
          ["Run", run.directory],
          ["Checkpoint", run.checkpoint],
          ["Tokenizer", run.tokenizerDirectory],
          ["Evaluation", `${files.ndjson}, ${files.csv}`],
          ["Text", file]
        ])
      )
    )
    const name = shellWord(run.directory)
    const own = options.data.length === 0 ? "" : ` data.paths=${shellWord(JSON.stringify(options.data))}`
    yield* Console.log(
      `\n${nextCommands([
        `codex generate --run ${name} --prompt "The whale" --temperature 0.7`,
        `codex evaluate --run ${name} --metrics perplexity,bits_per_byte,accuracy`,
        `codex export onnx --run ${name} --out model.onnx`,
        `codex train model=tiny training.epochs=1${own}`
      ])}`
    )
  })

const section = (title: string, body: string): string => `\n${title}\n\n${body}`
