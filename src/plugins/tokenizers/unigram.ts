/**
 * Unigram, as SentencePiece has it: every piece has a probability, and text is written in the most probable way.
 *
 * The tokenizer, and the trainer that makes its file. Spaces are written ▁ and come back; a character that the training text
 * did not have is the unknown token.
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
import * as Unigram from "../../core/tokenizer/training/Unigram.ts"
import * as Trained from "./Trained.ts"

export const UnigramTokenizer = Plugin.make(TokenizerKind, "unigram", {
  description: "Unigram from a Hugging Face tokenizer.json",
  config: Trained.Config,
  make: (config) => Trained.load("Unigram", config)
})

const splitters = ["metaspace", "gpt2", "gpt4", "o200k"] as const

const TrainerConfig = Schema.Struct({
  ...Settings.fields({
    minFrequency: 1,
    rare: "A word seen less often is not learnt from.",
    specialTokens: ["<unk>", "<s>", "</s>"],
    preTokenizer: "metaspace"
  }),
  unk_token: Settings.unknownToken("<unk>"),
  limit_alphabet: Settings.limitAlphabet,
  max_piece_length: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 16 }).annotations({
    description: "Characters of a token at most."
  })
}).pipe(Schema.filter((config) => Settings.problem(config, splitters, "unigram, which gives every space back")))

export const UnigramTrainer = Plugin.make(TokenizerTrainerKind, "unigram", {
  description: "learns the pieces of a Unigram model by EM and pruning; same text, same file",
  config: TrainerConfig,
  make: (config) =>
    Effect.map(FileSystem.FileSystem, (fs) => {
      const { splitter } = Settings.splitting(config, "metaspace")
      return Training.make(
        {
          vocabularySize: config.vocab_size,
          steps: "pieces",
          frame: {
            normalizer: Frame.normalizer(config),
            pre_tokenizer: Frame.preTokenizer(config, "metaspace", { bytes: false }),
            post_processor: null,
            decoder: Frame.decoder(splitter, { bytes: false })
          },
          learn: (words, sizes, report) =>
            Unigram.learn(words, sizes, report, {
              minFrequency: config.min_frequency,
              specialTokens: Frame.withUnknown(config.special_tokens, config.unk_token),
              unknown: config.unk_token,
              limitAlphabet: config.limit_alphabet,
              maxPieceLength: config.max_piece_length
            })
        },
        fs
      )
    })
})
