/**
 * Optimizers, evaluated by the reference in float64: the first three steps of each transformation, worked out by hand.
 *
 * Oracle: the numbers in this file; test/plugins/models/decoder.test.ts compares AdamW with torch.optim.AdamW. The number of
 * passes over memory is counted in the graph.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Optimizer from "../../../src/core/tensor/Optimizer.ts"
import { add, div, mul, neg, sqrt, sub } from "../../../src/core/tensor/ops/elementwise.ts"
import * as Program from "../../../src/core/tensor/Program.ts"
import * as Reference from "../../../src/core/tensor/Reference.ts"
import { combineScalars } from "../../../src/core/tensor/Scalars.ts"
import { input, scalar, sizeOf, type Tensor, topologicalOrder } from "../../../src/core/tensor/Tensor.ts"
import { TrainState } from "../../../src/core/training/Checkpoint.ts"
import { TrainingSession } from "../../../src/core/training/TrainingSession.ts"
import * as Tiny from "../../training/tiny.ts"

type Numbers = { readonly [name: string]: ReadonlyArray<number> }

interface Case {
  readonly optimizer: Optimizer.GradientTransformation
  readonly shapes: { readonly [name: string]: ReadonlyArray<number> }
  readonly parameters: Numbers
  /** Gradients of each step, and its learning rate. */
  readonly steps: ReadonlyArray<{ readonly gradients: Numbers; readonly rate?: number }>
}

const numbers = (shape: ReadonlyArray<number>, values: ReadonlyArray<number>): Reference.NdArrays[string] => ({
  dtype: "float32",
  shape,
  data: Float64Array.from(values)
})

const record = <A, B>(of: { readonly [name: string]: A }, f: (value: A, name: string) => B) =>
  Object.fromEntries(Object.entries(of).map(([name, value]) => [name, f(value, name)]))

const flat = (values: Reference.NdArrays) => record(values, ({ data }) => [...data])

const float = (shape: ReadonlyArray<number>) => ({ dtype: "float32", shape }) as const

/** The updates, the parameters after them, and the optimizer's state, after each step. */
const run = ({ optimizer, parameters, shapes, steps }: Case) =>
  Effect.gen(function* () {
    const types = record(shapes, float)
    const optimizerTypes = optimizer.state(types)
    const program = yield* Program.make({
      name: "optimize",
      state: { ...types, ...optimizerTypes },
      inputs: { ...record(types, (type) => type), step: float([]), rate: float([]) },
      build: (state, inputs) => {
        const context = {
          state: record(optimizerTypes, (_, name) => state[name]!),
          parameters: record(types, (_, name) => state[name]!),
          step: inputs.step!,
          learningRate: inputs.rate!
        }
        const gradients = record(types, (_, name) => inputs[name]!)
        const next = Optimizer.step(optimizer, gradients, context)
        return {
          state: { ...next.parameters, ...next.state },
          outputs: optimizer.update(gradients, context).updates
        }
      }
    })
    let state: Reference.NdArrays = {
      ...record(parameters, (values, name) => numbers(shapes[name]!, values)),
      ...record(optimizerTypes, ({ shape }) => numbers(shape, new Array(sizeOf(shape)).fill(0)))
    }
    return steps.map(({ gradients, rate = 1 }, i) => {
      const result = Reference.run(program, state, {
        ...record(gradients, (values, name) => numbers(shapes[name]!, values)),
        step: numbers([], [i + 1]),
        rate: numbers([], [rate])
      })
      state = result.state
      const all = flat(state)
      return {
        updates: flat(result.outputs),
        parameters: record(parameters, (_, name) => all[name]!),
        state: record(optimizerTypes, (_, name) => all[name]!)
      }
    })
  })

/** Constants are float32 even in the reference, so a rate of 0.1 is only nearly 0.1. */
const expectNumbers = (got: Numbers, want: Numbers) => {
  expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort())
  for (const [name, values] of Object.entries(want)) {
    expect(got[name]!.length).toBe(values.length)
    values.forEach((value, i) => {
      expect(got[name]![i]!, `${name}[${i}]`).toBeCloseTo(value, 6)
    })
  }
}

