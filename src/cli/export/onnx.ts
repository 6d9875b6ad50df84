/**
 * codex export onnx --run runs/<id> --out model.onnx [--checkpoint best|last|<step>] [--length 128] [--force]
 *
 *     $ codex export onnx --run runs/<id> --out model.onnx
 *     model.onnx: 8.3 MB, input_ids int64[batch, sequence ≤ 128] to logits float32[batch, sequence, 4096]
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { inPreparedSession, load, recordResult } from "../Handler.ts"
import { count, force } from "../Options.ts"
import { bytes } from "../render/Format.ts"
import * as TrainedRun from "../TrainedRun.ts"

const out = Options.text("out").pipe(
  Options.withDescription("The file to write. Its directory must exist."),
  Options.withPseudoName("file")
)
const length = count("length").pipe(
  Options.withDescription(
    "Write a graph of one sequence of so many tokens. Default: any batch, and any length up to the model's longest"
  ),
  Options.optional
)

export const onnx = Command.make(
  "onnx",
  { run: TrainedRun.run, out, checkpoint: TrainedRun.checkpoint, length, force: force("Replace an existing file.") },
  inPreparedSession(TrainedRun.find, ({ saved }, { checkpoint, force, length, out }) =>
    Effect.gen(function* () {
      const Run = yield* load(() => import("../../jobs/Run.ts"))
      const run = yield* Run.open(saved, { checkpoint })
      const written = yield* run.exportOnnx(out, { length: Option.getOrUndefined(length), force })
      const { contextLength, vocabularySize } = run.architecture
      const [input, output] =
        written.length === undefined
          ? [`batch, sequence ≤ ${contextLength}`, "batch, sequence"]
          : [`1, ${written.length}`, `1, ${written.length}`]
      const summary = `${out}: ${bytes(written.bytes)}, input_ids int64[${input}] to logits float32[${output}, ${vocabularySize}]`
      yield* recordResult(summary)
      yield* Console.log(summary)
    })
  )
).pipe(
  Command.withDescription(
    "Write the forward graph of a trained model with its weights, for ONNX Runtime in any language. " +
      "Example: codex export onnx --run runs/<id> --out model.onnx"
  ),
  Command.provide(() => TrainedRun.environment({ device: Option.none() }))
)
