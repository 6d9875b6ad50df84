/**
 * Numbers of tokenizers. Oracles: counts by hand for a vocabulary of five words, and Node's own lengths of any text under the
 * tokenizer of bytes, for which every number is known.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Pipeline from "../../../src/core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"
import * as Statistics from "../../../src/core/tokenizer/TokenizerStatistics.ts"
import { ByteTokenizer } from "../../../src/plugins/tokenizers/byte.ts"

const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }

/** Words between white space, in lower case. */
const words: TokenizerJson = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [{ id: 5, content: "</s>", ...special }],
  normalizer: { type: "Lowercase" },
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: {
    type: "WordLevel",
    vocab: { "<unk>": 0, call: 1, me: 2, naïve: 3, never: 4, "</s>": 5 },
    unk_token: "<unk>"
  }
}

describe("Statistics", () => {
  it.effect("counts how a tokenizer of words tokenizes two texts", () =>
    Effect.gen(function* () {
      const counter = Statistics.make(yield* Pipeline.make(words))
      yield* counter.add("call me naïve", "a")
      yield* counter.add("call\nme 東 me", "b")
      const { faults, ...numbers } = yield* counter.result
      expect(numbers).toEqual({
        documents: 2,
        // 14 + 14: ï has 2 bytes, 東 has 3.
        bytes: 28,
        characters: 25,
        tokens: 7,
        bytesPerToken: 4,
        unknown: 1,
        unknownRate: 1 / 7,
        used: 3,
        // Of call, me, naïve and never.
        coverage: 3 / 4,
        // With the space that decoding writes before a word.
        longest: [
          { id: 3, token: "naïve", bytes: 7 },
          { id: 1, token: "call", bytes: 5 },
          { id: 2, token: "me", bytes: 3 }
        ],
        roundTripFaults: 1
      })
      expect(faults).toEqual([{ document: "b", offset: 4, line: 1, text: "\nme 東 me", decoded: " me <unk> me" }])
    })
  )

  it.effect("counts every text as Node does, when a token is a byte", () =>
    Effect.gen(function* () {
      const tokenizer = yield* ByteTokenizer.make({})
      // Of all code points, surrogates too; `string({ unit: "binary" })` takes seconds to be made.
      const text = FastCheck.array(FastCheck.integer({ min: 0, max: 0x10ffff })).map((points) =>
        String.fromCodePoint(...points)
      )
      const any = FastCheck.array(text, { maxLength: 5 })
      FastCheck.assert(
        FastCheck.property(any, (texts) => {
          const counter = Statistics.make(tokenizer)
          for (const text of texts) Effect.runSync(counter.add(text, "text"))
          const result = Effect.runSync(counter.result)
          const whole = texts.map((text) => text.toWellFormed())
          const bytes = whole.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
          expect(result).toMatchObject({
            documents: texts.length,
            bytes,
            tokens: bytes,
            characters: whole.reduce((sum, text) => sum + [...text].length, 0),
            unknown: 0,
            roundTripFaults: 0,
            coverage: new Set(whole.flatMap((text) => [...Buffer.from(text)])).size / 256
          })
          expect(result.bytesPerToken).toBe(bytes === 0 ? Number.NaN : 1)
        }),
        { numRuns: 30 }
      )
    })
  )

  it.effect("shows where a fault begins, in whole characters", () =>
    Effect.gen(function* () {
      const counter = Statistics.make(yield* Pipeline.make(words))
      yield* counter.add("call me\nME 😀 😁", "c")
      const { faults } = yield* counter.result
      expect(faults).toMatchObject([{ document: "c", offset: 7, line: 1, text: "\nME 😀 😁" }])
    })
  )
})
