/**
 * codex export onnx
 */
import * as Command from "@effect/cli/Command"
import { onnx } from "./export/onnx.ts"

export const exportCommand = Command.make("export").pipe(
  Command.withDescription(
    "Write trained models for other programs. Example: codex export onnx --run runs/<id> --out model.onnx"
  ),
  Command.withSubcommands([onnx])
)
