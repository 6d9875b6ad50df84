/** A byte-level tokenizer.json in the least form: 256 bytes, a special token at the end of a text, a few merges. */
import * as ByteAlphabet from "../../../src/core/tokenizer/ByteAlphabet.ts"
import type { TokenizerJson } from "../../../src/core/tokenizer/TokenizerJson.ts"

const merges: ReadonlyArray<readonly [string, string]> = [
  ["t", "h"],
  ["th", "e"],
  ["Ġ", "the"],
  ["e", "n"],
  ["1", "2"]
]

const tokens = [...ByteAlphabet.byteToCharacter, "<|endoftext|>", ...merges.map(([a, b]) => a + b)]

export const byteLevel: TokenizerJson & { readonly model: { readonly type: "BPE" } } = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [
    {
      id: 256,
      content: "<|endoftext|>",
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true
    }
  ],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges
  }
}
