/**
 * Word level: every frequent word is a token, all others are the unknown one.
 *
 * The tokenizer, and the trainer that makes its file. Text comes back only as far as its words are known.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { TokenizerKind } from "../../core/Tokenizer.ts"
import { TokenizerTrainerKind } from "../../core/TokenizerTrainer.ts"
import * as Frame from "../../core/tokenizer/training/Frame.ts"
import * as Settings from "../../core/tokenizer/training/Settings.ts"
import * as Training from "../../core/tokenizer/training/Training.ts"
import * as WordLevel from "../../core/tokenizer/training/WordLevel.ts"
import * as Trained from "./Trained.ts"

export const WordLevelTokenizer = Plugin.make(TokenizerKind, "wordlevel", {
  description: "whole words, from a Hugging Face tokenizer.json",
  config: Trained.Config,
  make: (config) => Trained.load("WordLevel", config)
})

const splitters = ["whitespace", "bert", "metaspace", "gpt2", "gpt4", "o200k"] as const

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 1,
    rare: "A word seen less often is no token.",
    specialTokens: ["<unk>", "<|endoftext|>"],
    preTokenizer: "whitespace"
  }),
  unk_token: Settings.unknownToken("<unk>")
}).pipe(Schema.filter((config) => Settings.problem(config, splitters, "wordlevel")))

export const WordLevelTrainer = Plugin.make(TokenizerTrainerKind, "wordlevel", {
  description: "takes the most frequent words; same text, same file",
  config: TrainerConfig,
  make: (config) =>
    Effect.map(FileSystem.FileSystem, (fs) => {
      const options = {
        minFrequency: config.min_frequency,
        specialTokens: Frame.withUnknown(config.special_tokens, config.unk_token),
        unknown: config.unk_token
      }
      const { splitter } = Settings.splitting(config, "whitespace")
      return Training.make(
        {
          vocabularySize: config.vocab_size,
          steps: "words",
          frame: {
            normalizer: Frame.normalizer(config),
            pre_tokenizer: Frame.preTokenizer(config, "whitespace", { bytes: false }),
            post_processor: null,
            decoder: Frame.decoder(splitter, { bytes: false })
          },
          check: (size) => Training.checkLeast(size, [{ count: options.specialTokens.length, name: "special token" }]),
          learn: (words, sizes, report) => WordLevel.learn(words, sizes, report, options)
        },
        fs
      )
    })
})
