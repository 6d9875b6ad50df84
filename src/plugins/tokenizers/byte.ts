/**
 * The simplest tokenizer: one token per byte. Ids 0–255 are the bytes, 256 is `<|endoftext|>`.
 *
 * It needs no training and no file, and is a baseline for all others. It is a byte-level BPE without merges, and saves a
 * `tokenizer.json` that Hugging Face's libraries and the `bpe` plugin open.
 */
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import * as ByteAlphabet from "../../core/tokenizer/ByteAlphabet.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as TokenizerJson from "../../core/tokenizer/TokenizerJson.ts"

const endOfText = "<|endoftext|>"

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const

const definition = TokenizerJson.make({
  added_tokens: [TokenizerJson.specialToken(256, endOfText)],
  pre_tokenizer: byteLevel,
  decoder: byteLevel,
  model: TokenizerJson.bpe({
    vocab: Object.fromEntries([...ByteAlphabet.byteToCharacter, endOfText].map((token, id) => [token, id])),
    merges: []
  })
})

/** The plugin `byte`: one token for each UTF-8 byte. It needs no training. */
export const ByteTokenizer = Plugin.make(Tokenizer.kind, "byte", {
  description: "one token per byte; needs no training",
  config: Schema.Struct({}),
  make: () => Pipeline.make(definition, { encode: (text) => Int32Array.from(new TextEncoder().encode(text)) })
})
