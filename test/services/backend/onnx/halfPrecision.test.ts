/**
 * Numbers in mixed precision, on devices that round to half precision: products, and gradients of a small decoder. Oracles: the
 * reference on operands that were rounded here, and the same gradients in float32. Needs CPU sessions, native and WebAssembly.
 */
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { Backend, type TensorDatas } from "../../../../src/core/Backend.ts"
import { grad } from "../../../../src/core/tensor/Gradient.ts"
import { lossScaleOf, type Precision } from "../../../../src/core/tensor/HalfPrecision.ts"
import { sum } from "../../../../src/core/tensor/ops/broadcast.ts"
import { mul } from "../../../../src/core/tensor/ops/elementwise.ts"
import { crossEntropy } from "../../../../src/core/tensor/ops/loss.ts"
import { gemm, matMul } from "../../../../src/core/tensor/ops/matmul.ts"
import { transpose } from "../../../../src/core/tensor/ops/shape.ts"
import * as Program from "../../../../src/core/tensor/Program.ts"
import * as Reference from "../../../../src/core/tensor/Reference.ts"
import { type Shape, scalar, sizeOf } from "../../../../src/core/tensor/Tensor.ts"
import { initialParameters, parameterTypes } from "../../../../src/core/training/TrainingPrograms.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"
import * as Tiny from "../../../training/tiny.ts"

/** The nearest number of half precision; ties go to the even one. */
const round = (x: number): number => {
  if (x === 0 || !Number.isFinite(x)) return x
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -14) - 10)
  const [whole, rest] = [Math.floor(x / step), x / step - Math.floor(x / step)]
  const up = rest > 0.5 || (rest === 0.5 && whole % 2 !== 0)
  const y = (up ? whole + 1 : whole) * step
  return Math.abs(y) > 65504 ? Math.sign(y) * Number.POSITIVE_INFINITY : y
}

const float = (shape: Shape) => ({ dtype: "float32", shape }) as const
const numbers = (shape: Shape, size = 1, phase = 1) => ({
  ...float(shape),
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(phase + i * 1.7))
})

const device = (name: "cpu" | "wasm", precision: Precision = "float16") =>
  OnnxBackend.layer({ device: name, threads: 1, precision })

const run = (program: Program.Program, inputs: TensorDatas) =>
  Effect.gen(function* () {
    const executable = yield* (yield* Backend).compile({ program })
    return yield* executable.run("program", inputs)
  }).pipe(Effect.scoped)

const programOf = (inputs: Program.TensorTypes, build: (inputs: Program.Tensors) => Program.Tensors) =>
  Program.make({ name: "p", state: {}, inputs, build: (_, given) => ({ outputs: build(given) }) })

/** ‖a − b‖ / ‖b‖ */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const norm = (f: (i: number) => number) => Math.sqrt(Array.from(b, (_, i) => f(i) ** 2).reduce((x, y) => x + y, 0))
  return norm((i) => a[i]! - b[i]!) / norm((i) => b[i]!)
}

describe("products in half precision", () => {
  const inputs = {
    a: numbers([6, 40]),
    b: numbers([40, 5], 3, 2),
    t: numbers([5, 40], 3, 3),
    bias: numbers([5], 1, 4),
    residual: numbers([6, 5], 100, 5),
    q: numbers([2, 3, 4, 8], 2, 6),
    k: numbers([2, 3, 7, 8], 2, 7)
  }
  const build = ({ a, b, bias, k, q, residual, t }: Program.Tensors) => ({
    gemm: gemm(a!, b!),
    transposed: gemm(t!, a!, undefined, { transposeB: true, alpha: 0.5 }),
    biased: gemm(a!, b!, bias!),
    residual: gemm(a!, b!, residual!),
    scores: matMul(q!, k!, { transposeB: true, alpha: 1 / 3 }),
    moved: matMul(transpose(b!, [1, 0]), a!, { transposeB: true })
  })

  /** 1 + 2⁻¹² is 1 in half precision, 2049 is 2048, and 1e-8 is 0. */
  const corners = {
    a: { ...float([2, 2]), data: Float32Array.of(1 + 2 ** -12, 2048, 1e-8, 300) },
    b: { ...float([2, 2]), data: Float32Array.of(1, 0, 1, 300) }
  }

  for (const name of ["cpu", "wasm"] as const) {
    it.effect(`are those of rounded operands, rounded, and beyond the range infinite, on ${name}`, () =>
      Effect.gen(function* () {
        const program = yield* programOf(inputs, build)
        const rounding = yield* programOf(corners, ({ a, b }) => ({ y: matMul(a!, b!) }))
        const executable = yield* (yield* Backend).compile({ program, rounding })
        const { y } = yield* executable.run("rounding", corners)
        expect([...y!.data]).toEqual([2048, Number.POSITIVE_INFINITY, 300, Number.POSITIVE_INFINITY])
        const found = yield* executable.run("program", inputs)
        const operands = Object.fromEntries(
          Object.entries(inputs).map(([key, value]) => [
            key,
            // What is added in float32 is not rounded.
            { ...value, data: Float64Array.from(value.data, key === "residual" ? (x) => x : round) }
          ])
        )
        const { outputs } = Reference.run(program, {}, operands)
        for (const [key, { data }] of Object.entries(found)) {
          const isSum = key === "residual"
          data.forEach((y: number, i: number) => {
            const expected = outputs[key]!.data[i]!
            const product = isSum ? expected - inputs.residual.data[i]! : expected
            // One unit in the last of 11 digits of the product: sums of float32 may fall on the other side of a tie.
            expect(Math.abs(y - expected)).toBeLessThanOrEqual(2 ** -10 * Math.abs(product) + 1e-5)
            if (!isSum) expect([key, round(y)]).toEqual([key, y])
          })
        }
      }).pipe(Effect.scoped, Effect.provide(device(name)))
    )
  }
})

