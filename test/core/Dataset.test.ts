/**
 * What `Dataset.make` derives. Oracles: the dataset laws, calls that are counted, and the chain of SHA-256 that the header
 * states, by node:crypto. Needs nothing.
 */
import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Dataset, DatasetError, type Split } from "../../src/core/Dataset.ts"
import * as Plugin from "../../src/core/plugin/Plugin.ts"
import * as PluginGroup from "../../src/core/plugin/PluginGroup.ts"
import { Registry } from "../../src/core/plugin/Registry.ts"
import { datasetContract } from "../../src/testing/dataset.ts"

const dataset = (texts: Readonly<Record<Split, ReadonlyArray<string>>>, prefix = "") =>
  Layer.effect(
    Dataset,
    Dataset.make({
      documents: (split) => Stream.fromIterable(texts[split].map((text, i) => ({ id: `${prefix}${split} ${i}`, text })))
    })
  )

datasetContract("Dataset.make", {
  layer: dataset({ train: ["a", "b"], validation: ["c"] }),
  texts: ["a", "b", "c"],
  same: { ids: dataset({ train: ["a", "b"], validation: ["c"] }, "other ") },
  different: {
    "a document": dataset({ train: ["a", "x"], validation: ["c"] }),
    "the order": dataset({ train: ["b", "a"], validation: ["c"] }),
    "the split": dataset({ train: ["a"], validation: ["b", "c"] }),
    "where a document ends": dataset({ train: ["ab"], validation: ["c"] })
  }
})

const sha256 = (...parts: ReadonlyArray<string | Uint8Array>) => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

describe("the fingerprint", () => {
  const counted = () => {
    let reads = 0
    const documents = () =>
      Stream.suspend(() => {
        reads += 1
        return Stream.make({ id: "1", text: "é" })
      })
    return { documents, reads: () => reads }
  }

  it.effect("reads every split once, however often and at once it is requested", () =>
    Effect.gen(function* () {
      const { documents, reads } = counted()
      const { fingerprint } = yield* Dataset.make({ documents })
      expect(reads()).toBe(0)
      const all = yield* Effect.all([fingerprint, fingerprint, Effect.zipRight(Effect.yieldNow(), fingerprint)], {
        concurrency: "unbounded"
      })
      expect(new Set([...all, yield* fingerprint]).size).toBe(1)
      expect(reads()).toBe(2)
    })
  )

  it.scoped("is computed once for all uses of a plugin with the same config, as in one command", () =>
    Effect.gen(function* () {
      const { documents, reads } = counted()
      const Counted = Plugin.make(Dataset.kind, "counted", {
        description: "a dataset whose reads are counted",
        config: Schema.Struct({ n: Schema.Number }),
        make: () => Dataset.make({ documents })
      })
      const fingerprints = yield* Effect.gen(function* () {
        const registry = yield* Registry
        return yield* Effect.forEach([1, 1, 1], (n) =>
          Effect.flatMap(registry.resolve(Dataset.kind, "counted", { n }), ({ fingerprint }) => fingerprint)
        )
      }).pipe(Effect.provide(PluginGroup.make(Counted).layer))
      expect(new Set(fingerprints).size).toBe(1)
      expect(reads()).toBe(2)
    })
  )

  it.effect("is the SHA-256 of the splits' digests, each of the SHA-256 of its documents", () =>
    Effect.gen(function* () {
      const hex = (...parts: ReadonlyArray<string | Uint8Array>) => sha256(...parts).toString("hex")
      const one = yield* Dataset.make({ documents: counted().documents })
      const split = hex(`1 ${hex("é")}`)
      expect(yield* one.fingerprint).toBe(hex(`${split} ${split}`))
      const texts = Array.from({ length: 1500 }, (_, i) => `${i}`)
      const many = yield* Dataset.make({
        documents: () =>
          Stream.fromIterable(texts.map((text, i) => ({ id: text, text, source: i < 1490 ? "a" : text })))
      })
      const digests = texts.map((text) => sha256(text))
      const { train } = yield* many.identity
      const chain = hex(sha256(...digests.slice(0, 1025)), ...digests.slice(1025))
      expect(train).toMatchObject({ digest: hex(`1500 ${chain}`), documents: 1500, bytes: 4890 })
      expect(train.sources?.map(({ documents, name }) => `${name} ${documents}`).slice(0, 2)).toEqual([
        "a 1490",
        "1490 1"
      ])
      expect(train.sources?.at(-1)).toEqual({ name: "1499", file: true, documents: 1, bytes: 4, sha256: hex("1499") })
    })
  )

  it.effect("is compared with the documents that are read afterwards", () =>
    Effect.gen(function* () {
      const texts = ["a", "b"]
      const dataset = yield* Dataset.make({
        documents: (split) =>
          split === "validation"
            ? Stream.empty
            : Stream.fromIterable(texts.map((text, i) => ({ id: `${i}.txt`, text })))
      })
      yield* Stream.runDrain(dataset.documents("train"))
      yield* dataset.fingerprint
      yield* Stream.runDrain(dataset.documents("train"))
      texts[1] = "B"
      const error = yield* Effect.flip(Stream.runDrain(dataset.documents("train")))
      expect(error).toMatchObject({ reason: "Changed" })
      expect(error.message).toBe(
        "1.txt: the text changed while it was read. Run again when no other program writes to it."
      )
    })
  )

  it.effect("is not computed where it is given", () =>
    Effect.gen(function* () {
      const { documents, reads } = counted()
      let calls = 0
      const given = Effect.sync(() => `${++calls}`)
      const { fingerprint } = yield* Dataset.make({ documents, fingerprint: given })
      expect([yield* fingerprint, yield* fingerprint, reads()]).toEqual(["1", "1", 0])
    })
  )

  it.effect("of a dataset that needs services takes them where the dataset is made", () =>
    Effect.gen(function* () {
      class Texts extends Context.Tag("Texts")<Texts, ReadonlyArray<string>>() {}
      const documents = () =>
        Stream.flatMap(Texts, (texts) => Stream.fromIterable(texts.map((text) => ({ id: text, text }))))
      const { fingerprint } = yield* Effect.provideService(Dataset.make({ documents }), Texts, ["é"])
      const same = yield* Dataset.make({ documents: counted().documents })
      expect(yield* fingerprint).toBe(yield* same.fingerprint)
    })
  )

  it.effect("fails as reading does", () =>
    Effect.gen(function* () {
      const error = new DatasetError({
        reason: "Unreadable",
        path: "x",
        line: 3,
        details: "is bad.",
        remedy: "Fix it."
      })
      const { fingerprint } = yield* Dataset.make({ documents: () => Stream.fail(error) })
      expect(yield* Effect.flip(fingerprint)).toBe(error)
      expect(error.message).toBe("x:3: is bad. Fix it.")
    })
  )
})
