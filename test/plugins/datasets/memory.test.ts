/** The dataset of documents in the config. Oracles: the dataset laws, and splits written down by hand. Needs nothing. */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Dataset, type Split } from "../../../src/core/Dataset.ts"
import { MemoryDataset } from "../../../src/plugins/datasets/memory.ts"
import { datasetContract } from "../../../src/testing/dataset.ts"

type Options = Parameters<typeof MemoryDataset.layer>[0]
const texts: [string, ...Array<string>] = ["To be, or", "not to be", "that is", "the question 😀"]

datasetContract("memory", {
  layer: MemoryDataset.layer({ documents: texts, validation: { every: 3 } }),
  texts,
  same: { "empty documents": MemoryDataset.layer({ documents: ["", ...texts, ""], validation: { every: 3 } }) },
  different: {
    "a document": MemoryDataset.layer({ documents: ["To be", ...texts.slice(1)], validation: { every: 3 } }),
    "the order": MemoryDataset.layer({
      documents: ["not to be", "To be, or", ...texts.slice(2)],
      validation: { every: 3 }
    }),
    "the split": MemoryDataset.layer({ documents: texts, validation: { every: 2 } })
  }
})

const read = (options: Options, split: Split) =>
  Effect.flatMap(Dataset, (dataset) => Stream.runCollect(dataset.documents(split))).pipe(
    Effect.map((documents) => Chunk.toReadonlyArray(documents).map(({ id, text }) => [id, text])),
    Effect.provide(MemoryDataset.layer(options))
  )

describe("memory", () => {
  it.effect("holds out whole documents, by default a tenth of them and at least one", () =>
    Effect.gen(function* () {
      expect(yield* read({ documents: texts, validation: { every: 2 } }, "validation")).toEqual([
        ["documents[1]", texts[1]],
        ["documents[3]", texts[3]]
      ])
      expect(yield* read({ documents: texts }, "validation")).toHaveLength(1)
      expect(yield* read({ documents: texts }, "train")).toHaveLength(3)
      expect(yield* read({ documents: texts, validation: { fraction: 0 } }, "validation")).toEqual([])
    })
  )

  it.effect("holds out the end of a single document, from a line break or a character", () =>
    Effect.gen(function* () {
      const half = (text: string) =>
        Effect.all([
          read({ documents: [text], validation: { fraction: 0.25 } }, "train"),
          read({ documents: [text], validation: { fraction: 0.25 } }, "validation")
        ])
      expect(yield* half("line 1\nline 2\nend")).toEqual([
        [["documents[0]#0", "line 1\n"]],
        [["documents[0]#7", "line 2\nend"]]
      ])
      // A line break in the first half of what comes before is not used.
      expect(yield* half("a\nbcdefgh")).toEqual([[["documents[0]#0", "a\nbcde"]], [["documents[0]#6", "fgh"]]])
      // Three quarters of five code units are in the middle of the second character.
      expect(yield* half("x😀😀")).toEqual([[["documents[0]#0", "x😀"]], [["documents[0]#3", "😀"]]])
      expect(yield* half("x")).toEqual([[["documents[0]#0", "x"]], []])
    })
  )

  it.effect("refuses documents without text, and two rules at once", () =>
    Effect.gen(function* () {
      const empty = yield* Effect.flip(read({ documents: ["", ""] }, "train"))
      expect(empty.message).toBe("documents: all documents are empty. Give at least one text.")
      const two = yield* Effect.flip(read({ documents: ["a"], validation: { every: 2, fraction: 0.5 } }, "train"))
      expect(two.message).toContain("validation: exactly one of fraction and every is expected")
    })
  )
})
