/**
 * Lowering to ONNX: sharing, names, dialects. Oracle: counting nodes by hand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { grad } from "../../../src/core/tensor/Gradient.ts"
import { lower } from "../../../src/core/tensor/Lower.ts"
import { sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { add, mul, tanh } from "../../../src/core/tensor/ops/elementwise.ts"
import { matMul } from "../../../src/core/tensor/ops/matmul.ts"
import { sumSquares } from "../../../src/core/tensor/ops/reduce.ts"
import { rotary } from "../../../src/core/tensor/ops/rotary.ts"
import { slice, split } from "../../../src/core/tensor/ops/shape.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import { constant, input, scalar, type Tensor, type TensorType } from "../../../src/core/tensor/Tensor.ts"

const type: TensorType = { dtype: "float32", shape: [4] }

const programOf = (outputs: (x: Tensor) => Program.Tensors, inputs: Program.TensorTypes = { x: type }) =>
  Program.make({ name: "p", state: {}, inputs, build: (_, { x }) => ({ outputs: outputs(x!) }) })

const counted = (nodes: ReadonlyArray<{ readonly opType: string }>) => {
  const counts: Record<string, number> = {}
  for (const { opType } of nodes) counts[opType] = (counts[opType] ?? 0) + 1
  return counts
}

describe("lower", () => {
  it.effect("computes equal sub-expressions once, however often they are written", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => ({ y: add(mul(tanh(x), scalar(2)), mul(tanh(x), scalar(2))) }))
      const graph = lower(program, "cpu")
      expect(counted(graph.nodes)).toEqual({ Tanh: 1, Mul: 1, Add: 1 })
      expect(graph.initializers.map(({ data, shape }) => [shape, data])).toEqual([[[], Float32Array.of(2)]])
    })
  )

  it.effect("distinguishes what differs in an attribute, an operand or the order of operands", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => ({
        a: sum(x, { keepDims: true }),
        b: sum(split(x, [1, 3], 0)[1]!, { keepDims: true }),
        c: sum(split(x, [3, 1], 0)[1]!, { keepDims: true }),
        d: add(x, scalar(1)),
        e: add(scalar(1), x),
        f: add(x, scalar(2))
      }))
      expect(counted(lower(program, "cpu").nodes)).toEqual({ ReduceSum: 3, Split: 2, Add: 3 })
    })
  )

  it.effect("gives the same graph every time, with names that contain the operator", () =>
    Effect.gen(function* () {
      const build = programOf((x) => ({ gradient: grad(sum(mul(tanh(x), x)), [x])[0]! }))
      const [first, second] = [lower(yield* build, "cpu"), lower(yield* build, "cpu")]
      expect(first).toEqual(second)
      for (const { opType, outputs } of first.nodes) {
        expect(outputs[0]).toMatch(new RegExp(`^(${opType}_\\d+|output/gradient)$`))
      }
      const names = first.nodes.flatMap(({ outputs }) => outputs)
      expect(new Set(names).size).toBe(names.length)
    })
  )

  it.effect("lists each node after the nodes that it reads", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => ({ gradient: grad(sum(mul(tanh(x), x)), [x])[0]! }))
      const graph = lower(program, "cpu")
      const known = new Set([...graph.inputs, ...graph.initializers].map(({ name }) => name))
      for (const { inputs, outputs } of graph.nodes) {
        for (const name of inputs) expect(known).toContain(name)
        for (const name of outputs) known.add(name)
      }
      for (const { name } of graph.outputs) expect(known).toContain(name)
    })
  )

  it.effect("gives an output's name to the node that makes it, and copies only for a second output", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => {
        const y = tanh(x)
        return { y, again: y, more: add(y, x) }
      })
      expect(lower(program, "cpu").nodes.map(({ inputs, opType, outputs }) => [opType, ...inputs, ...outputs])).toEqual(
        [
          ["Tanh", "input/x", "output/y"],
          ["Add", "output/y", "input/x", "output/more"],
          ["Identity", "output/y", "output/again"]
        ]
      )
    })
  )

  it.effect("leaves out inputs that nothing reads, and copies an input that is an output, twice for two outputs", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => ({ same: x, again: x }), { x: type, unused: type })
      const graph = lower(program, "cpu")
      expect(graph.inputs).toEqual([{ name: "input/x", type }])
      expect(graph.nodes.map(({ inputs, opType, outputs }) => [opType, ...inputs, ...outputs])).toEqual([
        ["Identity", "input/x", "output/same"],
        ["Identity", "input/x", "output/again"]
      ])
    })
  )

  it.effect("takes the form of the dialect where an operator has one", () =>
    Effect.gen(function* () {
      const wide: TensorType = { dtype: "float32", shape: [10] }
      const program = yield* programOf(
        (x) => Object.fromEntries(split(x, new Array<number>(10).fill(1), 0).map((part, i) => [`y${i}`, part])),
        { x: wide }
      )
      expect(counted(lower(program, "cpu").nodes)).toEqual({ Split: 1 })
      // WebGPU binds few buffers: first two stretches, then the parts of each.
      expect(counted(lower(program, "webgpu").nodes)).toEqual({ Split: 3 })
      // Slice has no kernel for int32 there.
      const ids = yield* programOf((x) => ({ y: slice(x, 0, 1, 3) }), { x: { dtype: "int32", shape: [4] } })
      expect(counted(lower(ids, "cpu").nodes)).toEqual({ Slice: 1 })
      expect(counted(lower(ids, "webgpu").nodes)).toEqual({ Split: 1 })
    })
  )

  it.effect("moves and scales the smaller tensor around a product on WebGPU", () =>
    Effect.gen(function* () {
      const float = (...shape: ReadonlyArray<number>): TensorType => ({ dtype: "float32", shape })
      const types = { wide: float(2, 64, 64), narrow: float(2, 64, 4) }
      const steps = (y: Tensor, dialect: "cpu" | "webgpu" = "webgpu") =>
        Effect.map(
          Program.make({ name: "product", state: {}, inputs: types, build: () => ({ outputs: { y } }) }),
          (program) => lower(program, dialect).nodes.map(({ inputs, opType }) => `${opType} ${inputs[0]}`)
        )
      const [wide, narrow] = [input("input/wide", "float32", [2, 64, 64]), input("input/narrow", "float32", [2, 64, 4])]
      // (bᵀ a)ᵀ instead of aᵀ b: the gradients of keys and values.
      expect(yield* steps(matMul(wide, narrow, { transposeA: true, alpha: 0.5 }))).toEqual([
        "Transpose input/narrow",
        expect.stringMatching(/^MatMul Transpose_/),
        expect.stringMatching(/^Transpose MatMul_/),
        expect.stringMatching(/^Mul Transpose_/)
      ])
      // The queries instead of the scores.
      expect(yield* steps(matMul(narrow, narrow, { transposeB: true, alpha: 0.5 }))).toEqual([
        "Mul input/narrow",
        "Transpose input/narrow",
        expect.stringMatching(/^MatMul Mul_/)
      ])
      expect(yield* steps(matMul(wide, narrow, { transposeA: true, alpha: 0.5 }), "cpu")).toEqual([
        "FusedMatMul input/wide"
      ])
    })
  )

  it.effect("adds up the squares of a long tensor in two reductions on WebGPU", () =>
    Effect.gen(function* () {
      const reductions = (size: number, dialect: "cpu" | "webgpu") =>
        Effect.map(
          programOf((x) => ({ y: sumSquares(x) }), { x: { dtype: "float32", shape: [size] } }),
          (program) => Object.keys(counted(lower(program, dialect).nodes))
        )
      expect(yield* reductions(33_153, "webgpu")).toEqual(["Reshape", "ReduceSumSquare", "ReduceSum"])
      expect(yield* reductions(1000, "webgpu")).toEqual(["ReduceSumSquare"])
      // 33,161 is a prime: no rows.
      expect(yield* reductions(33_161, "webgpu")).toEqual(["ReduceSumSquare"])
      expect(yield* reductions(33_153, "cpu")).toEqual(["ReduceSumSquare"])
    })
  )

  it.effect("looks rotary angles up on WebGPU, so that nothing depends on the position but the rows", () =>
    Effect.gen(function* () {
      const types: Program.TensorTypes = {
        x: { dtype: "float32", shape: [1, 2, 3, 4] },
        position: { dtype: "int32", shape: [] }
      }
      const readers = (positions: number) =>
        Effect.map(
          Program.make({
            name: "rotate",
            state: {},
            inputs: types,
            build: (_, { position, x }) => ({ outputs: { y: rotary(x!, position!, { theta: 10_000, positions }) } })
          }),
          (program) => {
            const { initializers, nodes } = lower(program, "webgpu")
            const fixed = new Set(initializers.map(({ name }) => name))
            for (const node of nodes) if (node.inputs.every((name) => fixed.has(name))) fixed.add(node.outputs[0]!)
            return nodes.filter(({ outputs }) => !fixed.has(outputs[0]!)).map(({ opType }) => opType)
          }
        )
      expect(yield* readers(16)).toEqual(["Add", "Gather", "Gather", "RotaryEmbedding"])
      // With an unknown number of positions they are computed in each run, in float64, on the CPU.
      expect(yield* readers(0)).toEqual(expect.arrayContaining(["Cast", "Mul", "Cos", "Sin"]))
    })
  )

  it.effect("narrows float64 constants and refuses those that do not fill their shape", () =>
    Effect.gen(function* () {
      const program = yield* programOf((x) => ({
        y: add(x, constant({ dtype: "float32", shape: [4], data: Float64Array.of(0.1, 1, 2, 3) }))
      }))
      expect(lower(program, "cpu").initializers[0]!.data).toEqual(Float32Array.of(0.1, 1, 2, 3))
      const torn = yield* programOf((x) => ({
        y: add(x, constant({ dtype: "float32", shape: [4], data: Float64Array.of(1) }))
      }))
      expect(() => lower(torn, "cpu")).toThrow("a constant of shape [4] has 1 numbers")
    })
  )
})
