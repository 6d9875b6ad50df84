/**
 * Unigram, as in SentencePiece: every piece has a probability, and a text is encoded in the most probable way. The tokenizer, and
 * the trainer that makes its file.
 *
 * Spaces are written as ▁ and restored. A character that was not in the training text becomes the unknown token.
 */
import * as Schema from "effect/Schema"
import { Count } from "../../core/Numbers.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as Settings from "../../core/tokenizer/training/TrainerSettings.ts"
import * as UnigramTraining from "../../core/tokenizer/training/UnigramTraining.ts"
import * as TrainedTokenizer from "./TrainedTokenizer.ts"

/** The plugin `unigram`: a unigram language model that codex trained. */
export const UnigramTokenizer = Plugin.make(Tokenizer.kind, "unigram", {
  description: "Unigram from a Hugging Face tokenizer.json",
  config: TrainedTokenizer.Config,
  make: (config) => TrainedTokenizer.load("Unigram", config)
})

const splitters = ["metaspace", "gpt2", "gpt4", "o200k"] as const

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 1,
    rare: "A word with a lower count is not learned from.",
    specialTokens: ["<unk>", "<s>", "</s>"],
    preTokenizer: "metaspace"
  }),
  unk_token: Settings.unknownToken("<unk>"),
  limit_alphabet: Settings.limitAlphabet,
  max_piece_length: Schema.optionalWith(Count, { default: () => 16 }).annotations({
    description: "Largest number of characters of a token."
  })
}).pipe(Schema.filter((config) => Settings.problem(config, splitters, "unigram, which restores every space")))

/** The trainer of `unigram`. */
export const UnigramTrainer = Plugin.make(TokenizerTrainer.kind, "unigram", {
  description: "learns the pieces of a Unigram model by EM and pruning; same text, same file",
  config: TrainerConfig,
  make: (config) => {
    const { splitter } = Settings.splitting(config, "metaspace")
    return TrainedTokenizer.trainer({
      vocabularySize: config.vocab_size,
      steps: "pieces",
      components: {
        normalizer: Settings.normalizer(config),
        pre_tokenizer: Settings.preTokenizer(config, "metaspace", { bytes: false }),
        post_processor: null,
        decoder: Settings.decoder(splitter, { bytes: false })
      },
      learn: (words, sizes, report) =>
        UnigramTraining.learn(words, sizes, report, {
          minFrequency: config.min_frequency,
          specialTokens: Settings.withUnknown(config.special_tokens, config.unk_token),
          unknown: config.unk_token,
          limitAlphabet: config.limit_alphabet,
          maxPieceLength: config.max_piece_length
        })
    })
  }
})
