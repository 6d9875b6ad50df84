/**
 * Mixed precision as a pass over graphs: which nodes are in half precision, and that types fit everywhere. Oracles: ONNX's rule
 * that the float operands of a node have one type, and counting nodes by hand. That the numbers are right is tested with
 * sessions in test/services/backend/onnx/halfPrecision.test.ts. Needs nothing.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { parse } from "yaml"
import { root } from "../../../scripts/build.mjs"
import { decodePrograms } from "../../../src/core/generation/Generation.ts"
import { grad } from "../../../src/core/tensor/Gradient.ts"
import { type Arithmetic, halfPrecision, lossScaleOf } from "../../../src/core/tensor/HalfPrecision.ts"
import { lower } from "../../../src/core/tensor/Lower.ts"
import { elementTypes, type OnnxGraph, type OnnxNode } from "../../../src/core/tensor/OnnxGraph.ts"
import * as Optimizer from "../../../src/core/tensor/Optimizer.ts"
import { gelu } from "../../../src/core/tensor/ops/activation.ts"
import { reshape, sum } from "../../../src/core/tensor/ops/broadcast.ts"
import { add, mul } from "../../../src/core/tensor/ops/elementwise.ts"
import { gemm, matMul } from "../../../src/core/tensor/ops/matmul.ts"
import { transpose } from "../../../src/core/tensor/ops/shape.ts"
import { softmax } from "../../../src/core/tensor/ops/softmax.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import { type Shape, scalar, type Tensor } from "../../../src/core/tensor/Tensor.ts"
import { ofPrograms } from "../../../src/core/tensor/ThreadDependence.ts"
import { evaluateProgram, initialParameters, trainProgram } from "../../../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../../src/plugins/models/decoder/DecoderConfig.ts"
import { full } from "../../full.ts"

const float = (shape: Shape) => ({ dtype: "float32", shape }) as const

const graphOf = (
  inputs: Program.TensorTypes,
  build: (inputs: Program.Tensors) => Program.Tensors,
  arithmetic: Arithmetic = "float16"
) =>
  Effect.map(Program.make({ name: "p", state: {}, inputs, build: (_, given) => ({ outputs: build(given) }) }), (made) =>
    halfPrecision(lower(made, "cpu"), arithmetic)
  )

const isHalf = (name: string | undefined) => name?.endsWith(":float16") === true

/** Operators in half precision, in order. */
const halved = (graph: OnnxGraph) =>
  graph.nodes.flatMap(({ opType, outputs }) => (opType !== "Cast" && isHalf(outputs[0]) ? [opType] : []))

const casts = (graph: OnnxGraph) => graph.nodes.filter(({ opType }) => opType === "Cast")

/** The types of all names by ONNX's rules, and what breaks them. */
const faultsOf = (graph: OnnxGraph): ReadonlyArray<string> => {
  const types = new Map<string, string>([
    ...graph.inputs.map(({ name, type }) => [name, type.dtype] as const),
    ...graph.initializers.map(({ dtype, name }) => [name, dtype] as const)
  ])
  const nameOf = new Map<unknown, string>(Object.entries(elementTypes).map(([name, number]) => [number, name]))
  const compares = (opType: string) => /^(Equal|Greater|Less|And|Or|Not)/.test(opType)
  const faults: Array<string> = []
  for (const { attributes, inputs, opType, outputs } of graph.nodes) {
    const given = inputs.filter((name) => name !== "").map((name) => types.get(name) ?? `nothing ("${name}")`)
    const floats = new Set(given.filter((type) => !["int32", "int64", "bool"].includes(type)))
    const fault = floats.size > 1 || floats.has("nothing")
    if (fault) faults.push(`${opType} of ${inputs.join()} has operands of ${given.join()}`)
    const result =
      opType === "Cast" ? nameOf.get(attributes.to)! : compares(opType) ? "bool" : given[opType === "Where" ? 1 : 0]!
    for (const output of outputs) {
      if (types.has(output)) faults.push(`${output} is made twice`)
      if (isHalf(output) !== (result === "float16")) faults.push(`${output} is ${result}`)
      types.set(output, result)
    }
  }
  for (const { name, type } of graph.outputs) {
    if (types.get(name) !== type.dtype) faults.push(`output ${name} is ${types.get(name)}`)
  }
  return faults
}

const inHalf = (node: OnnxNode) => isHalf(node.outputs[0])