describe("the first three steps", () => {
  it.effect("identity adds the gradient itself", () =>
    Effect.gen(function* () {
      const steps = yield* run({
        optimizer: Optimizer.identity,
        shapes: { w: [1] },
        parameters: { w: [1] },
        steps: [{ gradients: { w: [2] } }, { gradients: { w: [-4] } }, { gradients: { w: [8] } }]
      })
      expectNumbers(steps[0]!.parameters, { w: [3] })
      expectNumbers(steps[1]!.parameters, { w: [-1] })
      expectNumbers(steps[2]!.parameters, { w: [7] })
    })
  )

  it.effect("scaleByLearningRate steps against the gradient", () =>
    Effect.gen(function* () {
      const steps = yield* run({
        optimizer: Optimizer.scaleByLearningRate(),
        shapes: { w: [1] },
        parameters: { w: [1] },
        steps: [
          { gradients: { w: [1] }, rate: 0.125 },
          { gradients: { w: [1] }, rate: 0.25 },
          { gradients: { w: [-1] }, rate: 0.5 }
        ]
      })
      expectNumbers(steps[0]!.updates, { w: [-0.125] })
      expectNumbers(steps[1]!.updates, { w: [-0.25] })
      expectNumbers(steps[2]!.updates, { w: [0.5] })
      expectNumbers(steps[2]!.parameters, { w: [1.125] })
    })
  )

  it.effect("clipByGlobalNorm shortens all updates by one factor, and only long ones", () =>
    Effect.gen(function* () {
      const steps = yield* run({
        optimizer: Optimizer.clipByGlobalNorm(1),
        shapes: { w: [2], b: [1] },
        parameters: { w: [0, 0], b: [0] },
        steps: [
          { gradients: { w: [3, 4], b: [0] } }, // norm 5
          { gradients: { w: [0.1, 0.2], b: [0.2] } }, // norm 0.3
          { gradients: { w: [1, 2], b: [-2] } } // norm 3
        ]
      })
      expectNumbers(steps[0]!.updates, { w: [0.6, 0.8], b: [0] })
      expectNumbers(steps[1]!.updates, { w: [0.1, 0.2], b: [0.2] })
      expectNumbers(steps[2]!.updates, { w: [1 / 3, 2 / 3], b: [-2 / 3] })
    })
  )

  it.effect("addDecayedWeights adds a share of matrices, and of what a mask names", () =>
    Effect.gen(function* () {
      const decay = {
        shapes: { w: [1, 1], b: [1] },
        parameters: { w: [8], b: [8] },
        steps: [0, 1, 2].map(() => ({ gradients: { w: [1], b: [1] }, rate: 0.5 }))
      }
      const chained = (transformation: Optimizer.GradientTransformation) =>
        Optimizer.chain(transformation, Optimizer.scaleByLearningRate())
      // w: 8 − ½(1 + 4) = 5.5;  5.5 − ½(1 + 2.75) = 3.625;  3.625 − ½(1 + 1.8125) = 2.21875
      const steps = yield* run({ ...decay, optimizer: chained(Optimizer.addDecayedWeights(0.5)) })
      expectNumbers(steps[0]!.updates, { w: [-2.5], b: [-0.5] })
      expectNumbers(steps[1]!.parameters, { w: [3.625], b: [7] })
      expectNumbers(steps[2]!.parameters, { w: [2.21875], b: [6.5] })
      const mask: Optimizer.ParameterMask = (name) => name === "b"
      const masked = yield* run({ ...decay, optimizer: chained(Optimizer.addDecayedWeights(0.5, { mask })) })
      expectNumbers(masked[2]!.parameters, { w: [6.5], b: [2.21875] })
      expect(Optimizer.addDecayedWeights(0)).toBe(Optimizer.identity)
    })
  )

  /** β₁ = ½, β₂ = ¾, ε = 1 and the gradients 2, 4, −6: m = 1, 2.5, −1.75 and v = 1, 4.75, 12.5625. */
  const adam = { beta1: 0.5, beta2: 0.75, epsilon: 1 }
  const adamGradients = [{ gradients: { w: [2] } }, { gradients: { w: [4] } }, { gradients: { w: [-6] } }]
  // m̂ / (sqrt(v̂) + 1): m̂ = m / (½, ¾, ⅞) and v̂ = v / (16, 28, 37) · 64
  const adamUpdates = [2 / (2 + 1), 10 / 3 / (Math.sqrt(76 / 7) + 1), -2 / (Math.sqrt(804 / 37) + 1)]

  it.effect("scaleByAdam divides the corrected mean by the corrected root", () =>
    Effect.gen(function* () {
      const steps = yield* run({
        optimizer: Optimizer.scaleByAdam(adam),
        shapes: { w: [1] },
        parameters: { w: [0] },
        steps: adamGradients
      })
      steps.forEach(({ updates }, i) => {
        expectNumbers(updates, { w: [adamUpdates[i]!] })
      })
      expectNumbers(steps[1]!.state, { "adam.mean/w": [2.5], "adam.square/w": [4.75] })
      expectNumbers(steps[2]!.state, { "adam.mean/w": [-1.75], "adam.square/w": [12.5625] })
    })
  )

  it.effect("adamw is a chain of four: p − lr · (m̂ / (sqrt(v̂) + ε) + λ·p)", () =>
    Effect.gen(function* () {
      const steps = yield* run({
        optimizer: Optimizer.adamw({ ...adam, weightDecay: 0.25 }),
        shapes: { w: [1, 1] },
        parameters: { w: [4] },
        steps: adamGradients.map((each) => ({ ...each, rate: 0.5 }))
      })
      let w = 4
      steps.forEach(({ parameters, state }, i) => {
        w -= 0.5 * (adamUpdates[i]! + 0.25 * w)
        expectNumbers(parameters, { w: [w] })
        expect(Object.keys(state)).toEqual(["1/adam.mean/w", "1/adam.square/w"])
      })
      const clipped = yield* run({
        optimizer: Optimizer.adamw({ ...adam, maxNorm: 1 }),
        shapes: { w: [1, 1] },
        parameters: { w: [4] },
        steps: [{ gradients: { w: [-8] } }]
      })
      // The clipped gradient is −1.
      expectNumbers(clipped[0]!.state, { "1/adam.mean/w": [-0.5], "1/adam.square/w": [0.25] })
    })
  )
})

