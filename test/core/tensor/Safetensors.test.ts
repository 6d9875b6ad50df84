/**
 * Oracles: a file assembled by hand from the description of the format; IEEE 754 values; round trips. Needs nothing.
 * test/interop.test.ts reads files with an independent reader.
 */
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import * as Safetensors from "../../../src/core/tensor/Safetensors.ts"

const join = (pieces: ReadonlyArray<Uint8Array>) => new Uint8Array(Buffer.concat(pieces))

const byHand = (header: string, body: ReadonlyArray<number>) => {
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(Buffer.byteLength(header)))
  return new Uint8Array(Buffer.concat([head, Buffer.from(header), Buffer.from(body)]))
}

const failure = (bytes: Uint8Array) =>
  Either.match(Safetensors.decode(bytes), { onLeft: (error) => error.message, onRight: () => "decoded" })

describe("safetensors", () => {
  it("writes the header, padded to 8 bytes, then tensors in the order of their names", () => {
    const bytes = join(
      Safetensors.encode({
        b: { dtype: "int32", shape: [1], data: Int32Array.of(-1) },
        a: { dtype: "float32", shape: [], data: Float32Array.of(1) }
      })
    )
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    expect(length % 8).toBe(0)
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      a: { dtype: "F32", shape: [], data_offsets: [0, 4] },
      b: { dtype: "I32", shape: [1], data_offsets: [4, 8] }
    })
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 255, 255, 255, 255])
  })

  it("reads tensors out of a Buffer, whose slices share its memory", () => {
    const header =
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
    const file = Buffer.from(byHand(header, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]))
    const { a, b } = Either.getOrThrow(Safetensors.decode(file)).tensors
    expect([a!.data, b!.data]).toEqual([Float32Array.of(1), Float32Array.of(2)])
  })

  it("reads a file made by hand, half precision and bfloat16 included", () => {
    const header =
      '{"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},"g":{"dtype":"BF16","shape":[1],"data_offsets":[6,8]},"__metadata__":{"format":"pt"}}'
    // binary16: 1.5 = 0x3e00, smallest subnormal = 0x0001, -inf = 0xfc00; bfloat16: 3.140625 = 0x4049
    const decoded = Either.getOrThrow(Safetensors.decode(byHand(header, [0, 0x3e, 1, 0, 0, 0xfc, 0x49, 0x40])))
    expect([...decoded.tensors.h!.data]).toEqual([1.5, 2 ** -24, Number.NEGATIVE_INFINITY])
    expect([...decoded.tensors.g!.data]).toEqual([3.140625])
    expect(decoded.metadata).toEqual({ format: "pt" })
  })

  it("gives back what was written", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.dictionary(
          FastCheck.string({ minLength: 1 }).filter((name) => name !== "__metadata__" && name !== "__proto__"),
          FastCheck.float32Array()
        ),
        (values) => {
          const tensors = Object.fromEntries(
            Object.entries(values).map(([name, data]) => [
              name,
              { dtype: "float32" as const, shape: [data.length], data }
            ])
          )
          const decoded = Either.getOrThrow(Safetensors.decode(join(Safetensors.encode(tensors))))
          expect(decoded.tensors).toEqual(tensors)
        }
      )
    )
  })

  it("refuses every truncation of a file", () => {
    const bytes = join(Safetensors.encode({ a: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) } }))
    for (let length = 0; length < bytes.length; length++)
      expect(failure(bytes.subarray(0, length))).toMatch(/^Not a valid/)
  })

  it("says what is wrong", () => {
    expect(failure(byHand("[]", []))).toBe(
      "Not a valid safetensors file: the header is not JSON that describes tensors"
    )
    expect(failure(byHand('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', [0, 0, 0, 0]))).toBe(
      'Not a valid safetensors file: tensor "a" is F32[2] in 4 bytes'
    )
  })
})
