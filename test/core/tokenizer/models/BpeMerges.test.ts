/**
 * Where texts are split before they are merged. That this keeps all tokens is tested with the models (BpeModel.test.ts).
 */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as BpeMerges from "../../../../src/core/tokenizer/models/BpeMerges.ts"
import { charactersOf } from "../../../../src/core/tokenizer/models/BpeModel.ts"
import { TokenTable } from "../../../../src/core/tokenizer/models/Vocabulary.ts"
import { byteTokens } from "./models.ts"

const pieces = (
  text: string,
  tokens: ReadonlyArray<string>,
  merges: ReadonlyArray<readonly [string, string]>,
  fallback = false
) => {
  const splitPoint = BpeMerges.makeSplitPoint({
    merges: Either.getOrThrow(BpeMerges.read(merges, new TokenTable(tokens), { longest: 10, prefix: 0 })),
    tokens,
    characters: charactersOf(tokens),
    byteIds: fallback ? Int32Array.from(byteTokens, (token) => tokens.indexOf(token)) : undefined
  })
  const found: Array<string> = []
  for (let at = 0; at < text.length; ) {
    const stop = splitPoint(text, at, text.length)
    found.push(text.slice(at, stop))
    at = stop
  }
  return found
}

const tokens = ["▁", "a", "b", "▁a", "ab", "▁ab", "😀"]
const merges = [
  ["▁", "a"],
  ["a", "b"],
  ["▁a", "b"]
] as const

describe("Cuts", () => {
  it("cuts where no merge joins two characters", () => {
    expect(pieces("▁ab▁aab▁▁b", tokens, merges)).toEqual(["▁ab", "▁a", "ab", "▁", "▁", "b"])
  })

  it("does not cut next to unknown characters and those of two units", () => {
    expect(pieces("bxb▁😀b▁", tokens, merges)).toEqual(["bxb", "▁😀b", "▁"])
  })

  it("cuts next to characters that become bytes, unless bytes are merged", () => {
    const all = [...tokens, ...byteTokens]
    expect(pieces("abxyb", all, merges, true)).toEqual(["ab", "x", "y", "b"])
    expect(pieces("abxyb", [...all, "b<0x78>"], [...merges, ["b", "<0x78>"]], true)).toEqual(["abxyb"])
    expect(pieces("abxyb", all.slice(0, -1), merges, true)).toEqual(["abxyb"])
  })
})
