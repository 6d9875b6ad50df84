/**
 * The job behind `codex export onnx`: the forward graph of a trained model as one ONNX file, weights included.
 *
 *     input_ids int64 [batch, sequence]  →  logits float32 [batch, sequence, V]
 *
 * Batch and sequence are free, up to the model's longest sequence. Sequences of one batch are padded at their end, with any token:
 * no logits depend on later tokens, so those of the text need no attention mask. A fixed length gives a graph of [1, T].
 *
 * The file is standard ONNX wherever the operators have a standard form, and runs in ONNX Runtime without codex. The
 * weights are initializers under their parameters' names. Token ids are int64, as other programs' exports have them.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../core/Backend.ts"
import * as ExitCode from "../core/ExitCode.ts"
import type { Architecture } from "../core/Model.ts"
import * as DynamicShapes from "../core/tensor/DynamicShapes.ts"
import { lower } from "../core/tensor/Lower.ts"
import { elementTypes, type OnnxGraph, type OnnxInitializer, type OnnxNode } from "../core/tensor/OnnxGraph.ts"
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

/** A model whose graph cannot be written for every batch and length. */
export class DynamicExportError extends Schema.TaggedError<DynamicExportError>()("DynamicExportError", {
  /** What depends on the sizes. */
  details: Schema.String
}) {
  override get message() {
    return (
      `The model cannot be exported for every batch and length: ${this.details}. ` +
      "Export it for one sequence of a fixed length with --length (in code, the option length)."
    )
  }
}

/** The sizes of an input: names where they are free. */
type InputShape = readonly [batch: number | string, length: number | string]

/** The graph of `forward` for a batch [B, T], with the weights as state. */
const lowered = (architecture: Architecture, batch: number, length: number) =>
  Effect.map(
    Program.make({
      name: "codex",
      state: parameterTypes(architecture),
      inputs: { input_ids: { dtype: "int32", shape: [batch, length] } },
      build: (weights, { input_ids }) => {
        const logits = architecture.forward(weights, input_ids!)
        return { outputs: { logits: reshape(logits, [batch, length, architecture.vocabularySize]) } }
      }
    }),
    (program) => lower(program, "portable")
  )

/** The graph of `forward` for one sequence of `length` tokens, with the weights inside. */
export const forwardGraph = (architecture: Architecture, parameters: TensorDatas, length: number) =>
  Effect.map(lowered(architecture, 1, length), (graph) => standalone(graph, parameters, [1, length]))

/** The graph of `forward` for any batch and any length, with the weights inside. A context of one token stays one token. */
export const dynamicForwardGraph = (architecture: Architecture, parameters: TensorDatas) =>
  Effect.gen(function* () {
    const sized = yield* Effect.forEach(DynamicShapes.sizesFor(architecture.contextLength), ({ batch, length }) =>
      Effect.map(lowered(architecture, batch, length), (graph) => ({ batch, length, graph }))
    )
    const general = yield* Effect.mapError(
      DynamicShapes.generalize(sized, "input/input_ids"),
      (details) => new DynamicExportError({ details })
    )
    return standalone(general, parameters, ["batch", architecture.contextLength === 1 ? 1 : "sequence"])
  })

/** State inputs become initializers, `input_ids` becomes int64, and names lose their prefixes. */
const standalone = (graph: OnnxGraph, parameters: TensorDatas, shape: InputShape): OnnxGraph => {
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
    attributes: { to: elementTypes.int32 }
  }
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(plain),
    outputs: node.outputs.map(plain)
  }))
  return {
    name: graph.name,
    inputs: [{ name: "input_ids", type: { dtype: "int64", shape } }],
    outputs: graph.outputs.map(({ name, type }) => ({
      name: plain(name),
      type: { dtype: type.dtype, shape: [...shape, ...type.shape.slice(2)] }
    })),
    initializers: [...weights, ...graph.initializers],
    nodes: [narrowed, ...nodes]
  }
}

/** What was written. */
export interface OnnxFile {
  /** The size of the file. */
  readonly bytes: number
  /** Tokens of the input; undefined if any number up to the model's longest is allowed. */
  readonly length: number | undefined
}

/** Writes the model to a file that appears whole. */
export const exportOnnx = (options: {
  readonly architecture: Architecture
  readonly parameters: TensorDatas
  /** Tokens of the input, for a graph of one sequence of this length. Default: any batch and any length. */
  readonly length?: number | undefined
  /** Replaces an existing file. Default false. */
  readonly force?: boolean | undefined
  /** The file to write; its directory must exist. */
  readonly path: string
}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const { architecture, force = false, length, parameters, path } = options
    const { contextLength: longest } = architecture
    if (length !== undefined && !(Number.isInteger(length) && length >= 1 && length <= longest)) {
      return yield* new ExportLengthError({ length, longest })
    }
    const refuse = (details: string, remedy: string) => new FileError({ path, operation: "write", details, remedy })
    const directory = paths.dirname(paths.resolve(path))
    if (!(yield* Effect.orElseSucceed(fs.exists(directory), () => false))) {
      return yield* refuse(`the directory ${directory} does not exist`, "Create it, or choose another path.")
    }
    const present = yield* Effect.option(fs.stat(path))
    if (Option.isSome(present) && present.value.type === "Directory") {
      return yield* refuse("it is a directory", "Name a file in it.")
    }
    if (Option.isSome(present) && !force) {
      return yield* refuse(
        "there is already a file of that name",
        "Choose another path, or replace the file with --force (in code, the option force)."
      )
    }
    const graph =
      length === undefined
        ? yield* dynamicForwardGraph(architecture, parameters)
        : yield* forwardGraph(architecture, parameters, length)
    const model = yield* encode(graph)
    yield* AtomicFiles.writeFile(path, [model])
    return { bytes: model.byteLength, length } satisfies OnnxFile
  })
