/**
 * codex export onnx --run runs/<id> --out model.onnx [--checkpoint best|last|<step>] [--length 128]
 *
 *     $ codex export onnx --run runs/<id> --out model.onnx
 *     model.onnx: 8.3 MB, input_ids int64[1, 128] to logits float32[1, 128, 4096]
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { lazy } from "./Lazy.ts"
import { checkpoint, count, run } from "./Options.ts"

const out = Options.text("out").pipe(Options.withDescription("The file to write; its folder must exist."))
const length = count("length").pipe(
  Options.withDescription("Tokens of the input. Default: the model's context"),
  Options.optional
)

const onnx = Command.make(
  "onnx",
  { run, out, checkpoint, length },
  lazy(() => import("./handlers/export-onnx.ts"))
).pipe(
  Command.withDescription(
    "Write a trained model's forward graph, weights included, for ONNX Runtime in any language. " +
      "Example: codex export onnx --run runs/<id> --out model.onnx"
  )
)

export const exportCommand = Command.make("export").pipe(
  Command.withDescription(
    "Trained models for other programs. Example: codex export onnx --run runs/<id> --out model.onnx"
  ),
  Command.withSubcommands([onnx])
)
