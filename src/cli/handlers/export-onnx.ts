/**
 * Writes a trained model as an ONNX file. Needs the run's plugins, and no device.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Layers from "../../jobs/Environment.ts"
import { exportOnnx } from "../../jobs/OnnxExport.ts"
import type { Which } from "../../jobs/SavedRun.ts"
import { ChangeJournal } from "../../services/logs/ChangeJournal.ts"
import { bytes } from "../render/Format.ts"
import * as Session from "./session.ts"

export interface Options {
  readonly run: string
  readonly out: string
  readonly checkpoint: Which
  readonly length: Option.Option<number>
}

export const run = (options: Options) =>
  Effect.gen(function* () {
    const { plugins } = yield* Session.savedConfig(options.run)
    yield* Effect.gen(function* () {
      const { architecture, checkpoint } = yield* Session.open(options.run, options.checkpoint)
      const written = yield* exportOnnx({
        architecture,
        parameters: checkpoint.parameters,
        length: Option.getOrUndefined(options.length),
        path: options.out
      })
      const logits = `float32[1, ${written.length}, ${architecture.vocabularySize}]`
      yield* ChangeJournal.result(options.out)
      yield* Console.log(
        `${options.out}: ${bytes(written.bytes)}, input_ids int64[1, ${written.length}] to logits ${logits}`
      )
    }).pipe(Effect.scoped, Effect.provide([Layers.files(), Layers.registry(plugins)]))
  })

export const logging = ({ run }: Options) => Session.savedLogging(run)
