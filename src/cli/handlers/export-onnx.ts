/**
 * Writes a trained model as an ONNX file. Needs the run's plugins, and no device.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Run from "../../jobs/Run.ts"
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
    const { architecture, exportOnnx } = yield* Run.open(options.run, { checkpoint: options.checkpoint })
    const written = yield* exportOnnx(options.out, { length: Option.getOrUndefined(options.length) })
    const logits = `float32[1, ${written.length}, ${architecture.vocabularySize}]`
    yield* ChangeJournal.result(options.out)
    yield* Console.log(
      `${options.out}: ${bytes(written.bytes)}, input_ids int64[1, ${written.length}] to logits ${logits}`
    )
  }).pipe(Effect.scoped, Effect.provide(Run.layer()))

export const logging = ({ run }: Options) => Session.savedLogging(run)
