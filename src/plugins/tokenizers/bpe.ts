/**
 * Byte-level byte-pair encoding, as GPT-2 uses it: the tokenizer, and the trainer that makes its file.
 *
 * Every text has a token sequence, since all 256 bytes are in the vocabulary, and decodes to itself. Read and written is
 * Hugging Face's `tokenizer.json`; files of other algorithms, or with normalizers, are refused by name. Text that looks
 * like a special token is encoded as ordinary text, unlike in Hugging Face's readers.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/Plugin.ts"
import { TokenizerFileError, TokenizerKind } from "../../core/Tokenizer.ts"
import { TokenizerTrainerKind } from "../../core/TokenizerTrainer.ts"
import * as ByteLevel from "./bpe/ByteLevel.ts"
import * as TokenizerJson from "./bpe/TokenizerJson.ts"
import * as Trainer from "./bpe/Trainer.ts"

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A tokenizer.json, or the folder that holds it.",
    examples: ["artifacts/tokenizers/notes"]
  })
})

export const BpeTokenizer = Plugin.make(TokenizerKind, "bpe", {
  description: "byte-level BPE from a Hugging Face tokenizer.json",
  config: Config,
  make: ({ path }) =>
    Effect.gen(function* () {
      const file = yield* locate(path)
      const text = yield* readFile(file)
      return ByteLevel.makeTokenizer(yield* TokenizerJson.parse(text, file))
    })
})

const TrainerConfig = Schema.Struct({
  vocab_size: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 4096 }).annotations({
    description: "Number of token ids: 256 bytes, merges and special tokens. Training fails if the text allows fewer."
  }),
  min_frequency: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 2 }).annotations({
    description: "A pair of tokens seen less often is not merged."
  }),
  special_tokens: Schema.optionalWith(Schema.Array(Schema.String), { default: () => ["<|endoftext|>"] }).annotations({
    description: "Tokens that no text encodes to. They get the last ids, in this order."
  })
})

export const BpeTrainer = Plugin.make(TokenizerTrainerKind, "bpe", {
  description: "learns a byte-level BPE; same text, same file",
  config: TrainerConfig,
  make: (config) =>
    Effect.succeed({
      train: (documents, options) =>
        Trainer.train(
          {
            vocabularySize: config.vocab_size,
            minFrequency: config.min_frequency,
            specialTokens: config.special_tokens
          },
          documents,
          options?.onProgress
        )
    })
})

const saved = "Train one with `codex tokenizer train`, or give the path of a tokenizer.json."

/** The file itself when the path is a folder's. */
const locate = (path: string): Effect.Effect<string, TokenizerFileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* Effect.mapError(
      fs.stat(path),
      (cause) =>
        new TokenizerFileError({ path, key: "", details: `cannot be read (${reasonOf(cause)}).`, remedy: saved })
    )
    return info.type === "Directory" ? (yield* Path.Path).join(path, TokenizerJson.fileName) : path
  })

const readFile = (path: string): Effect.Effect<string, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* Effect.mapError(
      fs.readFileString(path),
      (cause) =>
        new TokenizerFileError({ path, key: "", details: `cannot be read (${reasonOf(cause)}).`, remedy: saved })
    )
  })

const reasonOf = (cause: { readonly _tag: string; readonly reason?: string }) => cause.reason ?? cause._tag
