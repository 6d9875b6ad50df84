/**
 * `Model.make`: the laws of every model, on models of which only parameters and `forward` are given.
 *
 * Oracle: the contract suite; a decoder's own cache and decoding, whose logits the derived ones must equal. Needs the CPU.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Model } from "../../src/core/Model.ts"
import * as Module from "../../src/core/tensor/Module.ts"
import { reshape } from "../../src/core/tensor/ops/broadcast.ts"
import { mul } from "../../src/core/tensor/ops/elementwise.ts"
import { integers, sizeOf, type Tensor } from "../../src/core/tensor/Tensor.ts"
import * as OnnxBackend from "../../src/services/backend/OnnxBackend.ts"
import { modelContract } from "../../src/testing/model.ts"
import * as Tiny from "../training/tiny.ts"

const cpu = OnnxBackend.layer({ device: "cpu", threads: 1 })

/** A decoder without its cache and its decoding. */
const bare = Model.make({
  name: "bare",
  contextLength: 8,
  architecture: ({ vocabularySize }) => {
    const { forward, parameters } = Tiny.architecture({}, vocabularySize)
    return { forward, parameters }
  }
})

modelContract("a model of parameters and forward", Layer.succeed(Model, bare), cpu)

describe("Model.make", () => {
  it.effect("fills in what is not given, and keeps what is", () =>
    Effect.gen(function* () {
      const derived = yield* bare.architecture({ vocabularySize: 19 })
      expect(derived).toMatchObject({ vocabularySize: 19, contextLength: 8 })
      expect(derived.config).toEqual({ model_type: "bare", vocab_size: 19, max_position_embeddings: 8 })
      expect(derived.cache).toEqual({ tokens: { dtype: "float32", shape: [8, 1] } })
      const own = Tiny.architecture({}, 19)
      const whole = Model.make({ name: "whole", contextLength: 8, architecture: () => own })
      expect(yield* whole.architecture({ vocabularySize: 19 })).toMatchObject({
        cache: own.cache,
        config: own.config,
        decode: own.decode
      })
    })
  )

  it.effect("refuses an empty vocabulary", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(bare.architecture({ vocabularySize: 0 }))
      expect(error.message).toBe("Model bare, vocabulary: it is empty.")
    })
  )

  it.effect("runs the example of its documentation", () =>
    Effect.gen(function* () {
      const unigram = Model.make({
        name: "unigram",
        contextLength: 8,
        architecture: ({ vocabularySize }) => {
          const scores = Module.embedding("scores", { rows: 1, width: vocabularySize, std: 0.02 })
          const first = (tokens: Tensor) => mul(reshape(tokens, [-1]), integers([0], []))
          return { parameters: scores.parameters, forward: (p, tokens) => scores.apply(p, first(tokens)) }
        }
      })
      const { parameters } = yield* unigram.architecture({ vocabularySize: 5 })
      expect(Object.values(parameters).map(({ shape }) => sizeOf(shape))).toEqual([5])
    })
  )
})
