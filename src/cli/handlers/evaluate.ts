/**
 * Measures a trained model, prints a table (or JSON) and appends to the files under runs/eval/.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Run from "../../jobs/Run.ts"
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
    const run = yield* Run.open(options.run, { checkpoint: options.checkpoint })
    const line = yield* ProgressLine.make(process.stderr)
    const evaluation = yield* run.evaluateFile({
      data: options.data.length === 0 ? undefined : { paths: options.data },
      metrics: Option.getOrUndefined(options.metrics),
      stride: Option.getOrUndefined(options.stride),
      onProgress: (done, of) => line.update(`${ProgressLine.bar(done / of)} ${done}/${of} windows`)
    })
    yield* ChangeJournal.result(scores(evaluation.results))
    const { data, files, results, tokens } = evaluation
    const text = [
      evaluationTable(results),
      "",
      facts([
        ["Checkpoint", run.checkpoint],
        ["Text", `${data}, ${count(tokens)} tokens`],
        ["Results", `${files.ndjson}, ${files.csv}`]
      ])
    ].join("\n")
    const json = { run: run.directory, checkpoint: run.checkpoint, ...evaluation }
    yield* Console.log(options.json ? JSON.stringify(json) : text)
  }).pipe(Effect.scoped, Effect.provide(Run.layer({ device: Option.getOrUndefined(options.device) })))

export const logging = ({ run }: Options) => Session.savedLogging(run)