const presets = readdirSync(join(root, "configs/model")).map((file): readonly [string, object] => {
  const { name: _, ...section } = parse(readFileSync(join(root, "configs/model", file), "utf8"))
  return [file.replace(".yaml", ""), section]
})
const common = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 8 }
const small: ReadonlyArray<readonly [string, object]> = [
  ["one block of Llama", { ...common, model_type: "llama", num_key_value_heads: 1 }],
  ["one block of GPT-2", { ...common, model_type: "gpt2", dropout: 0.1 }]
]

describe("models in mixed precision", () => {
  for (const [model, section] of full ? presets : small) {
    it.effect(`${model}: types fit everywhere, and every tensor is cast once`, () =>
      Effect.gen(function* () {
        const config = resolve(yield* Schema.decodeUnknown(DecoderConfig)(section))
        const architecture = architectureOf(config, 300)
        const sizes = { batchSize: 4, contextLength: 8 }
        const train = yield* trainProgram(architecture, Optimizer.adamw({ maxNorm: 1 }), {
          ...{ ...sizes, accumulation: 2, lossScale: 32 }
        })
        const decoding = yield* decodePrograms(architecture, initialParameters(architecture.parameters, 1))
        const programs = [train, yield* evaluateProgram(architecture, sizes), decoding.prompt, decoding.token]
        expect(ofPrograms(programs, "cpu", "float16")).toEqual([])
        for (const dialect of ["cpu", "webgpu"] as const) {
          for (const program of programs) {
            const graph = halfPrecision(lower(program, dialect), dialect === "cpu" ? "float32" : "float16")
            expect(faultsOf(graph)).toEqual([])
            const made = casts(graph).map(({ attributes, inputs }) => `${inputs[0]} to ${attributes.to}`)
            expect(new Set(made).size).toBe(made.length)
            if (dialect === "cpu") continue
            // Each product but the weighted row sums of norms, which have one column.
            const products = graph.nodes.filter(({ opType }) => opType === "Gemm" || opType === "MatMul")
            const columns = products.filter((node) => !inHalf(node)).length
            expect([program.name, columns]).toEqual([program.name, program === train ? 2 * (2 * config.layers + 1) : 0])
          }
        }
        // The optimizer: every new value of the state is made by a float32 node.
        const graph = halfPrecision(lower(train, "webgpu"), "float16")
        const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
        for (const { name } of graph.outputs) {
          expect([name, makers.get(name)!.inputs.filter(isHalf)]).toEqual([name, []])
        }
      })
    )
  }
})

