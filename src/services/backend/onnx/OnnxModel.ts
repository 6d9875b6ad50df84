/**
 * The bytes of an ONNX model: encodes an `OnnxGraph`, and decodes one again for tests and tools.
 *
 * The schema is the ONNX project's own (`onnx.proto`, compiled by `npm run generate`). Large initializers are written
 * with one copy each: protobuf merges repeated occurrences of an embedded message, so every weight becomes a piece
 * `{ graph: { initializer: [it] } }` after the small model; nested encoding would copy it once per level.
 * Does not write external data: a graph beyond protobuf's 2 GB is refused. Format: https://onnx.ai/onnx/repo-docs/IR.html
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type {
  OnnxAttribute,
  OnnxDType,
  OnnxGraph,
  OnnxInitializer,
  OnnxNode,
  OnnxValue
} from "../../../core/tensor/OnnxGraph.ts"
import { sizeOf } from "../../../core/tensor/Tensor.ts"
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  TensorProtoSchema
} from "./gen/onnx_pb.ts"

/** The versions that models declare, for ONNX Runtime 1.30: https://onnx.ai/onnx/repo-docs/Versioning.html */
export const versions = { ir: 10, opset: 21, microsoft: 1 } as const

/** Protobuf's own limit for one message. */
export const maxBytes = 2 ** 31 - 1

/** A graph whose constants do not fit in one protobuf message. */
export class ModelTooLarge extends Schema.TaggedError<ModelTooLarge>()("ModelTooLarge", {
  graph: Schema.String,
  bytes: Schema.Number,
  limit: Schema.Number
}) {
  override get message() {
    const gigabytes = (this.bytes / 1e9).toFixed(2)
    return (
      `The constants of graph "${this.graph}" take ${gigabytes} GB, and one ONNX model can hold at most 2.14 GB. ` +
      "Pass the weights as state instead of constants, or use a smaller model."
    )
  }
}

/** Initializers of more numbers than this are appended as separate pieces. */
const pieceLength = 1024

/** The model's bytes, in a new buffer. `limit` is for tests. */
export const encode = (
  graph: OnnxGraph,
  limit: number = maxBytes
): Effect.Effect<Uint8Array<ArrayBuffer>, ModelTooLarge> =>
  Effect.suspend(() => {
    const isLarge = (value: OnnxInitializer) => value.data.length > pieceLength
    const small = graph.initializers.filter((value) => !isLarge(value))
    const parts = [
      toBinary(ModelProtoSchema, modelOf(graph, small)),
      ...graph.initializers.filter(isLarge).flatMap(piece)
    ]
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
    if (bytes > limit) return new ModelTooLarge({ graph: graph.name, bytes, limit })
    const model = new Uint8Array(bytes)
    let offset = 0
    for (const part of parts) {
      model.set(part, offset)
      offset += part.byteLength
    }
    return Effect.succeed(model)
  })

/** The message of a model's bytes. Throws what protobuf throws. */
export const decode = (bytes: Uint8Array): ModelProto => fromBinary(ModelProtoSchema, bytes)

const modelOf = (graph: OnnxGraph, initializers: ReadonlyArray<OnnxInitializer>): ModelProto =>
  create(ModelProtoSchema, {
    irVersion: BigInt(versions.ir),
    producerName: "codex",
    opsetImport: [
      { domain: "", version: BigInt(versions.opset) },
      // Declared only where it is used: a runtime that does not have it refuses any model that declares it.
      ...(graph.nodes.some(({ domain }) => domain === "com.microsoft")
        ? [{ domain: "com.microsoft", version: BigInt(versions.microsoft) }]
        : [])
    ],
    graph: {
      name: graph.name,
      node: graph.nodes.map(nodeOf),
      input: graph.inputs.map(valueOf),
      output: graph.outputs.map(valueOf),
      initializer: initializers.map((value) => ({ ...headOf(value), rawData: bytesOf(value) }))
    }
  })

const nodeOf = (node: OnnxNode) => ({
  opType: node.opType,
  domain: node.domain,
  input: [...node.inputs],
  output: [...node.outputs],
  attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...attributeOf(value) }))
})

const attributeOf = (value: OnnxAttribute) => {
  if (typeof value === "number") return { type: AttributeType.INT, i: BigInt(value) }
  if (typeof value === "string") return { type: AttributeType.STRING, s: new TextEncoder().encode(value) }
  if ("float" in value) return { type: AttributeType.FLOAT, f: value.float }
  return { type: AttributeType.INTS, ints: Array.from(value, BigInt) }
}

const valueOf = ({ name, type }: OnnxValue) => ({
  name,
  type: {
    value: {
      case: "tensorType" as const,
      value: {
        elemType: dataTypes[type.dtype],
        shape: { dim: type.shape.map(dimensionOf) }
      }
    }
  }
})

const dimensionOf = (size: number | string) => ({
  value:
    typeof size === "string"
      ? { case: "dimParam" as const, value: size }
      : { case: "dimValue" as const, value: BigInt(size) }
})

const dataTypes: { readonly [D in OnnxDType]: DataType } = {
  float32: DataType.FLOAT,
  int32: DataType.INT32,
  int64: DataType.INT64,
  bool: DataType.BOOL,
  float16: DataType.FLOAT16
}

const headOf = (value: OnnxInitializer) => ({
  name: value.name,
  dataType: dataTypes[value.dtype],
  dims: value.shape.map(BigInt)
})

/** Little-endian numbers, as every platform of ONNX Runtime for Node stores them. float64 is narrowed to float32. */
const bytesOf = ({ data, dtype, name, shape }: OnnxInitializer): Uint8Array => {
  const numbers = data instanceof Float64Array ? Float32Array.from(data) : data
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
  const expected = sizeOf(shape) * { float32: 4, int32: 4, int64: 8, bool: 1, float16: 2 }[dtype]
  if (bytes.byteLength !== expected) {
    throw new RangeError(
      `initializer "${name}" (${dtype}[${shape.join(", ")}]) has ${bytes.byteLength} bytes, not ${expected}`
    )
  }
  return bytes
}

/** `ModelProto { graph { initializer { head, raw_data } } }` as the bytes before the numbers, and the numbers. */
const piece = (value: OnnxInitializer): ReadonlyArray<Uint8Array> => {
  const numbers = bytesOf(value)
  const field = (descriptor: { readonly number: number }, length: number) =>
    new BinaryWriter().tag(descriptor.number, WireType.LengthDelimited).uint32(length).finish()
  const head = toBinary(TensorProtoSchema, create(TensorProtoSchema, headOf(value)))
  const raw = field(TensorProtoSchema.field.rawData, numbers.byteLength)
  const tensorBytes = head.byteLength + raw.byteLength + numbers.byteLength
  const tensor = field(GraphProtoSchema.field.initializer, tensorBytes)
  const graph = field(ModelProtoSchema.field.graph, tensor.byteLength + tensorBytes)
  return [graph, tensor, head, raw, numbers]
}
