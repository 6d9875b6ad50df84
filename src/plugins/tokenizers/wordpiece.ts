/**
 * WordPiece, as BERT has it: a word is written with the longest tokens that fit from the left, those inside it marked by ##.
 *
 * The tokenizer, and the trainer that makes its file. Text comes back in lower fidelity: white space is not kept.
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
import * as WordPiece from "../../core/tokenizer/training/WordPiece.ts"
import * as Trained from "./Trained.ts"

export const WordPieceTokenizer = Plugin.make(TokenizerKind, "wordpiece", {
  description: "WordPiece from a Hugging Face tokenizer.json",
  config: Trained.Config,
  make: (config) => Trained.load("WordPiece", config)
})

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 2,
    rare: "A pair of tokens seen less often is not merged.",
    specialTokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    preTokenizer: "bert"
  }),
  unk_token: Settings.unknownToken("[UNK]"),
  limit_alphabet: Settings.limitAlphabet,
  max_input_chars_per_word: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 100 }).annotations(
    {
      description: "A word of more characters is the unknown token."
    }
  )
}).pipe(Schema.filter((config) => Settings.problem(config, ["bert", "whitespace"], "wordpiece")))

export const WordPieceTrainer = Plugin.make(TokenizerTrainerKind, "wordpiece", {
  description: "learns WordPiece by the counts of pairs; same text, same file",
  config: TrainerConfig,
  make: (config) =>
    Effect.map(FileSystem.FileSystem, (fs) => {
      const specialTokens = Frame.withUnknown(config.special_tokens, config.unk_token)
      return Training.make(
        {
          vocabularySize: config.vocab_size,
          steps: "merges",
          frame: {
            normalizer: Frame.normalizer(config),
            pre_tokenizer: Frame.preTokenizer(config, "bert", { bytes: false }),
            post_processor: Frame.template(specialTokens),
            decoder: { type: "WordPiece", prefix: WordPiece.prefix, cleanup: true }
          },
          learn: (words, sizes, report) =>
            WordPiece.learn(words, sizes, report, {
              minFrequency: config.min_frequency,
              specialTokens,
              unknown: config.unk_token,
              limitAlphabet: config.limit_alphabet,
              maxInputCharsPerWord: config.max_input_chars_per_word
            })
        },
        fs
      )
    })
})
