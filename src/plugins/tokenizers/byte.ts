/**
 * The plainest tokenizer: one token a byte. Ids 0–255 are the bytes, 256 is `<|endoftext|>`.
 *
 * It needs no training and no file, and is a baseline for every other. It saves a `tokenizer.json` that Hugging Face's
 * readers, and the `bpe` plugin, open: a byte-level BPE without merges.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/Plugin.ts"
import { TokenizerKind } from "../../core/Tokenizer.ts"
import * as ByteLevel from "./bpe/ByteLevel.ts"
import * as Vocabulary from "./bpe/Vocabulary.ts"

export const ByteTokenizer = Plugin.make(TokenizerKind, "byte", {
  description: "one token a byte; needs no training",
  config: Schema.Struct({}),
  make: () =>
    Effect.sync(() =>
      ByteLevel.makeTokenizer(Vocabulary.fromBytes(["<|endoftext|>"]), {
        encode: (text) => Int32Array.from(new TextEncoder().encode(text))
      })
    )
})