describe("flatten", () => {
  const shapes = { a: [2, 3], gain: [3], b: [5], c: [3, 7], table: [11, 4] }
  const random = (seed: number) => (_: unknown, i: number) => Math.sin(seed + 12.9898 * i)
  const drawn = (seed: number) =>
    record(shapes, (shape, name) => Array.from({ length: sizeOf(shape) }, random(seed + name.length * 7)))
  const adamw = Optimizer.adamw({ beta2: 0.95, weightDecay: 0.1, maxNorm: 1 })

  it("packs matrices and the rest into vectors of a bounded length, in their order", () => {
    const states = (maxElements?: number) =>
      record(
        Optimizer.flatten(adamw, maxElements === undefined ? {} : { maxElements }).state(record(shapes, float)),
        ({ shape }) => shape
      )
    expect(states()).toEqual({
      "1/adam.mean/matrix.0": [1, 71],
      "1/adam.square/matrix.0": [1, 71],
      "1/adam.mean/vector.0": [8],
      "1/adam.square/vector.0": [8]
    })
    // 6 + 21 fit, 44 are more than that and have a vector of their own.
    expect(record(states(30), (shape) => sizeOf(shape))).toMatchObject({
      "1/adam.mean/matrix.0": 27,
      "1/adam.mean/matrix.1": 44,
      "1/adam.mean/vector.0": 8
    })
  })

  it.effect("gives the parameters of the separate form, with clipping and decay for matrices only", () =>
    Effect.gen(function* () {
      const training = {
        shapes,
        parameters: drawn(1),
        steps: [0, 1, 2].map((i) => ({ gradients: drawn(20 + i), rate: 0.01 }))
      }
      const separate = yield* run({ ...training, optimizer: adamw })
      for (const maxElements of [1, 30, 1000]) {
        const flattened = yield* run({ ...training, optimizer: Optimizer.flatten(adamw, { maxElements }) })
        flattened.forEach(({ parameters, updates }, i) => {
          expectNumbers(parameters, separate[i]!.parameters)
          expectNumbers(updates, separate[i]!.updates)
        })
      }
      // A part of a chain is called for its updates alone.
      const chained = Optimizer.chain(Optimizer.flatten(Optimizer.adamw()), Optimizer.identity)
      expectNumbers(
        (yield* run({ ...training, optimizer: chained }))[2]!.parameters,
        (yield* run({ ...training, optimizer: Optimizer.adamw() }))[2]!.parameters
      )
    })
  )

  it.effect("gives the same bits as the separate form on the CPU, where no norm is added up", () =>
    Effect.gen(function* () {
      const trained = (optimizer: Optimizer.GradientTransformation) =>
        Tiny.withSession(
          { optimizer, training: { max_steps: 3 } },
          Effect.flatMap(TrainingSession, ({ snapshot, step }) =>
            Effect.all([step, step, step]).pipe(
              Effect.zipRight(snapshot),
              Effect.map(({ parameters }) => record(parameters, ({ data }) => Buffer.from(data.buffer).toString("hex")))
            )
          )
        )
      const plain = Tiny.optimizer()
      expect(yield* trained(Optimizer.flatten(plain))).toEqual(yield* trained(plain))
    }).pipe(Effect.provide(Tiny.cpu))
  )

  it("needs as many passes for a hundred parameters as for one, but for joining and splitting", () => {
    const nodes = (count: number) => {
      const types = Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, float([2, 3])]))
      const named = (prefix: string, of: Program.TensorTypes) =>
        record(of, ({ dtype, shape }, name) => input(`${prefix}/${name}`, dtype, shape))
      const optimizer = Optimizer.flatten(adamw)
      const next = Optimizer.step(optimizer, named("gradient", types), {
        state: named("state", optimizer.state(types)),
        parameters: named("parameter", types),
        step: input("step", "float32", []),
        learningRate: input("rate", "float32", [])
      })
      const all = topologicalOrder([
        ...Object.values(next.parameters),
        ...Object.values(next.state),
        next.gradientNorm
      ]).flatMap((node) => (node._tag === "Apply" ? [node.operator.name] : []))
      return all.filter((name) => !["concat", "split", "reshape"].includes(name)).length
    }
    expect(nodes(100)).toBe(nodes(1))
  })
})

