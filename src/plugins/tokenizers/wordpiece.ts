/**
 * WordPiece, as in BERT: a word is encoded with the longest matching tokens from the left; tokens inside the word begin with ##. The
 * tokenizer, and the trainer that makes its file.
 *
 * Decoding does not restore white space.
 */
import * as Schema from "effect/Schema"
import { Count } from "../../core/Numbers.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer } from "../../core/Tokenizer.ts"
import { TokenizerTrainer } from "../../core/TokenizerTrainer.ts"
import * as Settings from "../../core/tokenizer/training/TrainerSettings.ts"
import * as WordPieceTraining from "../../core/tokenizer/training/WordPieceTraining.ts"
import * as TrainedTokenizer from "./TrainedTokenizer.ts"

/** The plugin `wordpiece`: WordPiece that codex trained. */
export const WordPieceTokenizer = Plugin.make(Tokenizer.kind, "wordpiece", {
  description: "WordPiece from a Hugging Face tokenizer.json",
  config: TrainedTokenizer.Config,
  make: (config) => TrainedTokenizer.load("WordPiece", config)
})

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 2,
    rare: "A pair of tokens with a lower count is not merged.",
    specialTokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    preTokenizer: "bert"
  }),
  unk_token: Settings.unknownToken("[UNK]"),
  limit_alphabet: Settings.limitAlphabet,
  max_input_chars_per_word: Schema.optionalWith(Count, { default: () => 100 }).annotations({
    description: "A word with more characters is the unknown token."
  })
}).pipe(Schema.filter((config) => Settings.problem(config, ["bert", "whitespace"], "wordpiece")))

/** The trainer of `wordpiece`. */
export const WordPieceTrainer = Plugin.make(TokenizerTrainer.kind, "wordpiece", {
  description: "learns WordPiece by the counts of pairs; same text, same file",
  config: TrainerConfig,
  make: (config) => {
    const specialTokens = Settings.withUnknown(config.special_tokens, config.unk_token)
    return TrainedTokenizer.trainer({
      vocabularySize: config.vocab_size,
      steps: "merges",
      components: {
        normalizer: Settings.normalizer(config),
        pre_tokenizer: Settings.preTokenizer(config, "bert", { bytes: false }),
        post_processor: Settings.template(specialTokens),
        decoder: { type: "WordPiece", prefix: WordPieceTraining.prefix, cleanup: true }
      },
      learn: (words, sizes, report) =>
        WordPieceTraining.learn(words, sizes, report, {
          minFrequency: config.min_frequency,
          specialTokens,
          unknown: config.unk_token,
          limitAlphabet: config.limit_alphabet,
          maxInputCharsPerWord: config.max_input_chars_per_word
        })
    })
  }
})
