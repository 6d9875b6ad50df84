/**
 * What is said of two datasets that differ. Oracle: the words, for changes that are made here one at a time.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as DatasetIdentity from "../../../src/core/data/DatasetIdentity.ts"

/** Sources with their texts, in order. */
type Texts = { readonly [name: string]: string }

const identity = (train: Texts, validation: Texts) =>
  DatasetIdentity.ofDocuments((split) =>
    Stream.fromIterable(Object.entries(split === "train" ? train : validation).map(([id, text]) => ({ id, text })))
  )

const base = [{ "a.txt": "aa", "b.txt": "bbb" }, { "c.txt": "c" }] as const

describe("changes between two datasets", () => {
  it.effect.each<readonly [string, Texts, Texts, ReadonlyArray<string>]>([
    ["nothing", ...base, []],
    ["other names in the same order", { "x/a.txt": "aa", "x/b.txt": "bbb" }, { "x/c.txt": "c" }, []],
    ["added", { ...base[0], "d.txt": "d" }, base[1], ["added d.txt"]],
    ["more than three", { ...base[0], d: "1", e: "2", f: "3", g: "4", h: "5" }, base[1], ["added d, e, f and 2 more"]],
    ["removed", { "a.txt": "aa" }, base[1], ["removed b.txt"]],
    ["edited", { ...base[0], "a.txt": "aaaa" }, base[1], ["edited a.txt (2 → 4 bytes)"]],
    ["edited, of the same size", { ...base[0], "a.txt": "AA" }, base[1], ["edited a.txt"]],
    ["edited, held out", base[0], { "c.txt": "C" }, ["edited c.txt"]],
    ["reordered", { "b.txt": "bbb", "a.txt": "aa" }, base[1], ["the order of the text"]],
    [
      "renamed, so that the order differs",
      { "b.txt": "bbb", "z.txt": "aa" },
      base[1],
      ["renamed a.txt to z.txt", "the order of the text"]
    ],
    ["duplicated", { ...base[0], "copy.txt": "aa" }, base[1], ["added copy.txt"]],
    [
      "split in another way",
      { "a.txt": "aa", "c.txt": "c" },
      { "b.txt": "bbb" },
      ["moved from training to held-out text b.txt", "moved from held-out to training text c.txt"]
    ]
  ])("%s", ([, train, validation, expected]) =>
    Effect.gen(function* () {
      expect(DatasetIdentity.changes(yield* identity(...base), yield* identity(train, validation))).toEqual(expected)
    })
  )

  it.effect("a single file that is cut at another place, or is not cut any more", () =>
    Effect.gen(function* () {
      const before = yield* identity({ "a.txt": "aaaa" }, { "a.txt": "bb" })
      const recut = yield* identity({ "a.txt": "aaa" }, { "a.txt": "abb" })
      const grown = yield* identity({ "a.txt": "aaaab" }, { "a.txt": "bb" })
      const whole = yield* identity({ "a.txt": "aaaabb" }, { "b.txt": "b" })
      expect(DatasetIdentity.changes(before, recut)).toEqual([
        "cut at another place into training and held-out text a.txt"
      ])
      expect(DatasetIdentity.changes(before, grown)).toEqual(["edited a.txt (6 → 7 bytes)"])
      expect(DatasetIdentity.changes(before, whole)).toEqual([
        "added b.txt",
        "cut at another place into training and held-out text a.txt"
      ])
    })
  )

  it.effect("counts, where the sources are not known", () =>
    Effect.gen(function* () {
      const without = ({ train, ...rest }: DatasetIdentity.DatasetIdentity) => {
        const { sources: _, ...counts } = train
        return { ...rest, train: counts }
      }
      const [before, after] = [yield* identity(...base), yield* identity({ ...base[0], "d.txt": "d" }, base[1])]
      expect(DatasetIdentity.changes(without(before), without(after))).toEqual([
        "the training text (2 documents, 5 bytes → 3 documents, 6 bytes)"
      ])
      const [f, g] = [yield* DatasetIdentity.ofFingerprint("f"), yield* DatasetIdentity.ofFingerprint("g")]
      expect(DatasetIdentity.changes(f, g)).toEqual(["the training text", "the held-out text"])
      expect(f.train.digest).not.toBe(f.validation.digest)
    })
  )
})
