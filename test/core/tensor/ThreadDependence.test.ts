/**
 * Which graphs depend on the number of threads. Oracle: parts worked out by hand; that the rule is ONNX Runtime's is tested with
 * sessions in test/services/backend/onnx/threads.test.ts. Needs nothing.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { parse } from "yaml"
import { root } from "../../../scripts/build.mjs"
import { decodePrograms } from "../../../src/core/generation/Generation.ts"
import { lower } from "../../../src/core/tensor/Lower.ts"
import * as Operator from "../../../src/core/tensor/Operator.ts"
import * as Optimizer from "../../../src/core/tensor/Optimizer.ts"
import { log, mul } from "../../../src/core/tensor/ops/elementwise.ts"
import { gemm, matMul } from "../../../src/core/tensor/ops/matmul.ts"
import { operators } from "../../../src/core/tensor/ops.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import { input, type Shape, scalar, type Tensor } from "../../../src/core/tensor/Tensor.ts"
import {
  dependsOnThreads,
  describe as describeDependence,
  ofPrograms,
  type Product,
  threadDependences
} from "../../../src/core/tensor/ThreadDependence.ts"
import { evaluateProgram, initialParameters, trainProgram } from "../../../src/core/training/TrainingPrograms.ts"
import { architectureOf } from "../../../src/plugins/models/decoder/Architecture.ts"
import { DecoderConfig, resolve } from "../../../src/plugins/models/decoder/DecoderConfig.ts"
import { full } from "../../full.ts"

const product = (M: number, N: number, K: number, over: Partial<Product> = {}): Product => ({
  ...{ batch: 1, M, N, K, transposeA: false, transposeB: false, alpha: 1, constantB: false },
  ...over
})

const programOf = (name: string, inputs: Program.TensorTypes, build: (inputs: Program.Tensors) => Tensor) =>
  Program.make({ name, state: {}, inputs, build: (_, given) => ({ outputs: { y: build(given) } }) })

const float = (shape: Shape) => ({ dtype: "float32", shape }) as const

describe("a product depends on the number of threads", () => {
  it("where a part has 64 columns or fewer and K is added up in more than one block", () => {
    // Two parts of 48 and 40 columns add up 256 numbers at a time, all 88 columns 128.
    expect(dependsOnThreads(product(32, 88, 1024))).toBe(true)
    // One block, whatever the part.
    expect(dependsOnThreads(product(32, 88, 128))).toBe(false)
    // 32 parts of 128 columns, and 32 parts of 64.
    expect(dependsOnThreads(product(64, 4096, 512))).toBe(false)
    expect(dependsOnThreads(product(64, 2048, 512))).toBe(true)
    // At most 32 · 88 · 100 / 2¹⁶ + 1 = 5 parts, of 16 or 32 columns; with 10 numbers there is one part.
    expect(dependsOnThreads(product(32, 88, 300))).toBe(true)
    expect(dependsOnThreads(product(2, 88, 300))).toBe(false)
  })

  it("where a part has a single row, or a column is all there is", () => {
    expect(dependsOnThreads(product(40, 40, 2000))).toBe(true)
    expect(dependsOnThreads(product(64, 64, 2000))).toBe(false)
    expect(dependsOnThreads(product(1000, 1, 2000))).toBe(true)
    expect(dependsOnThreads(product(40, 40, 2000, { alpha: 0.5 }))).toBe(false)
  })

  it("and does not with a left operand that is stored transposed, or a constant on the right, or one row", () => {
    expect(dependsOnThreads(product(32, 88, 1024, { transposeA: true }))).toBe(false)
    expect(dependsOnThreads(product(32, 88, 1024, { constantB: true }))).toBe(false)
    expect(dependsOnThreads(product(1, 88, 4096))).toBe(false)
    expect(dependsOnThreads(product(1, 88, 4096, { transposeB: true }))).toBe(true)
    expect(dependsOnThreads(product(1, 88, 4096, { alpha: 0.5 }))).toBe(true)
  })

  it("unless there are as many matrices as threads", () => {
    expect(dependsOnThreads(product(32, 88, 1024, { batch: 31 }))).toBe(true)
    expect(dependsOnThreads(product(32, 88, 1024, { batch: 32 }))).toBe(false)
  })
})

describe("gemm and matMul", () => {
  const size = FastCheck.oneof(FastCheck.integer({ min: 1, max: 40 }), FastCheck.integer({ min: 1, max: 5000 }))
  const shapes = FastCheck.record({
    ...{ M: size, N: size, K: size, batch: FastCheck.constantFrom(0, 1, 3) },
    ...{ transposeA: FastCheck.boolean(), transposeB: FastCheck.boolean(), alpha: FastCheck.constantFrom(1, 0.5) }
  })

  it("are lowered to products that do not depend on it, whatever the shapes", () => {
    FastCheck.assert(
      FastCheck.property(shapes, ({ batch, K, M, N, ...options }) => {
        const leading = batch === 0 ? [] : [batch]
        const a = input("input/a", "float32", [...leading, ...(options.transposeA ? [K, M] : [M, K])])
        const b = input("input/b", "float32", options.transposeB ? [N, K] : [K, N])
        const outputs = {
          shared: matMul(a, b, options),
          ...(batch === 0 ? { gemm: gemm(a, b, undefined, options) } : {})
        }
        const graph = lower({ name: "p", state: {}, inputs: { a, b }, nextState: {}, outputs }, "cpu")
        expect(threadDependences(graph)).toEqual([])
      }),
      { seed: 1, numRuns: 300 }
    )
  })
})

/** An operator of a plugin that writes its own product. */
const rawProduct = (form: Operator.OnnxForm<Operator.NoAttributes>) =>
  Operator.make<Operator.NoAttributes>({
    name: "rawProduct",
    shape: ([a, b]) => [float([a!.shape[0]!, b!.shape[1]!])],
    reference: (_, __, [type]) => [{ ...type!, data: new Float64Array(4) }],
    gradient: Operator.nonDifferentiable("it is a test"),
    onnx: { default: form },
    sample: () => ({ inputs: [float([1, 1]), float([1, 1])], attributes: {} }),
    points: []
  })