describe("an option outside of its range", () => {
  const infinite = Number.POSITIVE_INFINITY
  it.each([
    [Optimizer.adamw({ beta1: 1 }), "scaleByAdam(): beta1 must be a number ≥ 0 and < 1, not 1"],
    [Optimizer.adamw({ beta2: 1.5 }), "scaleByAdam(): beta2 must be a number ≥ 0 and < 1, not 1.5"],
    [Optimizer.scaleByAdam({ epsilon: 0 }), "scaleByAdam(): epsilon must be a number ≥ 1e-37 and ≤ 1e+38, not 0"],
    [Optimizer.scaleByAdam({ epsilon: Number.NaN }), "epsilon must be a number ≥ 1e-37 and ≤ 1e+38, not NaN"],
    [
      Optimizer.adamw({ weightDecay: infinite }),
      "addDecayedWeights(): rate must be a number ≥ 0 and ≤ 1e+38, not Infinity"
    ],
    [Optimizer.flatten(Optimizer.identity, { maxElements: 0 }), "flatten(): maxElements must be"],
    [Optimizer.clipByGlobalNorm(-1), "clipByGlobalNorm(): maxNorm must be a number ≥ 1e-37 and ≤ 1e+38, not -1"]
  ])("is a typed failure of the Program", (optimizer, message) => {
    const scalars = { dtype: "float32", shape: [] } as const
    const program = Program.make({
      name: "update",
      state: optimizer.state({ p: scalars }),
      inputs: { p: scalars, gradient: scalars, step: scalars, learningRate: scalars },
      build: (state, { gradient, learningRate, p, step }) => {
        const context = { state, parameters: { p: p! }, step: step!, learningRate: learningRate! }
        return { outputs: { p: optimizer.update({ p: gradient! }, context).updates.p! } }
      }
    })
    const error = Effect.runSync(Effect.flip(program))
    expect(error._tag).toBe("ShapeError")
    expect(error.message).toContain(message)
  })
})

