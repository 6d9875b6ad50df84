/**
 * The laws of `Model` (numbered in src/core/Model.ts), as tests of any model plugin.
 *
 *     modelContract("decoder, llama", Decoder.layer({ … }), OnnxBackend.layer())
 *
 * Law 4 (names and shapes of the checkpoints) needs a checkpoint, so it is not part of the suite.
 */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend } from "../core/Backend.ts"
import { Model } from "../core/Model.ts"
import * as Program from "../core/tensor/Program.ts"
import { constant, sizeOf, type TensorData } from "../core/tensor/Tensor.ts"
import { initialParameters } from "../core/training/TrainingPrograms.ts"

const vocabularySize = 19

const int32 = (shape: ReadonlyArray<number>, values: ReadonlyArray<number>): TensorData => ({
  dtype: "int32",
  shape,
  data: Int32Array.from(values)
})

/** Programs `forward` ([2, T] tokens) and `decode` (n tokens) of a model with random weights, compiled. */
const setup = (chunk: number) =>
  Effect.gen(function* () {
    const model = yield* Model
    const backend = yield* Backend
    const architecture = yield* model.architecture({ vocabularySize })
    // Larger weights than usual: with small ones all logits are nearly equal and nothing would be tested.
    const parameters = Object.fromEntries(
      Object.entries(initialParameters(architecture.parameters, 7)).map(([name, value]) => [
        name,
        { ...value, data: Float32Array.from(value.data, (x) => (value.shape.length > 1 ? x * 12 : x)) }
      ])
    )
    const weights = () => Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, constant(value)]))
    const length = architecture.contextLength
    const forward = yield* Program.make({
      name: "forward",
      state: {},
      inputs: { tokens: { dtype: "int32", shape: [2, length] } },
      build: (_, { tokens }) => ({ outputs: { logits: architecture.forward(weights(), tokens!) } })
    })
    const decode = yield* Program.make({
      name: "decode",
      state: architecture.cache,
      inputs: { tokens: { dtype: "int32", shape: [chunk] }, position: { dtype: "int32", shape: [] } },
      build: (cache, { position, tokens }) => {
        const next = architecture.decode(weights(), tokens!, position!, cache)
        return { state: next.cache, outputs: { logits: next.logits } }
      }
    })
    const executable = yield* backend.compile({ forward, decode })
    yield* executable.writeState(
      Object.fromEntries(
        Object.entries(architecture.cache).map(([name, { dtype, shape }]) => [
          name,
          // Numbers that would change the logits if they were read.
          { dtype, shape, data: new Float32Array(sizeOf(shape)).fill(1e3) }
        ])
      )
    )
    const logitsOf = (tokens: ReadonlyArray<number>) =>
      Effect.map(executable.run("forward", { tokens: int32([2, length], tokens) }), ({ logits }) => logits!)
    return { executable, length, logitsOf }
  })

const tokensOf = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 8) % vocabularySize)

const expectClose = (got: ArrayLike<number>, want: ArrayLike<number>) => {
  expect(got.length).toBe(want.length)
  for (let i = 0; i < got.length; i++) {
    expect(Math.abs(got[i]! - want[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(want[i]!)))
  }
}

/** Laws 1 to 3 of a model, with the arithmetic of a backend. */
export const modelContract = <E, E2>(
  name: string,
  model: Layer.Layer<Model, E>,
  backend: Layer.Layer<Backend, E2>
): void =>
  layer(Layer.merge(model, backend))(`${name}: model laws`, (it) => {
    it.scoped("1 forward gives logits [B·T, V], finite and not all equal", () =>
      Effect.gen(function* () {
        const { length, logitsOf } = yield* setup(1)
        const { data, shape } = yield* logitsOf(tokensOf(2 * length, 1))
        expect(shape).toEqual([2 * length, vocabularySize])
        expect([...data].every(Number.isFinite)).toBe(true)
        expect(Math.max(...data) - Math.min(...data)).toBeGreaterThan(0.1)
      })
    )

    it.scoped("2 a token's logits do not depend on later tokens, nor on the other sequence", () =>
      Effect.gen(function* () {
        const { length, logitsOf } = yield* setup(1)
        const tokens = tokensOf(2 * length, 1)
        const kept = Math.floor(length / 2)
        const changed = tokens.map((token, i) => (i < kept ? token : (token + 1) % vocabularySize))
        const [before, after] = [yield* logitsOf(tokens), yield* logitsOf(changed)]
        const rows = kept * vocabularySize
        expectClose(after.data.subarray(0, rows), before.data.subarray(0, rows))
        expect(Math.abs(after.data[rows]! - before.data[rows]!)).toBeGreaterThan(1e-3)
      })
    )

    for (const chunk of [1, 3]) {
      it.scoped(`3 decoding ${chunk} tokens at a time through the cache gives the logits of forward`, () =>
        Effect.gen(function* () {
          const { executable, length, logitsOf } = yield* setup(chunk)
          const tokens = tokensOf(2 * length, 5)
          const whole = yield* logitsOf(tokens)
          for (let position = 0; position + chunk <= length; position += chunk) {
            const { logits } = yield* executable.run("decode", {
              tokens: int32([chunk], tokens.slice(position, position + chunk)),
              position: int32([], [position])
            })
            const from = position * vocabularySize
            expectClose(logits!.data, whole.data.subarray(from, from + chunk * vocabularySize))
          }
        })
      )
    }
  })
