/**
 * Byte-pair encoding: the tokenizer, and the trainer that makes its file.
 *
 * Over bytes, as GPT-2 has it, every text has a token sequence and decodes to itself. With `byte_fallback`, as in Llama 2, the
 * tokens are of characters, spaces are written ▁, and characters that are no token are written as the tokens of their bytes.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { TokenizerKind } from "../../core/Tokenizer.ts"
import { TokenizerTrainerKind } from "../../core/TokenizerTrainer.ts"
import * as Bpe from "../../core/tokenizer/training/Bpe.ts"
import * as Frame from "../../core/tokenizer/training/Frame.ts"
import * as Settings from "../../core/tokenizer/training/Settings.ts"
import * as Training from "../../core/tokenizer/training/Training.ts"
import * as Trained from "./Trained.ts"

export const BpeTokenizer = Plugin.make(TokenizerKind, "bpe", {
  description: "BPE from a Hugging Face tokenizer.json",
  config: Trained.Config,
  make: (config) => Trained.load("BPE", config)
})

const overBytes = { splitters: ["gpt2", "gpt4", "o200k"], specialTokens: ["<|endoftext|>"] } as const
const overCharacters = { splitters: ["metaspace"], specialTokens: ["<unk>", "<s>", "</s>"] } as const

const { special_tokens, ...fields } = Settings.fields({
  minFrequency: 2,
  rare: "A pair of tokens seen less often is not merged.",
  specialTokens: [],
  preTokenizer: "gpt2, with byte_fallback metaspace"
})

const TrainerConfig = Schema.Struct({
  ...fields,
  special_tokens: Schema.optional(Schema.Array(Schema.String)).annotations({
    description:
      "Tokens that no text encodes to. The end-of-text token separates documents. Default <|endoftext|>, with byte_fallback <unk> <s> </s>."
  }),
  byte_fallback: Schema.optionalWith(Schema.Boolean, { default: () => false }).annotations({
    description: "Tokens of characters; those that are no token are written as bytes. Default: all tokens are of bytes."
  }),
  limit_alphabet: Settings.limitAlphabet
}).pipe(
  Schema.filter((config) => {
    if (config.limit_alphabet !== undefined && !config.byte_fallback) {
      return "limit_alphabet is for tokens of characters: set byte_fallback: true, or leave it out."
    }
    return config.byte_fallback
      ? Settings.problem(withDefaults(config), overCharacters.splitters, "byte_fallback, whose tokens are characters")
      : Settings.problem(withDefaults(config), overBytes.splitters, "bpe over bytes, which gives every text back")
  })
)

const withDefaults = <
  A extends { readonly special_tokens?: ReadonlyArray<string> | undefined; byte_fallback: boolean }
>(
  config: A
) => ({
  ...config,
  special_tokens: config.special_tokens ?? (config.byte_fallback ? overCharacters : overBytes).specialTokens
})

export const BpeTrainer = Plugin.make(TokenizerTrainerKind, "bpe", {
  description: "learns BPE over bytes, or over characters with bytes for the rest; same text, same file",
  config: TrainerConfig,
  make: (given) =>
    Effect.map(FileSystem.FileSystem, (fs) => {
      const config = withDefaults(given)
      const options = { minFrequency: config.min_frequency, specialTokens: config.special_tokens }
      const normalizer = Frame.normalizer(config)
      if (!config.byte_fallback) {
        return Training.make(
          {
            vocabularySize: config.vocab_size,
            steps: "merges",
            frame: {
              normalizer,
              pre_tokenizer: Frame.preTokenizer(config, "gpt2", { bytes: true }),
              post_processor: null,
              decoder: Frame.byteLevel
            },
            check: (size) => Bpe.checkBytes(size, options),
            learn: (words, sizes, report) => Bpe.learnBytes(words, sizes, report, options)
          },
          fs
        )
      }
      const unknown = config.special_tokens.includes("<unk>") ? "<unk>" : null
      return Training.make(
        {
          vocabularySize: config.vocab_size,
          steps: "merges",
          frame: {
            normalizer,
            pre_tokenizer: Frame.preTokenizer(config, "metaspace", { bytes: false }),
            post_processor: null,
            decoder: Frame.decoder("metaspace", { bytes: true })
          },
          learn: (words, sizes, report) =>
            Bpe.learnCharacters(words, sizes, report, { ...options, limitAlphabet: config.limit_alphabet, unknown })
        },
        fs
      )
    })
})
