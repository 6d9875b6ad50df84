/**
 * SentencePiece's `.model` files: a protobuf of pieces, their scores, and how text is normalized.
 *
 * The model becomes a tokenizer.json with the same ids (sentencepiece/Translate.ts says how). SentencePiece itself puts
 * nothing around a text; models that expect it (Llama's begins with `<s>`, T5's ends with `</s>`) say so in the config.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import { locate, readBytes } from "./TokenizerFolder.ts"

const flag = (description: string) =>
  Schema.optionalWith(Schema.Boolean, { default: () => false }).annotations({ description })

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A SentencePiece model file, or the folder that holds it.",
    examples: ["llama2/tokenizer.model"]
  }),
  add_bos_token: flag("Special tokens around a text begin with the model's bos piece."),
  add_eos_token: flag("Special tokens around a text end with the model's eos piece.")
})

const remedy = "Give the .model file that SentencePiece's trainer wrote."

export const SentencePieceTokenizer = Plugin.make(Tokenizer.kind, "sentencepiece", {
  description: "SentencePiece's .model files: Unigram, BPE and characters",
  config: Config,
  reads: ["*.model"],
  make: ({ path, ...ends }) =>
    Effect.gen(function* () {
      const file = yield* locate(path, ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"], remedy)
      const bytes = yield* readBytes(file, remedy)
      const ModelFile = yield* Effect.promise(() => import("./sentencepiece/ModelFile.ts"))
      const { definition, roles } = yield* Effect.mapError(
        ModelFile.read(bytes, ends),
        (problem) => new TokenizerFileError({ path: file, remedy, ...problem })
      )
      return yield* Pipeline.make(definition, { path: file, roles })
    })
})
