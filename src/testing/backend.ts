/**
 * The laws of `Backend` (numbered in src/core/Backend.ts), as tests of any implementation.
 *
 *     backendContract("OnnxBackend, 2 threads", OnnxBackend.layer({ threads: 2 }))
 *
 * The Program is one step of gradient descent on a table, read by repeated indices, and on a matrix that is large enough
 * for its product to be divided between threads. The oracle is the reference evaluation in float64, over four
 * steps: a wrong buffer, a race or a stale value shows only after more than one step.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backend, type TensorDatas } from "../core/Backend.ts"
import { grad } from "../core/tensor/Gradient.ts"
import { sum } from "../core/tensor/ops/broadcast.ts"
import { lessOrEqual } from "../core/tensor/ops/compare.ts"
import { add, mul } from "../core/tensor/ops/elementwise.ts"
import { gather } from "../core/tensor/ops/gather.ts"
import { matMul } from "../core/tensor/ops/matmul.ts"
import * as Program from "../core/tensor/Program.ts"
import * as Reference from "../core/tensor/Reference.ts"
import { scalar, type TensorData } from "../core/tensor/Tensor.ts"

const sizes = { vocabulary: 11, tokens: 96, width: 64, out: 48 } as const

const types = {
  table: { dtype: "float32", shape: [sizes.vocabulary, sizes.width] },
  weight: { dtype: "float32", shape: [sizes.width, sizes.out] }
} as const

const inputTypes = {
  ids: { dtype: "int32", shape: [sizes.tokens] },
  target: { dtype: "float32", shape: [sizes.tokens, sizes.out] }
} as const

const errorOf = (state: Program.Tensors, inputs: Program.Tensors) => {
  const predicted = matMul(gather(state.table!, inputs.ids!), state.weight!)
  return add(predicted, mul(scalar(-1), inputs.target!))
}

const rate = 0.5

/** One step: state minus a rate times the gradient of the mean squared error. */
const learn = Program.make({
  name: "learn",
  state: types,
  inputs: inputTypes,
  build: (state, inputs) => {
    const error = errorOf(state, inputs)
    const loss = mul(sum(mul(error, error)), scalar(1 / (sizes.tokens * sizes.out)))
    const [table, weight] = grad(loss, [state.table!, state.weight!])
    const step = (name: "table" | "weight", gradient: typeof loss) => add(state[name]!, mul(scalar(-rate), gradient))
    return {
      state: { table: step("table", table!), weight: step("weight", weight!) },
      outputs: { loss, error, small: lessOrEqual(mul(error, error), scalar(0.25)) }
    }
  }
})

/** Reads the state that `learn` writes, and does not write. */
const score = Program.make({
  name: "score",
  state: types,
  inputs: inputTypes,
  build: (state, inputs) => {
    const error = errorOf(state, inputs)
    return { outputs: { loss: mul(sum(mul(error, error)), scalar(1 / (sizes.tokens * sizes.out))) } }
  }
})

