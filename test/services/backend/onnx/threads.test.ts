/**
 * That bits are the same at every number of threads where core/tensor/ThreadDependence.ts says so: the rule against sessions of
 * ONNX Runtime, and the products of codex through the backend, whose session options must leave their form as it is.
 * `npm test` takes a sample of shapes; `npm run test:full` takes many. Oracle: one thread. Needs CPU sessions.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { Backend } from "../../../../src/core/Backend.ts"
import { Precision } from "../../../../src/core/tensor/HalfPrecision.ts"
import type { OnnxGraph } from "../../../../src/core/tensor/OnnxGraph.ts"
import { gemm, matMul } from "../../../../src/core/tensor/ops/matmul.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import { type Shape, sizeOf } from "../../../../src/core/tensor/Tensor.ts"
import { threadDependences } from "../../../../src/core/tensor/ThreadDependence.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"
import { encode } from "../../../../src/services/backend/onnx/OnnxModel.ts"
import { full } from "../../../full.ts"

const counts = full ? [2, 3, 4, 5, 8, 16, 32] : [2, 3, 8]

const numbers = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1 + i * 1.7))

/** One node y = op(a, b), or op(a) with b as a constant. */
const graphOf = (
  opType: string,
  shapes: ReadonlyArray<Shape>,
  y: Shape,
  {
    attributes = {},
    constantB = false
  }: { attributes?: OnnxGraph["nodes"][number]["attributes"]; constantB?: boolean } = {}
): OnnxGraph => {
  const value = (name: string, shape: Shape) => ({ name, type: { dtype: "float32", shape } }) as const
  const names = shapes.map((_, i) => `x${i}`)
  const all = shapes.map((shape, i) => value(names[i]!, shape))
  const constants = constantB ? all.slice(1) : []
  return {
    name: "p",
    inputs: constantB ? all.slice(0, 1) : all,
    outputs: [value("y", y)],
    initializers: constants.map(({ name, type }) => ({ name, ...type, data: numbers(type.shape) })),
    nodes: [
      { opType, domain: opType === "FusedMatMul" ? "com.microsoft" : "", inputs: names, outputs: ["y"], attributes }
    ]
  }
}

/** The result at a number of threads, with the session options of OnnxWorker.ts that matter. */
const run = (graph: OnnxGraph, threads: number) =>
  Effect.gen(function* () {
    const model = yield* encode(graph)
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, type }) => {
        const shape = type.shape.map(Number)
        return [name, new Tensor("float32", numbers(shape), shape)]
      })
    )
    return yield* Effect.promise(async () => {
      const session = await InferenceSession.create(model, { intraOpNumThreads: threads, interOpNumThreads: 1 })
      const { y } = await session.run(feeds)
      await session.release()
      return Buffer.from(new Uint8Array((y!.data as Float32Array).slice().buffer))
    })
  })

/** The numbers of threads at which the bits are not those of one thread. */
const differing = (graph: OnnxGraph) =>
  Effect.gen(function* () {
    const one = yield* run(graph, 1)
    return yield* Effect.filter(counts, (threads) => Effect.map(run(graph, threads), (bits) => !bits.equals(one)))
  })

const productGraph = (
  operator: "Gemm" | "MatMul" | "FusedMatMul",
  [M, N, K]: readonly [number, number, number],
  { alpha = 1, batch = [], constantB = false, transA = 0, transB = 0 } = {}
) => {
  const isPlain = operator === "MatMul"
  const a = [...batch, ...(transA && !isPlain ? [K, M] : [M, K])]
  const b = [...batch, ...(transB && !isPlain ? [N, K] : [K, N])]
  const attributes = isPlain ? {} : { transA, transB, alpha: { float: alpha } }
  return graphOf(operator, [a, b], [...batch, M, N], { attributes, constantB })
}

const sample = [
  productGraph("Gemm", [32, 88, 1024]),
  productGraph("Gemm", [32, 88, 1024], { transA: 1 }),
  productGraph("Gemm", [32, 88, 1024], { constantB: true }),
  productGraph("Gemm", [70, 200, 300], { transB: 1 }),
  productGraph("MatMul", [40, 64, 128]),
  productGraph("MatMul", [1, 300, 700]),
  productGraph("MatMul", [300, 1, 700]),
  productGraph("FusedMatMul", [6, 6, 30_000]),
  productGraph("FusedMatMul", [6, 6, 30_000], { alpha: 0.5 })
]

