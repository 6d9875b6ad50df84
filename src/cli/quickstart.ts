/**
 * codex quickstart [--data 'path/*.txt'] [--resume] [key=value …]
 *
 *     $ codex quickstart
 *     …                       progress, loss curve, evaluation, generated text, and where everything is
 */
import { join } from "node:path"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Run } from "../jobs/Run.ts"
import { inPreparedSession, load, recordResult } from "./Handler.ts"
import { overrides } from "./Options.ts"
import * as ProgressLine from "./render/ProgressLine.ts"
import { evaluationTable, scores } from "./render/RunReport.ts"
import { facts, nextCommands, shellWord } from "./render/Table.ts"
import * as TrainProgress from "./render/TrainProgress.ts"
import * as TrainedRun from "./TrainedRun.ts"

const data = Options.text("data").pipe(
  Options.withDescription(
    "Your own text: a file, a directory or a quoted pattern; may be repeated. Default: Moby-Dick"
  ),
  Options.withPseudoName("path"),
  Options.repeated
)
const resume = Options.boolean("resume").pipe(
  Options.withDescription("Resume the last quickstart that was interrupted.")
)

export const quickstart = Command.make(
  "quickstart",
  { data, resume, overrides },
  inPreparedSession(
    ({ data, overrides }) =>
      Effect.gen(function* () {
        const [Run, RunPlan] = yield* load(() => Promise.all([import("../jobs/Run.ts"), import("../jobs/RunPlan.ts")]))
        const paths = data.length === 0 ? [] : [`data.paths=${JSON.stringify(data)}`]
        // The prompt of the config belongs to its text; for another text, its own first words take its place.
        const own = paths.length > 0 || overrides.some((word) => /^[+~]?data[.=]/.test(word))
        const prompt = own ? ["generation.prompt=''"] : []
        const config = yield* RunPlan.defaultFile("quickstart")
        const composed = yield* Run.compose({ config, overrides: [...paths, ...prompt, ...overrides] })
        return { composed, logging: RunPlan.loggingOf(composed) }
      }),
    ({ composed }, { data, overrides, resume }) =>
      Effect.gen(function* () {
        const [Run, Quickstart, { curve }] = yield* load(() =>
          Promise.all([import("../jobs/Run.ts"), import("../jobs/Quickstart.ts"), import("./render/Curve.ts")])
        )
        yield* Run.plan(composed)
        yield* Console.log(introduction(data))
        const losses: Array<number> = []
        const trained = yield* TrainProgress.follow(
          (onEvent) =>
            Quickstart.train(composed, {
              resume,
              onEvent: (event) => {
                if (event._tag === "Step") losses.push(event.loss)
                return onEvent(event)
              },
              onChanges: (changes) =>
                Effect.logInfo(
                  "This text is short for the usual settings: " +
                    `${changes.map(({ from, key, to }) => `${key} ${from} → ${to}`).join(", ")}.`
                )
            }),
          { resumeCommand: () => resumeCommand(data, overrides) }
        )
        // A run that had finished before has no new losses.
        if (losses.length > 0) yield* Console.log(section("Training loss, nats per token", curve(losses)))
        yield* evaluateAndGenerate(yield* Run.open(trained.directory), data)
      })
  )
).pipe(
  Command.withDescription(
    "From text to a tokenizer, a model, its evaluation and new text, in about three minutes. " +
      "Example: codex quickstart --data 'notes/*.txt'"
  ),
  Command.provide(() => TrainedRun.environment({ device: Option.none() }))
)

const introduction = (data: ReadonlyArray<string>): string =>
  [
    `codex quickstart: ${data.length === 0 ? "Moby-Dick" : data.join(", ")}, from text to a language model.`,
    "It trains a tokenizer and a small model on the text, measures the model on held-out text, and generates new text.",
    "This takes about three minutes on two cores. Ctrl-C stops it, and --resume continues."
  ].join("\n")

const resumeCommand = (data: ReadonlyArray<string>, overrides: ReadonlyArray<string>): string =>
  [
    "codex quickstart",
    ...data.map((path) => `--data ${shellWord(path)}`),
    "--resume",
    ...overrides.map(shellWord)
  ].join(" ")

const evaluateAndGenerate = (run: Run, data: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { files, results } = yield* Effect.scoped(
      Effect.flatMap(ProgressLine.make(process.stderr), (line) =>
        run.evaluateFile({ onProgress: (done, of) => line.update(`evaluating: ${done}/${of} windows`) })
      )
    )
    yield* recordResult(scores(results))
    yield* Console.log(section("On held-out text", evaluationTable(results)))
    const { file, prompt, text } = yield* run.generateFile()
    yield* Console.log(section(`Generated from ${JSON.stringify(prompt)}`, prompt + text))
    const directory = shellWord(run.directory)
    yield* Console.log(
      section(
        "Written",
        facts([
          ["Run", run.directory],
          ["Checkpoint", run.checkpoint],
          ["Tokenizer", join(run.directory, "tokenizer")],
          ["Evaluation", `${files.ndjson}, ${files.csv}`],
          ...(file === undefined ? [] : [["Text", file] as const])
        ])
      )
    )
    const paths = data.length === 0 ? "" : ` ${shellWord(`data.paths=${JSON.stringify(data)}`)}`
    yield* Console.log(
      `\n${nextCommands([
        `codex generate --run ${directory} --prompt ${shellWord(run.config.generation.prompt)} --temperature 0.7`,
        `codex evaluate --run ${directory} --metrics perplexity,bits_per_byte,accuracy`,
        `codex export onnx --run ${directory} --out model.onnx`,
        `codex train model=tiny training.epochs=1${paths}`
      ])}`
    )
  })

const section = (title: string, body: string): string => `\n${title}\n\n${body}`
