/**
 * Generation with the key/value cache against generation without it, at the end of the model's context.
 *
 * Both produce the same greedy tokens (checked before timing). Without a cache the whole text is read again for each
 * token. This is timed for the last few tokens only, since the cost is the same for each (static shapes).
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Backend, type TensorDatas } from "../src/core/Backend.ts"
import * as Generation from "../src/core/generation/Generation.ts"
import * as Program from "../src/core/tensor/Program.ts"
import { constant } from "../src/core/tensor/Tensor.ts"
import { initialParameters } from "../src/core/training/TrainingPrograms.ts"
import type { Size } from "./Sizes.ts"
import { architectureOfSize } from "./TrainingStep.ts"

const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 1 }

/** How to measure. */
export interface GenerationOptions {
  /** Default: the first values of a run. */
  readonly parameters?: TensorDatas
  /** Whether to measure generation without the cache too, after a check that both give the same tokens. Default: true. */
  readonly compare?: boolean
}

/** Tokens per second with the cache, and without it. */
export const generation = (size: Size, options: GenerationOptions = {}) =>
  Effect.gen(function* () {
    const architecture = architectureOfSize(size)
    const parameters = options.parameters ?? initialParameters(architecture.parameters, 1)
    const generator = yield* Generation.make(architecture, parameters)
    const tokens = Math.min(256, size.contextLength) - 1
    const generate = generator.generate([72], greedy).pipe(Stream.take(tokens), Stream.runCollect)
    const cached = [72, ...(yield* generate)]
    const from = performance.now()
    yield* generate
    const cachedRate = tokens / ((performance.now() - from) / 1000)
    const result = { size: size.label, tokens: tokens + 1, tokens_per_second: Math.round(cachedRate) }
    if (options.compare === false) return result

    const backend = yield* Backend
    const forward = yield* Program.make({
      name: "forward",
      state: {},
      inputs: { tokens: { dtype: "int32", shape: [1, size.contextLength] } },
      build: (_, inputs) => {
        const weights = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, constant(value)]))
        return { outputs: { logits: architecture.forward(weights, inputs.tokens!) } }
      }
    })
    const executable = yield* backend.compile({ forward })
    const next = (length: number) =>
      Effect.gen(function* () {
        const data = new Int32Array(size.contextLength)
        data.set(cached.slice(0, length))
        const input = { tokens: { dtype: "int32" as const, shape: [1, size.contextLength], data } }
        const logits = (yield* executable.run("forward", input)).logits!.data
        const row = Array.from(logits.subarray((length - 1) * size.vocabularySize, length * size.vocabularySize))
        return row.indexOf(Math.max(...row))
      })
    const last = [tokens - 4, tokens - 3, tokens - 2, tokens - 1, tokens]
    const again = yield* Effect.forEach(last, next)
    if (again.join() !== last.map((length) => cached[length]).join()) {
      return yield* Effect.dieMessage("with and without the cache the tokens differ")
    }
    const started = performance.now()
    yield* Effect.forEach(last, next)
    const uncachedRate = last.length / ((performance.now() - started) / 1000)
    const compared = {
      ...result,
      without_cache: Number(uncachedRate.toFixed(1)),
      ratio: Number((cachedRate / uncachedRate).toFixed(1))
    }
    yield* Console.table([compared])
    return compared
  }).pipe(Effect.scoped)
