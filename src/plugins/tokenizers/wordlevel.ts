/**
 * Word level: every frequent word is a token, and all other words are the unknown token. The tokenizer, and the trainer that makes
 * its file.
 *
 * Decoding restores known words only.
 */
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import { checkLeast } from "../../core/tokenizer/training/TokenizerTraining.ts"
import * as Settings from "../../core/tokenizer/training/TrainerSettings.ts"
import * as WordLevelTraining from "../../core/tokenizer/training/WordLevelTraining.ts"
import * as TrainedTokenizer from "./TrainedTokenizer.ts"

/** The plugin `wordlevel`: one token for each whole word. */
export const WordLevelTokenizer = Plugin.make(Tokenizer.kind, "wordlevel", {
  description: "whole words, from a Hugging Face tokenizer.json",
  config: TrainedTokenizer.Config,
  make: (config) => TrainedTokenizer.load("WordLevel", config)
})

const splitters = ["whitespace", "bert", "metaspace", "gpt2", "gpt4", "o200k"] as const

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 1,
    rare: "A word with a lower count is not a token.",
    specialTokens: ["<unk>", "<|endoftext|>"],
    preTokenizer: "whitespace"
  }),
  unk_token: Settings.unknownToken("<unk>")
}).pipe(Schema.filter((config) => Settings.problem(config, splitters, "wordlevel")))

/** The trainer of `wordlevel`. */
export const WordLevelTrainer = Plugin.make(TokenizerTrainer.kind, "wordlevel", {
  description: "takes the most frequent words; same text, same file",
  config: TrainerConfig,
  make: (config) => {
    const options = {
      minFrequency: config.min_frequency,
      specialTokens: Settings.withUnknown(config.special_tokens, config.unk_token),
      unknown: config.unk_token
    }
    const { splitter } = Settings.splitting(config, "whitespace")
    return TrainedTokenizer.trainer({
      vocabularySize: config.vocab_size,
      steps: "words",
      components: {
        normalizer: Settings.normalizer(config),
        pre_tokenizer: Settings.preTokenizer(config, "whitespace", { bytes: false }),
        post_processor: null,
        decoder: Settings.decoder(splitter, { bytes: false })
      },
      check: (size) => checkLeast(size, [{ count: options.specialTokens.length, name: "special token" }]),
      learn: (words, sizes, report) => WordLevelTraining.learn(words, sizes, report, options)
    })
  }
})
