/**
 * codex evaluate --run runs/<id> [--data 'held-out/*.txt'] [--metrics perplexity,bits_per_byte,accuracy]
 *
 *     $ codex evaluate --run runs/<id>
 *     metric         value  ± stderr  unit
 *     bits_per_byte  2.083     0.012  bits/byte
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { inPreparedSession, load, recordResult } from "./Handler.ts"
import { count, json } from "./Options.ts"
import * as ProgressLine from "./render/ProgressLine.ts"
import { evaluationReport, scores } from "./render/RunReport.ts"
import * as TrainedRun from "./TrainedRun.ts"

const data = Options.text("data").pipe(
  Options.withDescription("Text files to score in full; may be repeated. Default: the text that the run held out"),
  Options.withPseudoName("path"),
  Options.repeated
)
const metrics = Options.text("metrics").pipe(
  Options.withDescription("Metric plugins, separated by commas. Default: those of the run's config"),
  Options.withPseudoName("names"),
  Options.map((text) => text.split(",").map((name) => name.trim())),
  Options.optional
)
const stride = count("stride").pipe(
  Options.withDescription("Tokens by which the window moves. Default: half the context length"),
  Options.optional
)
const { checkpoint, device, run } = TrainedRun

export const evaluate = Command.make(
  "evaluate",
  { run, data, metrics, checkpoint, stride, device, json },
  inPreparedSession(TrainedRun.find, ({ saved }, { checkpoint, data, json, metrics, stride }) =>
    Effect.gen(function* () {
      const Run = yield* load(() => import("../jobs/Run.ts"))
      const run = yield* Run.open(saved, { checkpoint })
      // The line ends before the report is printed.
      const evaluation = yield* Effect.scoped(
        Effect.flatMap(ProgressLine.make(process.stderr), (line) =>
          run.evaluateFile({
            data: data.length === 0 ? undefined : { paths: data },
            metrics: Option.getOrUndefined(metrics),
            stride: Option.getOrUndefined(stride),
            onProgress: (done, of) => line.update(`${ProgressLine.bar(done / of)} ${done}/${of} windows`)
          })
        )
      )
      const result = { run: run.directory, checkpoint: run.checkpoint, ...evaluation }
      yield* recordResult(scores(evaluation.results))
      yield* Console.log(json ? JSON.stringify(result) : evaluationReport(result))
    })
  )
).pipe(
  Command.withDescription(
    "Measure a trained model on held-out text, with standard errors. " +
      "Example: codex evaluate --run runs/<id> --data 'held-out/*.txt' --metrics perplexity,bits_per_byte"
  ),
  Command.provide(({ device }) => TrainedRun.environment({ device }))
)