describe("threadDependences", () => {
  const types = { x: float([32, 1024]), weight: float([1024, 88]) }

  it.effect("names the product, the parameter that it reads, its shapes, and what to do", () =>
    Effect.gen(function* () {
      const operator = rawProduct((emit, inputs) => [emit.node("Gemm", inputs)])
      const program = yield* Program.make({
        name: "train",
        state: { "parameter/layers.0.up": types.weight },
        inputs: { x: types.x },
        build: (state, { x }) => ({
          outputs: { y: mul(Operator.apply(operator, [x!, state["parameter/layers.0.up"]!], {}), scalar(2)) }
        })
      })
      const found = ofPrograms([program], "cpu")
      expect(found.map(describeDependence)).toEqual([
        "train: Gemm of layers.0.up: the sums of a product of [32, 1024] and [1024, 88] depend on how threads divide it. " +
          "Compute it with `gemm` or `matMul` of codex, which choose a form that does not depend on it"
      ])
    })
  )

  it.effect("follows transposes, and names the nearest result where no state is read", () =>
    Effect.gen(function* () {
      const operator = rawProduct((emit, [a, b]) => {
        const twice = emit.node("Transpose", [emit.node("Transpose", [a!], { perm: [1, 0] })], { perm: [1, 0] })
        return [emit.node("Identity", [emit.node("MatMul", [twice, b!])])]
      })
      const program = yield* programOf("p", types, ({ weight, x }) => Operator.apply(operator, [x!, weight!], {}))
      expect(ofPrograms([program], "wasm")).toMatchObject([{ operator: "MatMul", subject: "y" }])
    })
  )

  it.effect("reports what it cannot know: hidden shapes, operators and devices that were not measured", () =>
    Effect.gen(function* () {
      const hiddenShape = rawProduct((emit, [a, b]) => [
        emit.node("Relu", [emit.node("MatMul", [emit.node("Relu", [a!]), emit.node("Relu", [b!])])])
      ])
      const unknown = rawProduct((emit, inputs) => [emit.node("Celu", [emit.node("Gemm", inputs, { transA: 0 })])])
      const details = (operator: Operator.Operator) =>
        Effect.map(
          programOf("p", { x: float([2, 3]), w: float([3, 2]) }, ({ w, x }) => Operator.apply(operator, [x!, w!], {})),
          (program) => ofPrograms([program], "cpu").map((found) => `${found.operator}: ${found.details}`)
        )
      const unmeasured = "nobody has measured whether its bits depend on the number of threads"
      expect(yield* details(hiddenShape)).toEqual([
        "MatMul: its shapes are not known, so its bits may depend on the number of threads"
      ])
      expect(yield* details(unknown)).toEqual([`Celu: ${unmeasured}`])
      const program = yield* programOf("p", { x: float([2]) }, ({ x }) => mul(x!, x!))
      expect(ofPrograms([program], "cpu")).toEqual([])
      expect(ofPrograms([program], "cuda")).toMatchObject([{ subject: "device cuda", details: unmeasured }])
    })
  )

  it.effect("reports a logarithm of more than one number", () =>
    Effect.gen(function* () {
      const of = (shape: Shape) =>
        Effect.map(
          programOf("p", { x: float(shape) }, ({ x }) => log(x!)),
          (program) => ofPrograms([program], "cpu")
        )
      expect(yield* of([])).toEqual([])
      expect(yield* of([2, 3])).toMatchObject([
        { operator: "Log", details: "the logarithm of [2, 3] depends on how threads divide it" }
      ])
    })
  )

  it("knows every node that the operators of codex consist of", () => {
    for (const operator of operators) {
      for (let turn = 0; turn < 4; turn++) {
        let drawn = turn
        const pick: Operator.Pick = {
          int: (min, max) => min + (drawn++ % (max - min + 1)),
          of: (choices) => choices[drawn++ % choices.length] ?? choices[0]
        }
        const sample = operator.sampled(pick)
        const inputs = sample.inputs.map(({ dtype, shape }, i) => input(`input/x${i}`, dtype, shape))
        const outputs = Object.fromEntries(
          Operator.applyBound(sample.operator, inputs).map((tensor, i) => [`y${i}`, tensor])
        )
        const declared = Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor]))
        const program = { name: operator.name, state: {}, inputs: declared, nextState: {}, outputs }
        expect(ofPrograms([program], "cpu").filter(({ operator }) => operator !== "Log")).toEqual([])
      }
    }
  })
})

