/**
 * Oracles: ONNX Runtime as an independent reader of the bytes, protobuf's own decoder, and values worked out by hand.
 * Needs a CPU session.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { InferenceSession, Tensor } from "onnxruntime-node"
import type { OnnxGraph, OnnxInitializer } from "../../../../src/core/tensor/OnnxGraph.ts"
import * as OnnxModel from "../../../../src/services/backend/onnx/OnnxModel.ts"

const float = (shape: ReadonlyArray<number>) => ({ dtype: "float32" as const, shape })

const graphOf = (parts: Partial<OnnxGraph>): OnnxGraph => ({
  name: "g",
  inputs: [],
  outputs: [],
  initializers: [],
  nodes: [],
  ...parts
})

const node = (opType: string, inputs: ReadonlyArray<string>, outputs: ReadonlyArray<string>) => ({
  opType,
  domain: "",
  inputs,
  outputs,
  attributes: {}
})

const run = (graph: OnnxGraph, feeds: Record<string, Tensor>) =>
  Effect.gen(function* () {
    const bytes = yield* OnnxModel.encode(graph)
    return yield* Effect.promise(async () => {
      const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
      const results = await session.run(feeds)
      await session.release()
      return results
    })
  })

describe("OnnxModel", () => {
  it.effect("writes a model that ONNX Runtime computes with: constants of every type, attributes of every form", () =>
    Effect.gen(function* () {
      const results = yield* run(
        graphOf({
          inputs: [{ name: "x", type: float([2, 3]) }],
          outputs: [
            { name: "gemm", type: float([2, 2]) },
            { name: "picked", type: float([2, 3]) },
            { name: "transposed", type: float([3, 2]) },
            { name: "cast", type: { dtype: "int32", shape: [2] } },
            { name: "fused", type: float([2, 2]) },
            { name: "gelu", type: float([2, 3]) }
          ],
          initializers: [
            { name: "w", dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 0, 0, 0, 1, 1) },
            { name: "axes", dtype: "int64", shape: [1], data: BigInt64Array.of(1n) },
            { name: "mask", dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
            { name: "i", dtype: "int32", shape: [2], data: Int32Array.of(-7, 9) },
            { name: "wide", dtype: "float32", shape: [], data: Float64Array.of(0.5) }
          ],
          nodes: [
            { ...node("Gemm", ["x", "w"], ["gemm"]), attributes: { transB: 1, alpha: { float: 0.5 } } },
            node("Where", ["mask", "x", "wide"], ["picked"]),
            { ...node("Transpose", ["x"], ["transposed"]), attributes: { perm: [1, 0] } },
            node("Identity", ["i"], ["cast"]),
            { ...node("FusedMatMul", ["x", "w"], ["fused"]), domain: "com.microsoft", attributes: { transB: 1 } },
            { ...node("Gelu", ["x"], ["gelu"]), attributes: { approximate: "tanh" } }
          ]
        }),
        { x: new Tensor("float32", Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]) }
      )
      const numbers = (name: string) => Array.from(results[name]!.data, Number)
      expect(numbers("gemm")).toEqual([0.5, 2.5, 2, 5.5])
      expect(numbers("picked")).toEqual([1, 0.5, 3, 4, 0.5, 6])
      expect(numbers("transposed")).toEqual([1, 4, 2, 5, 3, 6])
      expect(numbers("cast")).toEqual([-7, 9])
      expect(numbers("fused")).toEqual([1, 5, 4, 11])
      // gelu(1) by the tanh form: 0.5 (1 + tanh(sqrt(2/pi) 1.044715)) = 0.841192
      expect(numbers("gelu")[0]).toBeCloseTo(0.841192, 5)
    })
  )

  it.effect("writes large constants, in any order with small ones", () =>
    Effect.gen(function* () {
      const length = 70_000
      const data = Float32Array.from({ length }, (_, i) => i / 3)
      const constant = (name: string, scale: number): OnnxInitializer => ({
        name,
        dtype: "float32",
        shape: [length],
        data: data.map((value) => value * scale)
      })
      const results = yield* run(
        graphOf({
          inputs: [{ name: "x", type: float([1]) }],
          outputs: [{ name: "y", type: float([length]) }],
          initializers: [
            constant("a", 1),
            { name: "half", dtype: "float32", shape: [1], data: Float32Array.of(0.5) },
            constant("b", -3)
          ],
          nodes: [node("Mul", ["a", "half"], ["c"]), node("Add", ["c", "b"], ["d"]), node("Mul", ["d", "x"], ["y"])]
        }),
        { x: new Tensor("float32", Float32Array.of(2), [1]) }
      )
      const y = Array.from(results.y!.data, Number)
      const worst = Math.max(...y.map((value, i) => Math.abs(value - (-5 * i) / 3) / (1 + i)))
      expect(worst).toBeLessThan(1e-6)
    })
  )

  it.effect("decodes to what was encoded, a view into a larger buffer included", () =>
    Effect.gen(function* () {
      const wide = Float32Array.from({ length: 4000 }, (_, i) => i)
      const graph = graphOf({
        inputs: [{ name: "x", type: { dtype: "bool", shape: [2, 0] } }],
        initializers: [
          { name: "view", dtype: "float32", shape: [2000], data: wide.subarray(1000, 3000) },
          { name: "ten", dtype: "int64", shape: [1], data: BigInt64Array.of(-10n) }
        ],
        nodes: [{ ...node("Op", ["x", ""], ["y", "z"]), attributes: { n: -3, f: { float: 1.5 }, s: "é", list: [] } }]
      })
      const model = OnnxModel.decode(yield* OnnxModel.encode(graph))
      expect(model.irVersion).toBe(10n)
      const domains = (decoded: typeof model) => decoded.opsetImport.map(({ domain, version }) => [domain, version])
      expect(domains(model)).toEqual([["", 21n]])
      const fused = graphOf({ nodes: [{ ...node("FusedMatMul", ["a", "b"], ["c"]), domain: "com.microsoft" }] })
      expect(domains(OnnxModel.decode(yield* OnnxModel.encode(fused)))).toEqual([
        ["", 21n],
        ["com.microsoft", 1n]
      ])
      const byName = new Map(model.graph!.initializer.map((tensor) => [tensor.name, tensor]))
      const view = byName.get("view")!
      expect(view.dims).toEqual([2000n])
      expect(Array.from(new Float32Array(view.rawData.slice().buffer))).toEqual(Array.from(wide.subarray(1000, 3000)))
      // -10 as int64, little endian, two's complement.
      expect(Array.from(byName.get("ten")!.rawData)).toEqual([246, 255, 255, 255, 255, 255, 255, 255])
      const [written] = model.graph!.node
      expect(written!.input).toEqual(["x", ""])
      // AttributeProto.type: FLOAT 1, INT 2, STRING 3, INTS 7.
      expect(written!.attribute.map(({ name, type }) => [name, type])).toEqual([
        ["n", 2],
        ["f", 1],
        ["s", 3],
        ["list", 7]
      ])
      expect(written!.attribute.map(({ i, f }) => [i, f])[0]).toEqual([-3n, 0])
      expect(new TextDecoder().decode(written!.attribute[2]!.s)).toBe("é")
    })
  )

  it.effect("refuses a graph that is larger than one protobuf message", () =>
    Effect.gen(function* () {
      const initializers = [
        { name: "w", dtype: "float32", shape: [10_000], data: new Float32Array(10_000) }
      ] satisfies ReadonlyArray<OnnxInitializer>
      const error = yield* Effect.flip(OnnxModel.encode(graphOf({ initializers }), 40_000))
      expect(error._tag).toBe("ModelTooLarge")
      expect(error.bytes).toBeGreaterThan(40_000)
      expect(new OnnxModel.ModelTooLarge({ graph: "gpt2-xl", bytes: 6.2e9, limit: OnnxModel.maxBytes }).message).toBe(
        'The constants of graph "gpt2-xl" take 6.20 GB, and one ONNX model can hold at most 2.14 GB. ' +
          "Pass the weights as state instead of constants, or use a smaller model."
      )
    })
  )
})
