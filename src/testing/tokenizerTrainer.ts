/**
 * The contract of a tokenizer trainer: the laws of core/TokenizerTrainer.ts as tests.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TokenizerTrainer } from "../core/TokenizerTrainer.ts"

/** What the tests of a trainer need. */
export interface TrainerContract<E> {
  /** The trainer with a vocabulary size. */
  readonly layer: (vocabularySize: number) => Layer.Layer<TokenizerTrainer, E>
  readonly documents: ReadonlyArray<string>
  /** Sizes that the documents allow. */
  readonly sizes: readonly [number, ...ReadonlyArray<number>]
}

/** Tests the laws of a trainer. */
export const tokenizerTrainerContract = <E>(name: string, contract: TrainerContract<E>): void => {
  describe(`${name}: tokenizer trainer laws`, () => {
    const train = (size: number, documents: ReadonlyArray<string> = contract.documents) =>
      Effect.flatMap(TokenizerTrainer, (trainer) => trainer.train(Stream.fromIterable(documents))).pipe(
        Effect.provide(contract.layer(size))
      )

    it.effect("1 the order of the documents does not change a byte", () =>
      Effect.gen(function* () {
        const [size] = contract.sizes
        const first = yield* train(size)
        const half = contract.documents.length >> 1
        const orders = [
          contract.documents,
          contract.documents.toReversed(),
          [...contract.documents.slice(half), ...contract.documents.slice(0, half)]
        ]
        for (const documents of orders) expect((yield* train(size, documents)).files).toEqual(first.files)
      })
    )

    for (const size of contract.sizes) {
      it.effect(`2 a vocabulary of ${size} has the requested size`, () =>
        Effect.map(train(size), (trained) => expect(trained.vocabularySize).toBe(size))
      )
    }

    it.effect("3 several sizes together give what each gives alone", () =>
      Effect.gen(function* () {
        const [size, ...others] = contract.sizes
        const documents = Stream.fromIterable(contract.documents)
        const together = yield* Effect.flatMap(TokenizerTrainer, (trainer) =>
          trainer.trainSizes(documents, [size, ...others])
        ).pipe(Effect.provide(contract.layer(size)))
        expect(together.map(({ vocabularySize }) => vocabularySize)).toEqual(contract.sizes)
        for (const one of together) expect(one.files).toEqual((yield* train(one.vocabularySize)).files)
      })
    )

    it.effect("2 a vocabulary larger than the text allows is refused with the largest possible size", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(train(1_000_000))
        const largest = error instanceof Error && "largest" in error ? error.largest : undefined
        expect(error).toMatchObject({ _tag: "TokenizerTrainError", largest: expect.any(Number) })
        expect(String(error)).toContain(String(largest))
        expect((yield* train(Number(largest))).vocabularySize).toBe(largest)
        expect(yield* Effect.flip(train(Number(largest) + 1))).toMatchObject({ largest })
      })
    )
  })
}
