/**
 * Byte-pair encoding: the tokenizer, and the trainer that makes its file.
 *
 * Over bytes, as in GPT-2, every text can be encoded and decodes to itself. With `byte_fallback`, as in Llama 2, tokens are made of
 * characters, spaces are written as ▁, and characters that are not tokens are encoded as the tokens of their bytes.
 */
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as BpeTraining from "../../core/tokenizer/training/BpeTraining.ts"
import * as Settings from "../../core/tokenizer/training/TrainerSettings.ts"
import * as TrainedTokenizer from "./TrainedTokenizer.ts"

/** The plugin `bpe`: byte-pair encoding that codex trained. */
export const BpeTokenizer = Plugin.make(Tokenizer.kind, "bpe", {
  description: "BPE from a Hugging Face tokenizer.json",
  config: TrainedTokenizer.Config,
  make: (config) => TrainedTokenizer.load("BPE", config)
})

const overBytes = { splitters: ["gpt2", "gpt4", "o200k"], specialTokens: ["<|endoftext|>"] } as const
const overCharacters = { splitters: ["metaspace"], specialTokens: ["<unk>", "<s>", "</s>"] } as const

const { special_tokens, ...fields } = Settings.fields({
  minFrequency: 2,
  rare: "A pair of tokens with a lower count is not merged.",
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
    description: "Learn tokens of characters, and encode other characters as bytes. Default: learn tokens of bytes."
  }),
  limit_alphabet: Settings.limitAlphabet
}).pipe(
  Schema.filter((config) => {
    if (config.limit_alphabet !== undefined && !config.byte_fallback) {
      return "limit_alphabet is for tokens of characters: set byte_fallback: true, or remove limit_alphabet."
    }
    return config.byte_fallback
      ? Settings.problem(withDefaults(config), overCharacters.splitters, "byte_fallback, whose tokens are characters")
      : Settings.problem(withDefaults(config), overBytes.splitters, "bpe over bytes, which restores every text")
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

/** The trainer of `bpe`. */
export const BpeTrainer = Plugin.make(TokenizerTrainer.kind, "bpe", {
  description: "learns BPE over bytes, or over characters with bytes for the rest; same text, same file",
  config: TrainerConfig,
  make: (given) => {
    const config = withDefaults(given)
    const options = { minFrequency: config.min_frequency, specialTokens: config.special_tokens }
    const normalizer = Settings.normalizer(config)
    if (!config.byte_fallback) {
      return TrainedTokenizer.trainer({
        vocabularySize: config.vocab_size,
        steps: "merges",
        components: {
          normalizer,
          pre_tokenizer: Settings.preTokenizer(config, "gpt2", { bytes: true }),
          post_processor: null,
          decoder: Settings.byteLevel
        },
        check: (size) => BpeTraining.checkBytes(size, options),
        learn: (words, sizes, report) => BpeTraining.learnBytes(words, sizes, report, options)
      })
    }
    const unknown = config.special_tokens.includes("<unk>") ? "<unk>" : null
    return TrainedTokenizer.trainer({
      vocabularySize: config.vocab_size,
      steps: "merges",
      components: {
        normalizer,
        pre_tokenizer: Settings.preTokenizer(config, "metaspace", { bytes: false }),
        post_processor: null,
        decoder: Settings.decoder("metaspace", { bytes: true })
      },
      learn: (words, sizes, report) =>
        BpeTraining.learnCharacters(words, sizes, report, { ...options, limitAlphabet: config.limit_alphabet, unknown })
    })
  }
})
