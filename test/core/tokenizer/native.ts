/**
 * The native `tokenizers` package as an oracle, and small tokenizers to ask it about.
 */
import { Tokenizer as Native } from "tokenizers"
import type { AddedToken, TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"

export const native = (definition: TokenizerJson) => Native.fromString(JSON.stringify(definition))

export const addedToken = (id: number, content: string, options: Partial<AddedToken> = {}): AddedToken => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...options
})

/** Words a to z and a few more, by white space; everything else is `<unk>`, 0. */
export const words: TokenizerJson = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [addedToken(0, "<unk>"), addedToken(1, "<s>"), addedToken(2, "</s>"), addedToken(3, "<pad>")],
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: {
    type: "WordLevel",
    unk_token: "<unk>",
    vocab: Object.fromEntries(
      ["<unk>", "<s>", "</s>", "<pad>", ..."abcdefghijklmnopqrstuvwxyz"].map((token, id) => [token, id])
    )
  }
}

/** UTF-16 places of the places that the native package counts in code points. */
export const toUnits = (text: string, codePoints: ReadonlyArray<readonly number[]>): ReadonlyArray<number> => {
  const places = [0]
  for (const character of text) places.push((places.at(-1) ?? 0) + character.length)
  return codePoints.flatMap((range) => range.map((place) => places[place] ?? Number.NaN))
}