describe("the models of configs/model", () => {
  const presets = readdirSync(join(root, "configs/model")).map((file) => file.replace(".yaml", ""))

  for (const preset of presets) {
    it.effect(`${preset} trains, evaluates and generates with the same bits at every number of threads`, () =>
      Effect.gen(function* () {
        const { name: _, ...section } = parse(readFileSync(join(root, `configs/model/${preset}.yaml`), "utf8"))
        const config = resolve(yield* Schema.decodeUnknown(DecoderConfig)(section))
        const cases = [
          [257, 32] as const,
          ...(full
            ? ([
                [4096, 1],
                [4096, 8],
                [50_257, 2]
              ] as const)
            : [])
        ]
        for (const [vocabulary, batchSize] of cases) {
          const architecture = architectureOf(config, vocabulary)
          const sizes = { batchSize, contextLength: architecture.contextLength }
          const parameters = initialParameters(architecture.parameters, 1)
          const programs = [
            yield* trainProgram(architecture, Optimizer.adamw({ maxNorm: 1 }), { ...sizes, accumulation: 1 }),
            yield* evaluateProgram(architecture, sizes),
            ...Object.values(yield* decodePrograms(architecture, parameters))
          ]
          expect(ofPrograms(programs, "cpu").map(describeDependence)).toEqual([])
        }
      })
    )
  }
})
