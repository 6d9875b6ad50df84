/**
 * The plainest tokenizer: one token a byte. Ids 0–255 are the bytes, 256 is `<|endoftext|>`.
 *
 * It needs no training and no file, and is a baseline for every other. It is a byte-level BPE without merges, and saves a
 * `tokenizer.json` that Hugging Face's readers, and the `bpe` plugin, open.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/Plugin.ts"
import { TokenizerKind } from "../../core/Tokenizer.ts"
import * as ByteAlphabet from "../../core/tokenizer/ByteAlphabet.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"

const endOfText = "<|endoftext|>"

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const

const definition: TokenizerJson = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [
    { id: 256, content: endOfText, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  ],
  normalizer: null,
  pre_tokenizer: byteLevel,
  post_processor: null,
  decoder: byteLevel,
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries([...ByteAlphabet.byteToCharacter, endOfText].map((token, id) => [token, id])),
    merges: []
  }
}

export const ByteTokenizer = Plugin.make(TokenizerKind, "byte", {
  description: "one token a byte; needs no training",
  config: Schema.Struct({}),
  make: () =>
    Effect.map(Pipeline.make(definition), (tokenizer) => ({
      ...tokenizer,
      encode: (text: string) => Int32Array.from(new TextEncoder().encode(text))
    }))
})