describe("the state of a chain", () => {
  it.effect("is named by position, so two transformations of one kind keep their own", () =>
    Effect.gen(function* () {
      const adam = Optimizer.scaleByAdam({ beta1: 0.5, beta2: 0.75, epsilon: 1e-30 })
      const steps = yield* run({
        optimizer: Optimizer.chain(adam, Optimizer.chain(Optimizer.identity, adam)),
        shapes: { w: [1] },
        parameters: { w: [0] },
        steps: [{ gradients: { w: [4] } }, { gradients: { w: [4] } }]
      })
      // The first sees 4 and gives 1; the second sees 1.
      expectNumbers(steps[0]!.state, {
        "0/adam.mean/w": [2],
        "0/adam.square/w": [4],
        "1/1/adam.mean/w": [0.5],
        "1/1/adam.square/w": [0.25]
      })
      expectNumbers(steps[1]!.state, {
        "0/adam.mean/w": [3],
        "0/adam.square/w": [7],
        "1/1/adam.mean/w": [0.75],
        "1/1/adam.square/w": [0.4375]
      })
    })
  )

  it.effect("that another optimizer saved is refused when a run is resumed", () =>
    Effect.gen(function* () {
      const { parameters } = Tiny.architecture()
      const values = record(parameters, ({ shape }) => ({ ...float(shape), data: new Float32Array(sizeOf(shape)) }))
      const resume = {
        state: new TrainState({ step: 3, seed: 1, tokens: 96, loss: 2, best: null, sinceBest: 0, finished: null }),
        parameters: values,
        optimizer: Object.fromEntries(Object.entries(values).map(([name, value]) => [`adam.mean/${name}`, value])),
        files: {},
        provenance: {}
      }
      const error = yield* Effect.flip(Tiny.withSession({ resume }, Effect.void))
      expect(error).toMatchObject({ _tag: "CheckpointError", reason: "Mismatch" })
      expect(error.message).toMatch(/Optimizer state 1\/adam\.mean\/\S+ is missing, but there is adam\.mean\//)
      const separate = Tiny.optimizer()
      const types = separate.state(record(parameters, ({ shape }) => float(shape)))
      const saved = record(types, (type) => ({ ...type, data: new Float32Array(sizeOf(type.shape)) }))
      const flattened = { resume: { ...resume, optimizer: saved }, optimizer: Optimizer.flatten(separate) }
      expect((yield* Effect.flip(Tiny.withSession(flattened, Effect.void))).message).toMatch(
        /Optimizer state 1\/adam\.mean\/matrix\.0 is missing, but there is 1\/adam\.mean\//
      )
    }).pipe(Effect.provide(Tiny.cpu))
  )
})

describe("combineScalars", () => {
  const x = input("x", "float32", [2, 3])
  const y = input("y", "float32", [2, 3])
  const row = input("row", "float32", [3])
  const [s, t] = [input("s", "float32", []), input("t", "float32", [])]
  const values = new Map([
    ["x", numbers([2, 3], [1, -2, 3, -4, 5, -6])],
    ["y", numbers([2, 3], [2, 3, 5, 7, 11, 13])],
    ["row", numbers([3], [0.5, -1, 2])],
    ["s", numbers([], [3])],
    ["t", numbers([], [-0.25])]
  ])
  const valueOf = (tensor: Tensor) => [...Reference.evaluate([tensor], values)[0]!.data]
  /** Operators that pass over a whole tensor. */
  const passes = (...tensors: ReadonlyArray<Tensor>) =>
    topologicalOrder(tensors).filter((node) => node._tag === "Apply" && node.types[0]!.shape.length > 0).length

  const sums: ReadonlyArray<readonly [name: string, sum: Tensor, passes: number]> = [
    ["nested factors", mul(mul(x, s), t), 1],
    ["a factor on the left", mul(s, mul(t, x)), 1],
    ["a tensor that occurs twice", add(x, mul(x, s)), 1],
    ["a difference", sub(mul(x, s), mul(mul(x, t), s)), 1],
    ["a negation", neg(mul(x, s)), 1],
    ["a factor over a sum of quotients", mul(add(div(mul(x, s), y), mul(y, t)), s), 4],
    ["a sum in a dividend, which stays", mul(div(add(x, y), y), s), 3],
    ["a quotient of a quotient, which stays", mul(div(div(x, y), y), s), 3],
    ["broadcasting, which stays", mul(add(x, row), mul(s, t)), 2],
    ["another operator, which stays", mul(sqrt(mul(y, mul(s, s))), t), 3]
  ]
  it.each(sums)("keeps the value of %s", (_, sum, count) => {
    const combined = combineScalars(sum, [])
    expect(combined.shape).toEqual([2, 3])
    valueOf(combined).forEach((value, i) => {
      expect(value).toBeCloseTo(valueOf(sum)[i]!, 10)
    })
    expect(passes(combined)).toBe(count)
  })

  it("does not take apart what is needed whole", () => {
    const mean = add(mul(x, s), mul(y, t))
    const update = mul(mean, s)
    expect(passes(mean, combineScalars(update, [mean]))).toBe(4)
    expect(passes(mean, combineScalars(update, []))).toBe(6)
  })

  it("leaves AdamW thirteen passes over a matrix, twelve over a vector, and one more for clipping", () => {
    const cost = (shape: ReadonlyArray<number>, options: Optimizer.AdamWOptions) => {
      const optimizer = Optimizer.adamw(options)
      const types = optimizer.state({ w: float(shape) })
      const { parameters, state } = Optimizer.step(
        optimizer,
        { w: input("g", "float32", shape) },
        {
          state: record(types, (type, name) => input(name, type.dtype, type.shape)),
          parameters: { w: input("w", "float32", shape) },
          step: s,
          learningRate: t
        }
      )
      return passes(...Object.values(parameters), ...Object.values(state))
    }
    expect(cost([2, 3], {})).toBe(13)
    expect(cost([3], {})).toBe(12)
    expect(cost([2, 3], { maxNorm: 1 })).toBe(14)
    expect(cost([2, 3], { weightDecay: 0 })).toBe(12)
  })

  it("scales by a constant", () => {
    expect(valueOf(combineScalars(mul(mul(x, scalar(2)), scalar(4)), []))).toEqual([8, -16, 24, -32, 40, -48])
  })
})
