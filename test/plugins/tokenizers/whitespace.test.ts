/**
 * The whitespace tokenizer. Oracles: the laws of tokenizers, and ids by hand. Needs the file system.
 */
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { WhitespaceTokenizer } from "../../../src/plugins/tokenizers/whitespace.ts"
import { tokenizerContract } from "../../../src/testing/tokenizer.ts"

const words = WhitespaceTokenizer.layer({ vocabulary: ["the", "whale", "Call", "the"] }).pipe(
  Layer.provide(NodeContext.layer)
)

tokenizerContract("whitespace", words, ["the whale", "Call the  whale\n"])

describe("whitespace tokenizer", () => {
  it.effect("gives words their places in the list, and other words 0", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(Array.from(tokenizer.encode(" Call  the\twhale\nthe Whale "))).toEqual([3, 1, 2, 1, 0])
      expect(yield* tokenizer.decode([3, 1, 2])).toBe("Call the whale ")
      expect([tokenizer.vocabularySize, tokenizer.unknownToken, tokenizer.token(0)]).toEqual([4, 0, "<unk>"])
    }).pipe(Effect.provide(words))
  )

  it.effect("makes text lower case when asked to", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      expect(Array.from(tokenizer.encode("The WHALE"))).toEqual([1, 2])
    }).pipe(
      Effect.provide(WhitespaceTokenizer.layer({ vocabulary: ["the", "whale"], lower: true })),
      Effect.provide(NodeContext.layer)
    )
  )

  it.effect("reads a word a line, and saves a file that gives the same tokenizer", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* fs.makeTempFileScoped()
      yield* fs.writeFileString(path, "whale\r\nsea\n\nwhale\n")
      const read = yield* Effect.provide(Tokenizer, WhitespaceTokenizer.layer({ vocabulary: ["the"], path }))
      expect(Array.from(read.encode("the sea whale"))).toEqual([1, 3, 2])
      yield* fs.writeFileString(path, read.files["vocabulary.txt"] ?? "")
      const again = yield* Effect.provide(Tokenizer, WhitespaceTokenizer.layer({ path }))
      expect(again.encode("the sea whale")).toEqual(read.encode("the sea whale"))
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("says which file it cannot read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(Tokenizer, WhitespaceTokenizer.layer({ path: "no/such/file" })))
      expect(error).toMatchObject({ _tag: "TokenizerFileError", path: "no/such/file" })
      expect(error.message).toContain("Give a text file with one word per line.")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