describe("halfPrecision", () => {
  const x = { a: float([8, 4]), w: float([4, 6]), v: float([6, 4]), r: float([8, 4]) }

  it.effect("casts the operands of a product, moves them in half precision, and gives float32", () =>
    Effect.gen(function* () {
      const graph = yield* graphOf(x, ({ a, v }) => ({
        y: matMul(reshape(transpose(a!, [1, 0]), [8, 4]), transpose(v!, [1, 0]))
      }))
      expect(faultsOf(graph)).toEqual([])
      expect(halved(graph).sort()).toEqual(["MatMul", "Reshape", "Transpose", "Transpose"])
      expect(casts(graph).map(({ inputs }) => inputs[0])).toEqual(["input/a", "input/v", "output/y:float16"])
      expect(graph.outputs).toEqual([{ name: "output/y", type: float([8, 6]) }])
    })
  )

  it.effect("keeps the activation between two products in half precision, with its gradient", () =>
    Effect.gen(function* () {
      const mlp = ({ a, v, w }: Program.Tensors) => gemm(gelu(gemm(a!, w!)), v!)
      const forward = yield* graphOf(x, (given) => ({ y: mlp(given) }))
      expect(halved(forward)).toEqual(["Gemm", "Gelu", "Gemm"])
      const graph = yield* graphOf(x, (given) => ({ g: grad(sum(mlp(given)), [given.w!])[0]! }))
      expect(faultsOf(graph)).toEqual([])
      // Between products: the slope of the activation and its product with the gradient; casts at both ends only.
      const from = graph.nodes.findIndex(({ opType }) => opType === "Sigmoid")
      expect(graph.nodes.slice(from - 3, from + 8).every((node) => inHalf(node) || node.opType === "Cast")).toBe(true)
    })
  )

  it.effect("adds a residual and sums of gradients in float32", () =>
    Effect.gen(function* () {
      const graph = yield* graphOf(x, ({ a, r, v, w }) => ({ y: gemm(gelu(gemm(a!, w!)), v!, r!) }))
      expect(graph.nodes.map(({ inputs, opType }) => [opType, inputs]).at(-1)).toEqual([
        "Add",
        ["output/y:product", "input/r"]
      ])
      const sums = yield* graphOf(x, ({ a, r, w }) => ({ y: add(gemm(a!, w!), gemm(r!, w!)) }))
      expect(halved(sums)).toEqual(["Gemm", "Gemm"])
      // A bias has one axis and stays in the product, as in torch.autocast.
      const bias = yield* graphOf({ ...x, b: float([6]) }, ({ a, b, w }) => ({ y: gemm(a!, w!, b!) }))
      expect(bias.nodes.map(({ opType }) => opType)).toEqual(["Cast", "Cast", "Cast", "Gemm", "Cast"])
    })
  )

  it.effect("computes a softmax in float32 and keeps what a product reads of it in half precision", () =>
    Effect.gen(function* () {
      const graph = yield* graphOf(x, ({ a, r, v }) => {
        const p = softmax(matMul(a!, r!, { transposeB: true }))
        return { y: matMul(p, a!), size: sum(mul(p, p)), q: softmax(v!) }
      })
      expect(faultsOf(graph)).toEqual([])
      const [attention, other] = graph.nodes.filter(({ opType }) => opType === "Softmax")
      expect(attention!.outputs[0]).toMatch(/:exact$/)
      expect(other!.outputs).toEqual(["output/q"])
      // The sum of squares reads the probabilities that are kept.
      const square = graph.nodes.find(({ opType }) => opType === "Mul")!
      expect(casts(graph).find(({ outputs }) => outputs[0] === square.inputs[0])?.inputs[0]).toMatch(/:float16$/)
    })
  )

  it.effect("leaves alone what is not between products: one column, arithmetic with float32, small constants", () =>
    Effect.gen(function* () {
      const column = yield* graphOf({ ...x, c: float([4, 1]) }, ({ a, c }) => ({ y: gemm(a!, c!) }))
      expect(column.nodes.map(({ opType }) => opType)).toEqual(["Gemm"])
      const between = (f: (h: Tensor) => Tensor) =>
        Effect.map(
          graphOf({ ...x, m: float([8, 6]) }, ({ a, v, w }) => ({ y: gemm(f(gemm(a!, w!)), v!) })),
          halved
        )
      expect(yield* between((h) => mul(h, scalar(0.5)))).toEqual(["Gemm", "Mul", "Gemm"])
      expect(yield* between((h) => mul(h, scalar(1e-5)))).toEqual(["Gemm", "Gemm"])
      expect(yield* between((h) => mul(h, scalar(1e5)))).toEqual(["Gemm", "Gemm"])
      const mixed = yield* graphOf({ ...x, m: float([8, 6]) }, ({ a, m, v, w }) => ({
        y: gemm(mul(gemm(a!, w!), m!), v!)
      }))
      expect(halved(mixed)).toEqual(["Gemm", "Gemm"])
    })
  )

  it.effect("with float32 arithmetic, rounds operands and results of a node by casts of its own", () =>
    Effect.gen(function* () {
      const graph = yield* graphOf(x, ({ a, w }) => ({ y: gemm(a!, w!) }), "float32")
      expect(faultsOf(graph)).toEqual([])
      expect(graph.nodes.map(({ inputs, opType, outputs }) => `${inputs.join()} ${opType} ${outputs.join()}`)).toEqual([
        "input/a Cast input/a:float16",
        "input/a:float16 Cast input/a:rounded",
        "input/w Cast input/w:float16",
        "input/w:float16 Cast input/w:rounded",
        "input/a:rounded,input/w:rounded Gemm output/y:exact",
        "output/y:exact Cast output/y:float16",
        "output/y:float16 Cast output/y"
      ])
    })
  )
})

describe("lossScaleOf", () => {
  it("is the largest power of two up to the number of tokens, and at most 8192", () => {
    expect([1, 2, 3, 64, 100, 8191, 8192, 65_536, 2 ** 30].map((tokens) => lossScaleOf("float16", tokens))).toEqual([
      ...[1, 2, 2, 64, 64, 4096, 8192, 8192, 8192]
    ])
    expect([lossScaleOf("float16", 0), lossScaleOf("float32", 64), lossScaleOf(undefined, 64)]).toEqual([1, 1, 1])
  })
})