describe("the rule for products", () => {
  it.effect("holds for a sample of products", () =>
    Effect.gen(function* () {
      for (const graph of sample) {
        if (threadDependences(graph).length === 0) expect(yield* differing(graph)).toEqual([])
      }
    })
  )

  it.effect.skipIf(process.arch !== "x64")("is not stricter than it has to be: products that depend do differ", () =>
    Effect.gen(function* () {
      const dependent = sample.filter((graph) => threadDependences(graph).length > 0)
      expect(dependent).toHaveLength(4)
      for (const graph of dependent) expect(yield* differing(graph)).not.toEqual([])
    })
  )

  it.effect.skipIf(!full)("holds for 150 random products", () =>
    Effect.gen(function* () {
      let state = 1
      const below = (limit: number) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return Math.floor((state / 2 ** 32) * limit)
      }
      const of = <A>(...choices: ReadonlyArray<A>): A => choices[below(choices.length)]!
      const size = () => of(1, 64, 88, 128, 1 + below(20), 16 * (1 + below(20)), 1 + below(600))
      for (let i = 0; i < 150; i++) {
        const graph = productGraph(
          of("Gemm", "MatMul", "FusedMatMul"),
          [size(), size(), of(size(), 128 + below(1500))],
          {
            ...{ alpha: of(1, 0.5), constantB: below(5) === 0, transB: below(2) },
            transA: below(4) === 0 ? 1 : 0
          }
        )
        if (threadDependences(graph).length === 0)
          expect([graph.nodes[0], yield* differing(graph)]).toMatchObject([{}, []])
      }
    })
  )
})

describe("other operators", () => {
  const reduce = (shape: Shape) => graphOf("ReduceSumSquare", [shape], [], { attributes: { keepdims: 0 } })
  const map = (opType: string, shape: Shape, attributes: OnnxGraph["nodes"][number]["attributes"] = {}) =>
    graphOf(opType, [shape], shape, { attributes })
  const rows = full
    ? [
        [1001, 777],
        [7, 100_003],
        [100_003, 7]
      ]
    : [[301, 777]]
  const width = [full ? 1_000_003 : 100_003]
  const graphs = [
    ...(full ? ["Cos", "Erf", "Exp", "Gelu", "Relu", "Sigmoid", "Sin", "Tanh"] : ["Exp", "Gelu"]).map((opType) =>
      map(opType, width)
    ),
    ...rows.flatMap((shape) => [
      reduce(shape),
      map("Softmax", shape, { axis: -1 }),
      map("LogSoftmax", shape, { axis: -1 }),
      graphOf("SimplifiedLayerNormalization", [shape, shape.slice(1)], shape, { attributes: { axis: -1 } })
    ])
  ]

  it.effect("that are taken for independent give the same bits, whatever the rest of a part is", () =>
    Effect.gen(function* () {
      for (const graph of graphs) {
        const names = graph.nodes.map(({ opType }) => opType)
        expect([names, threadDependences({ ...graph, values: [] })]).toEqual([names, []])
        expect([names, yield* differing(graph)]).toEqual([names, []])
      }
    })
  )
})

describe("products of codex on the CPU", () => {
  it.effect("have the same bits at 1, 2 and 3 threads, also where ONNX Runtime could merge a transpose into them", () =>
    Effect.gen(function* () {
      const types = {
        a: { dtype: "float32", shape: [40, 1024] },
        b: { dtype: "float32", shape: [1024, 64] },
        batch: { dtype: "float32", shape: [2, 20, 1024] },
        keys: { dtype: "float32", shape: [2, 64, 1024] }
      } as const
      const program = yield* Program.make({
        name: "products",
        state: {},
        inputs: types,
        build: (_, { a, b, batch, keys }) => ({
          outputs: {
            gemm: gemm(a!, b!),
            matMul: matMul(a!, b!, { alpha: 0.5 }),
            batched: matMul(batch!, keys!, { transposeB: true })
          }
        })
      })
      const inputs = Object.fromEntries(
        Object.entries(types).map(([name, type]) => [name, { ...type, data: numbers(type.shape) }])
      )
      const at = (threads: number, precision: Precision) =>
        Effect.gen(function* () {
          const executable = yield* (yield* Backend).compile({ program })
          return yield* executable.run("program", inputs)
        }).pipe(Effect.scoped, Effect.provide(OnnxBackend.layer({ device: "cpu", threads, precision })))
      for (const precision of Precision.literals) {
        const one = yield* at(1, precision)
        for (const threads of [2, 3]) expect(yield* at(threads, precision)).toEqual(one)
      }
    })
  )
})
