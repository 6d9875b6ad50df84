/**
 * Models on their own, random specifications of them, and the ids that the native package gives for the same specification.
 */
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { TokenModel } from "../../../../src/core/tokenizer/models/TokenModel.ts"
import { modelOf } from "../../../../src/core/tokenizer/Pipeline.ts"
import { TokenIds } from "../../../../src/core/tokenizer/TokenIds.ts"
import type * as TokenizerJson from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { native } from "../native.ts"

export const makeModel = (spec: TokenizerJson.Model, byteLevel = false) =>
  Either.getOrThrowWith(modelOf(spec, { byteLevel }), (problem) => new Error(JSON.stringify(problem)))

/** What is wrong with a specification. */
export const problemOf = (spec: TokenizerJson.Model, byteLevel = false) =>
  Either.getOrThrow(Either.flip(modelOf(spec, { byteLevel })))

export const encode = (model: TokenModel, word: string): ReadonlyArray<number> => {
  const output = new TokenIds()
  model.encode(`[${word}]`, 1, 1 + word.length, output)
  return [...output.toArray()]
}

/** The ids that the native package gives for a text that is one word. */
export const nativeIds = async (spec: TokenizerJson.Model, byteLevel: boolean, texts: ReadonlyArray<string>) => {
  const byteLevelStep = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false } as const
  const tokenizer = native({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel ? byteLevelStep : null,
    post_processor: null,
    decoder: null,
    model: spec
  })
  const encodings = await tokenizer.encodeBatch([...texts])
  return encodings.map((encoding) => encoding.getIds())
}

/** Characters of one, two, three and four bytes, some of which the vocabularies below lack. */
export const characters = ["a", "b", "c", "▁", " ", "é", "中", "文", "😀", "👍", "\n"]

export const word = FastCheck.array(FastCheck.constantFrom(...characters), { minLength: 1, maxLength: 40 }).map((all) =>
  all.join("")
)

export const bpe = (spec: Partial<TokenizerJson.Bpe>): TokenizerJson.Bpe => ({
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  vocab: {},
  merges: [],
  ...spec
})

export const byteTokens = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
)

/** Merges of tokens chosen by two numbers each, and the vocabulary of their results. */
export const mergesOf = (
  base: ReadonlyArray<string>,
  choices: ReadonlyArray<readonly [number, number]>,
  prefix = ""
): { readonly tokens: ReadonlyArray<string>; readonly merges: ReadonlyArray<readonly [string, string]> } => {
  const tokens = [...base]
  const merges: Array<readonly [string, string]> = []
  for (const [a, b] of choices) {
    const left = tokens[a % tokens.length]!
    const right = tokens[b % tokens.length]!
    if (!right.startsWith(prefix) || right.length === prefix.length || left.length + right.length > 24) continue
    const joined = left + right.slice(prefix.length)
    if (!tokens.includes(joined)) tokens.push(joined)
    merges.push([left, right])
  }
  return { tokens, merges }
}

export const choices = FastCheck.array(FastCheck.tuple(FastCheck.nat(200), FastCheck.nat(200)), { maxLength: 40 })

export const vocabOf = (tokens: ReadonlyArray<string>) => Object.fromEntries(tokens.map((token, id) => [token, id]))
