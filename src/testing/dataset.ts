/**
 * The laws of core/Dataset.ts as tests, for any dataset.
 *
 *     datasetContract("mine", { layer: Mine.layer({ … }), texts: ["a", "b"], same: {}, different: { "the split": … } })
 */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Dataset, type Split } from "../core/Dataset.ts"

/** A dataset, and what is known about it. */
export interface DatasetContract<E> {
  readonly layer: Layer.Layer<Dataset, E>
  /** The texts of all documents, in any order. */
  readonly texts: ReadonlyArray<string>
  /** Datasets with the same documents, order and split, by what differs otherwise. */
  readonly same: { readonly [what: string]: Layer.Layer<Dataset, E> }
  /** Datasets with other documents, another order or split, by what differs. */
  readonly different: { readonly [what: string]: Layer.Layer<Dataset, E> }
}

/** Declares the tests of a dataset. */
export const datasetContract = <E>(name: string, contract: DatasetContract<E>): void => {
  describe(`${name}: dataset laws`, () => {
    const documents = (split: Split) =>
      Effect.flatMap(Dataset, (dataset) => Stream.runCollect(dataset.documents(split))).pipe(
        Effect.map(Chunk.toReadonlyArray),
        Effect.provide(contract.layer)
      )
    const fingerprint = (layer: Layer.Layer<Dataset, E>) =>
      Effect.flatMap(Dataset, (dataset) => dataset.fingerprint).pipe(Effect.provide(layer))

    it.effect("1 the splits share no document and together are everything", () =>
      Effect.gen(function* () {
        const all = [...(yield* documents("train")), ...(yield* documents("validation"))]
        expect(new Set(all.map((document) => document.id)).size).toBe(all.length)
        expect(all.map((document) => document.text).sort()).toEqual([...contract.texts].sort())
      })
    )

    for (const split of ["train", "validation"] as const) {
      it.effect(`2 ${split} documents come in the same order every time`, () =>
        Effect.gen(function* () {
          expect(yield* documents(split)).toEqual(yield* documents(split))
        })
      )
    }

    it.effect("3 the fingerprint is a SHA-256 and does not change", () =>
      Effect.gen(function* () {
        const first = yield* fingerprint(contract.layer)
        expect(first).toMatch(/^[0-9a-f]{64}$/)
        expect(yield* fingerprint(contract.layer)).toBe(first)
      })
    )

    for (const [what, layer] of Object.entries(contract.same)) {
      it.effect(`3 the fingerprint does not depend on ${what}`, () =>
        Effect.gen(function* () {
          expect(yield* fingerprint(layer)).toBe(yield* fingerprint(contract.layer))
        })
      )
    }

    for (const [what, layer] of Object.entries(contract.different)) {
      it.effect(`3 the fingerprint depends on ${what}`, () =>
        Effect.gen(function* () {
          expect(yield* fingerprint(layer)).not.toBe(yield* fingerprint(contract.layer))
        })
      )
    }
  })
}
