/**
 * The safetensors format: named tensors in one buffer, after a JSON header.
 *
 *   u64 little endian: length of the header | header (JSON, padded with spaces to 8 bytes) | tensors, back to back
 *
 * Tensors are written in the order of their names, so equal tensors give equal bytes. F32 and I32 are read and written;
 * reading also takes F16 and BF16, widened to float32. Source: https://github.com/huggingface/safetensors#format.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { TensorDatas } from "../Backend.ts"
import * as Json from "../data/Json.ts"
import * as Limits from "../data/Limits.ts"
import * as Excerpt from "../Excerpt.ts"
import { sizeOf, type TensorData } from "./Tensor.ts"

/** Bytes that are not a safetensors file, or only a part of one. */
export class SafetensorsError extends Schema.TaggedError<SafetensorsError>()("SafetensorsError", {
  details: Schema.String
}) {
  override get message() {
    return `Not a valid safetensors file: ${this.details}`
  }
}

const Entry = Schema.Struct({
  dtype: Schema.String,
  shape: Schema.Array(Schema.Int.pipe(Schema.nonNegative())),
  data_offsets: Schema.Tuple(Schema.Int.pipe(Schema.nonNegative()), Schema.Int.pipe(Schema.nonNegative()))
})
const Header = Json.schema(
  Schema.Record({
    key: Schema.String,
    value: Schema.Union(Entry, Schema.Record({ key: Schema.String, value: Schema.String }))
  })
)

/** The pieces of the file in order, to be written one after another: a header, then the bytes of each tensor (shared, not copied). */
export const encode = (
  tensors: TensorDatas,
  metadata: { readonly [key: string]: string } = {}
): ReadonlyArray<Uint8Array> => {
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata }
  const pieces: Array<Uint8Array> = []
  let offset = 0
  for (const name of Object.keys(tensors).sort()) {
    const tensor = tensors[name]!
    const data = tensor.data instanceof Float64Array ? Float32Array.from(tensor.data) : tensor.data
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    header[name] = {
      dtype: dtypeNames[tensor.dtype],
      shape: tensor.shape,
      data_offsets: [offset, offset + bytes.length]
    }
    pieces.push(bytes)
    offset += bytes.length
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const padded = Math.ceil(json.length / 8) * 8
  const head = new Uint8Array(8 + padded).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true)
  head.set(json, 8)
  return [head, ...pieces]
}

/** What a file holds. */
export interface Decoded {
  readonly tensors: TensorDatas
  readonly metadata: { readonly [key: string]: string }
}

/** The tensors of a whole file. Copies, so the file's bytes can be freed. */
export const decode = (bytes: Uint8Array): Either.Either<Decoded, SafetensorsError> =>
  Either.gen(function* () {
    const fail = (details: string) => Either.left(new SafetensorsError({ details }))
    if (bytes.length < 8) return yield* fail(`${bytes.length} bytes are too few for a header`)
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
    if (length > bytes.length - 8)
      return yield* fail(`the header has ${length} bytes, and the file only ${bytes.length}`)
    if (length > Limits.safetensorsHeaderBytes) {
      return yield* fail(`the header has ${length} bytes, more than ${Limits.safetensorsHeaderBytes}`)
    }
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + length))
    const header = yield* Either.mapLeft(
      Schema.decodeEither(Header)(text),
      () => new SafetensorsError({ details: "the header is not JSON that describes tensors" })
    )
    const body = bytes.subarray(8 + length)
    const tensors: Array<readonly [string, TensorData]> = []
    let metadata: { readonly [key: string]: string } = {}
    const found: Array<readonly [string, typeof Entry.Type]> = []
    for (const [name, entry] of Object.entries(header)) {
      if (isEntry(entry)) found.push([name, entry])
      else if (name === "__metadata__") metadata = entry
      else return yield* fail(`${show(name)} has no dtype, shape and data_offsets`)
    }
    // As the format demands, the tensors are back to back and fill the file: no byte is read twice, or by nobody.
    found.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1])
    let end = 0
    for (const [key, entry] of found) {
      const name = show(key)
      const [from, to] = entry.data_offsets
      if (to > body.length || from > to) return yield* fail(`tensor ${name} ends at byte ${to} of ${body.length}`)
      if (from !== end) return yield* fail(`tensor ${name} begins at byte ${from} instead of ${end}`)
      end = to
      // Copied by the constructor: `slice` of Node's Buffer, which file systems return, is a view of the whole file.
      const tensor = tensorOf(entry.dtype, entry.shape, new Uint8Array(body.subarray(from, to)))
      if (tensor === undefined) {
        const shape = `${entry.shape.slice(0, 8).join(", ")}${entry.shape.length > 8 ? ", …" : ""}`
        return yield* fail(`tensor ${name} is ${show(entry.dtype, "")}[${shape}] in ${to - from} bytes`)
      }
      tensors.push([key, tensor])
    }
    if (end !== body.length) return yield* fail(`the tensors end at byte ${end} of ${body.length}`)
    return { tensors: Object.fromEntries(tensors), metadata }
  })

/** A name of the file in a message, shortened. */
const show = (name: string, quote = '"') => `${quote}${Excerpt.of(name)}${quote}`

const dtypeNames = { float32: "F32", int32: "I32", bool: "BOOL" } as const

const isEntry = (entry: typeof Entry.Type | { readonly [key: string]: string }): entry is typeof Entry.Type =>
  Array.isArray(entry.data_offsets)

const tensorOf = (dtype: string, shape: ReadonlyArray<number>, bytes: Uint8Array): TensorData | undefined => {
  const width = { F32: 4, I32: 4, BOOL: 1, F16: 2, BF16: 2 }[dtype]
  if (width === undefined || sizeOf(shape) * width !== bytes.length) return undefined
  if (dtype === "F32") return { dtype: "float32", shape, data: new Float32Array(bytes.buffer) }
  if (dtype === "I32") return { dtype: "int32", shape, data: new Int32Array(bytes.buffer) }
  if (dtype === "BOOL") return { dtype: "bool", shape, data: bytes }
  const halves = new Uint16Array(bytes.buffer)
  return { dtype: "float32", shape, data: Float32Array.from(halves, dtype === "BF16" ? fromBfloat16 : fromFloat16) }
}

const fromBfloat16 = (bits: number): number => {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, bits << 16)
  return view.getFloat32(0)
}

const fromFloat16 = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
