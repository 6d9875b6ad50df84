/**
 * Lowering to ONNX: sharing, names, dialects. Oracle: counting nodes by hand. Needs nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { grad } from "../../../src/core/tensor/Gradient.ts"
import { lower } from "../../../src/core/tensor/Lower.ts"
import { sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { add, mul, tanh } from "../../../src/core/tensor/ops/elementwise.ts"
import { split } from "../../../src/core/tensor/ops/shape.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import { constant, scalar, type Tensor, type TensorType } from "../../../src/core/tensor/Tensor.ts"

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
      expect(counted(lower(program, "webgpu").nodes)).toEqual({ Slice: 10 })
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