const wave = (type: { readonly shape: ReadonlyArray<number> }, phase: number): TensorData => ({
  dtype: "float32",
  shape: type.shape,
  data: Float32Array.from({ length: type.shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(phase + i * 1.7) / 2)
})

const initial: TensorDatas = { table: wave(types.table, 0.1), weight: wave(types.weight, 0.2) }

/** Every id occurs about nine times, so its row of the gradient is a sum. */
const inputsAt = (step: number): TensorDatas => ({
  ids: {
    dtype: "int32",
    shape: [sizes.tokens],
    data: Int32Array.from({ length: sizes.tokens }, (_, i) => (i * i + step) % sizes.vocabulary)
  },
  target: wave(inputTypes.target, step)
})

const steps = [0, 1, 2, 3]

const expectClose = (actual: TensorData, expected: TensorData, tolerance: number) => {
  expect({ dtype: actual.dtype, shape: actual.shape }).toEqual({ dtype: expected.dtype, shape: expected.shape })
  const scale = Math.max(1e-6, ...Array.from(expected.data, Math.abs))
  const worst = Math.max(...Array.from(expected.data, (value, i) => Math.abs(actual.data[i]! - value) / scale))
  expect(worst).toBeLessThanOrEqual(tolerance)
}

const compiled = Effect.gen(function* () {
  const backend = yield* Backend
  return yield* backend.compile({ learn: yield* learn, score: yield* score })
})

const started = Effect.tap(compiled, (executable) => executable.writeState(initial))

/** `tolerance`: the largest error against the reference, relative to the largest value of the tensor. */
export const backendContract = <E>(
  name: string,
  backend: Layer.Layer<Backend, E>,
  options: { readonly tolerance?: number } = {}
): void =>
  layer(backend)(`${name}: backend laws`, (it) => {
    const tolerance = options.tolerance ?? 1e-5

    it.scoped("1 runs return what the reference returns, over four steps", () =>
      Effect.gen(function* () {
        const executable = yield* started
        const program = yield* learn
        let state: Reference.NdArrays = mapValues(initial, Reference.fromData)
        for (const step of steps) {
          const inputs = inputsAt(step)
          const expected = Reference.run(program, state, mapValues(inputs, Reference.fromData))
          const actual = yield* executable.run("learn", inputs)
          expect(Object.keys(actual).sort()).toEqual(["error", "loss", "small"])
          expectClose(actual.loss!, expected.outputs.loss!, tolerance)
          expectClose(actual.error!, expected.outputs.error!, tolerance)
          // Where rounding decides, both answers are correct.
          const sure = expected.outputs.error!.data.map((value) => (Math.abs(value * value - 0.25) > 1e-4 ? 1 : 0))
          const surely = (data: TensorData["data"]) => Array.from(data, (value, i) => value * sure[i]!)
          expect(surely(actual.small!.data)).toEqual(surely(expected.outputs.small!.data))
          state = expected.state
        }
        const actual = yield* executable.readState()
        for (const key of Object.keys(types)) expectClose(actual[key]!, state[key]!, tolerance)
      })
    )

    it.scoped("2 state written by one Program is read by the other", () =>
      Effect.gen(function* () {
        const executable = yield* started
        const inputs = inputsAt(0)
        const before = yield* executable.run("score", inputs)
        const during = yield* executable.run("learn", inputs, ["loss"])
        const after = yield* executable.run("score", inputs)
        const again = yield* executable.run("learn", inputs, ["loss"])
        expect(Object.keys(during)).toEqual(["loss"])
        expectClose(during.loss!, before.loss!, tolerance)
        expectClose(again.loss!, after.loss!, tolerance)
        expect(after.loss!.data[0]!).toBeLessThan(before.loss!.data[0]! * 0.999)
      })
    )

    it.scoped("3 state reads back as it was written, and shares no memory", () =>
      Effect.gen(function* () {
        const executable = yield* started
        yield* executable.run("learn", inputsAt(0))
        yield* executable.writeState({ weight: initial.weight! })
        const { table, weight } = yield* executable.readState()
        expect(Array.from(weight!.data)).toEqual(Array.from(initial.weight!.data))
        expect(Array.from(table!.data)).not.toEqual(Array.from(initial.table!.data))
        const values = { weight: wave(types.weight, 7), table: wave(types.table, 8) }
        yield* executable.writeState(values)
        const kept = Array.from(values.weight.data)
        values.weight.data.fill(0)
        const read = yield* executable.readState(["weight"])
        expect(Object.keys(read)).toEqual(["weight"])
        read.weight!.data.fill(1)
        expect(Array.from((yield* executable.readState(["weight"])).weight!.data)).toEqual(kept)
        expect(Array.from((yield* executable.readState(["table"])).table!.data)).toEqual(Array.from(values.table.data))
      })
    )

    it.scoped("4 the same state and inputs give the same bits", () =>
      Effect.gen(function* () {
        const [a, b] = [yield* started, yield* started]
        for (const step of steps) {
          const inputs = inputsAt(step)
          expect(yield* a.run("learn", inputs)).toEqual(yield* b.run("learn", inputs))
          expect(Array.from(inputs.ids!.data)).toEqual(Array.from(inputsAt(step).ids!.data))
        }
        expect(yield* a.readState()).toEqual(yield* b.readState())
      })
    )

    it.effect("5 a run after the scope has closed fails with Closed", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const executable = yield* Scope.extend(started, scope)
        yield* executable.run("score", inputsAt(0))
        yield* Scope.close(scope, Exit.void)
        for (const use of [
          executable.run("score", inputsAt(0)),
          executable.readState(),
          executable.writeState(initial)
        ]) {
          expect(yield* Effect.flip(use)).toMatchObject({ _tag: "BackendError", reason: "Closed" })
        }
      })
    )

    it.scoped("an interruption leaves the state of whole steps", () =>
      Effect.gen(function* () {
        const executable = yield* started
        const fiber = yield* Effect.fork(
          Effect.forever(Effect.zipLeft(executable.run("learn", inputsAt(0), []), Effect.yieldNow()))
        )
        yield* executable.run("score", inputsAt(0))
        yield* Fiber.interrupt(fiber)
        const left = yield* executable.readState()
        const other = yield* started
        const reached = yield* Effect.iterate(
          { state: yield* other.readState(), step: 0 },
          {
            while: ({ state, step }) => step < 200 && !sameNumbers(state, left),
            body: ({ step }) =>
              Effect.map(other.run("learn", inputsAt(0), []).pipe(Effect.zipRight(other.readState())), (state) => ({
                state,
                step: step + 1
              }))
          }
        )
        expect(sameNumbers(reached.state, left)).toBe(true)
      })
    )

    it.scoped("state that was never written is an error that names it", () =>
      Effect.gen(function* () {
        const executable = yield* compiled
        yield* executable.writeState({ weight: initial.weight! })
        const expected = { _tag: "BackendError", reason: "State", subject: "table" }
        expect(yield* Effect.flip(executable.run("learn", inputsAt(0)))).toMatchObject(expected)
        expect(yield* Effect.flip(executable.readState())).toMatchObject(expected)
        const { weight } = yield* executable.readState(["weight"])
        expect(Array.from(weight!.data)).toEqual(Array.from(initial.weight!.data))
      })
    )

    it.scoped("wrong inputs, state and names are errors that say what was expected", () =>
      Effect.gen(function* () {
        const executable = yield* started
        const good = inputsAt(0)
        const messageOf = (use: Effect.Effect<unknown, { readonly message: string }>) =>
          Effect.map(Effect.either(use), Either.match({ onLeft: (error) => error.message, onRight: () => "no error" }))
        const run = (inputs: TensorDatas, fetch?: ReadonlyArray<string>) =>
          messageOf(executable.run("score", inputs, fetch))
        const ids = { dtype: "int32", shape: [96] } as const
        expect(yield* run({ ids: good.ids! })).toBe('Wrong input for "target": expected float32[96, 48], got nothing.')
        expect(yield* run({ ...good, target: { ...good.target!, shape: [48, 96] } })).toBe(
          'Wrong input for "target": expected float32[96, 48], got float32[48, 96].'
        )
        expect(yield* run({ ...good, ids: { ...ids, data: new Int32Array(95) } })).toBe(
          'Wrong input for "ids": expected 96 numbers for int32[96], got 95.'
        )
        expect(yield* run({ ...good, ids: { ...ids, data: new Float32Array(96) } })).toBe(
          'Wrong input for "ids": expected numbers of int32, got a Float32Array.'
        )
        expect(yield* run({ ...good, mask: good.target! })).toBe(
          'Wrong input for "mask": Program "score" has no such input. Known: ids, target.'
        )
        expect(yield* run(good, ["perplexity"])).toBe(
          'Wrong input for "perplexity": Program "score" has no such output. Known: loss.'
        )
        expect(yield* messageOf(executable.readState(["bias"]))).toBe(
          'Wrong state for "bias": no such state tensor. Known: table, weight.'
        )
        expect(yield* messageOf(executable.writeState({ weight: initial.table! }))).toBe(
          'Wrong state for "weight": expected float32[64, 48], got float32[11, 64].'
        )
      })
    )

    it.scoped("Programs that disagree about a state tensor do not compile together", () =>
      Effect.gen(function* () {
        const other = yield* Program.make({
          name: "other",
          state: { weight: { dtype: "float32", shape: [2] } },
          inputs: {},
          build: ({ weight }) => ({ outputs: { weight: weight! } })
        })
        const service = yield* Backend
        const error = yield* Effect.flip(service.compile({ score: yield* score, other }))
        expect(error).toMatchObject({ reason: "State", subject: "weight" })
        expect(error.message).toContain("float32[64, 48]")
        expect(error.message).toContain("float32[2]")
      })
    )
  })

const mapValues = <A, B>(record: { readonly [name: string]: A }, f: (value: A) => B): { readonly [name: string]: B } =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]))

const sameNumbers = (a: TensorDatas, b: TensorDatas): boolean =>
  Object.keys(a).every((name) => a[name]!.data.every((value, i) => value === b[name]!.data[i]))
