/**
 * The job behind `codex export onnx`: the forward graph of a trained model as one ONNX file, weights included.
 *
 *     input_ids int64 [1, T]  →  logits float32 [1, T, V]
 *
 * The file is standard ONNX wherever the operators have a standard form, and runs in ONNX Runtime without codex. The
 * weights are initializers under their parameters' names. Token ids are int64, as other programs' exports have them.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../core/Backend.ts"
import * as ExitCode from "../core/ExitCode.ts"
import type { Architecture } from "../core/Model.ts"
import { lower } from "../core/tensor/Lower.ts"
import type { OnnxGraph, OnnxInitializer, OnnxNode } from "../core/tensor/OnnxGraph.ts"
import { reshape } from "../core/tensor/ops/broadcast.ts"
import * as Program from "../core/tensor/Program.ts"
import { parameterTypes } from "../core/training/TrainingPrograms.ts"
import { encode } from "../services/backend/onnx/OnnxModel.ts"
import * as AtomicFiles from "../services/files/AtomicFiles.ts"
import { FileError } from "../services/files/FileError.ts"

export type {
  OnnxAttribute,
  OnnxDType,
  OnnxGraph,
  OnnxInitializer,
  OnnxNode,
  OnnxValue
} from "../core/tensor/OnnxGraph.ts"
export { ModelTooLarge } from "../services/backend/onnx/OnnxModel.ts"

/** A length that the model does not have. */
export class ExportLengthError extends Schema.TaggedError<ExportLengthError>()("ExportLengthError", {
  length: Schema.Number,
  longest: Schema.Number
}) {
  get [ExitCode.symbol]() {
    return ExitCode.usage
  }
  override get message() {
    return `The length ${this.length} is not between 1 and the model's longest, ${this.longest}. Choose another --length.`
  }
}

/** The graph of `forward` for one sequence of `length` tokens, with the weights inside. */
export const forwardGraph = (architecture: Architecture, parameters: TensorDatas, length: number) =>
  Effect.gen(function* () {
    const program = yield* Program.make({
      name: "codex",
      state: parameterTypes(architecture),
      inputs: { input_ids: { dtype: "int32", shape: [1, length] } },
      build: (weights, { input_ids }) => {
        const logits = architecture.forward(weights, input_ids!)
        return { outputs: { logits: reshape(logits, [1, length, architecture.vocabularySize]) } }
      }
    })
    // The dialect with the fewest operators that only ONNX Runtime has.
    return standalone(lower(program, "webgpu"), parameters)
  })

/** State inputs become initializers, `input_ids` becomes int64, and names lose their prefixes. */
const standalone = (graph: OnnxGraph, parameters: TensorDatas): OnnxGraph => {
  const plain = (name: string) => name.replace(/^(state|output)\//, "")
  const weights = graph.inputs.flatMap(({ name }): ReadonlyArray<OnnxInitializer> => {
    const value = name.startsWith("state/") ? parameters[plain(name)] : undefined
    return value === undefined ? [] : [{ ...value, name: plain(name) }]
  })
  const narrowed: OnnxNode = {
    opType: "Cast",
    domain: "",
    inputs: ["input_ids"],
    outputs: ["input/input_ids"],
    attributes: { to: int32 }
  }
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(plain),
    outputs: node.outputs.map(plain)
  }))
  return {
    name: graph.name,
    inputs: graph.inputs.flatMap(({ name, type }) =>
      name === "input/input_ids" ? [{ name: "input_ids", type: { dtype: "int64" as const, shape: type.shape } }] : []
    ),
    outputs: graph.outputs.map(({ name, type }) => ({ name: plain(name), type })),
    initializers: [...weights, ...graph.initializers],
    nodes: [narrowed, ...nodes]
  }
}

/** `TensorProto.DataType.INT32` */
const int32 = 6

/** Writes the model to a file that appears whole. Returns its size in bytes and the length of the input in tokens. */
export const exportOnnx = (options: {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  /** Tokens of the input. Default: the model's longest. */
  readonly length?: number | undefined
  /** The file to write; its directory must exist. */
  readonly path: string
}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { architecture, parameters, path } = options
    const { contextLength: longest } = architecture
    const length = options.length ?? longest
    if (length < 1 || length > longest) return yield* new ExportLengthError({ length, longest })
    const directory = paths.dirname(paths.resolve(path))
    if (!(yield* Effect.orElseSucceed(fs.exists(directory), () => false))) {
      return yield* new FileError({
        path,
        operation: "write",
        details: `the directory ${directory} does not exist`,
        remedy: "Create it, or choose another path."
      })
    }
    const model = yield* encode(yield* forwardGraph(architecture, parameters, length))
    yield* AtomicFiles.writeFile(path, [model])
    return { bytes: model.byteLength, length }
  })