describe("gradients in half precision", () => {
  const architecture = Tiny.architecture({ hidden_size: 32, num_hidden_layers: 2 })
  const types = parameterTypes(architecture)
  const names = Object.keys(types)
  const batch = { dtype: "int32", shape: [4, 8] } as const
  const tokens = (phase: number) => ({ ...batch, data: Tiny.periodic(32 + phase).slice(phase) })
  const inputs = {
    ...initialParameters(architecture.parameters, 1),
    tokens: tokens(0),
    targets: { dtype: "int32", shape: [32], data: tokens(1).data }
  } as const
  /** The gradients of a mean over `count` tokens with a scaled loss, brought to the size of a single token's. */
  const gradients = (count: number, scale: number) =>
    programOf({ ...types, tokens: batch, targets: { dtype: "int32", shape: [32] } }, (given) => {
      const logits = architecture.forward(given, given.tokens!)
      const loss = mul(sum(crossEntropy(logits, given.targets!)), scalar(1 / count))
      const found = grad(
        mul(loss, scalar(scale)),
        names.map((name) => given[name]!)
      )
      return Object.fromEntries(names.map((name, i) => [name, mul(found[i]!, scalar(count / scale))]))
    })
  const errors = (found: TensorDatas, expected: TensorDatas) =>
    names.map((name) => distance(found[name]!.data, expected[name]!.data))

  it.effect(
    "agree with float32 to 2 or 3 digits; those of a mean over a million tokens are lost without the scale of the loss",
    () =>
      Effect.gen(function* () {
        const million = 2 ** 20
        const expected = yield* Effect.provide(
          Effect.flatMap(gradients(1, 1), (program) => run(program, inputs)),
          device("cpu", "float32")
        )
        const programs = {
          mean: yield* gradients(32, 32),
          scaled: yield* gradients(million, million),
          limited: yield* gradients(million, lossScaleOf("float16", million)),
          plain: yield* gradients(million, 1)
        }
        yield* Effect.gen(function* () {
          const executable = yield* (yield* Backend).compile(programs)
          const worst = (name: keyof typeof programs) =>
            Effect.map(executable.run(name, inputs), (found) => Math.max(...errors(found, expected)))
          expect(yield* worst("mean")).toBeLessThan(3e-3)
          expect(yield* worst("scaled")).toBeLessThan(3e-3)
          expect(yield* worst("limited")).toBeLessThan(0.03)
          expect(yield* worst("plain")).toBeGreaterThan(0.3)
        }).pipe(Effect.scoped, Effect.provide(device("cpu")))
      })
  )
})

describe("a backend in half precision", () => {
  it.effect("says so in its description, and takes it from CODEX_PRECISION", () =>
    Effect.gen(function* () {
      const infoOf = (precision: string) =>
        Effect.map(Backend, ({ info }) => info).pipe(
          Effect.provide(OnnxBackend.layerConfig),
          Effect.withConfigProvider(
            ConfigProvider.fromMap(new Map(Object.entries({ CODEX_PRECISION: precision, CODEX_THREADS: "1" })))
          )
        )
      expect(yield* infoOf("float16")).toMatchObject({
        precision: "float16",
        description: expect.stringMatching(/, CPUExecutionProvider, 1 thread, float16$/)
      })
      expect((yield* infoOf("float32")).description).toMatch(/, 1 thread$/)
      expect(String(yield* Effect.flip(infoOf("half")))).toContain("CODEX_PRECISION")
    })
  )
})
