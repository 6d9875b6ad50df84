/**
 * SentencePiece's `.model` files: a protobuf with pieces, their scores, and how text is normalized.
 *
 * The model becomes a tokenizer.json with the same ids (sentencepiece/ModelFile.ts). SentencePiece itself adds nothing around a
 * text; models that need it (Llama's texts begin with `<s>`, T5's end with `</s>`) set it in the config.
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
    description: "A SentencePiece model file, or its directory.",
    examples: ["llama2/tokenizer.model"]
  }),
  add_bos_token: flag("Begin a text with the bos piece of the model."),
  add_eos_token: flag("End a text with the eos piece of the model.")
})

const remedy = "Give a .model file of SentencePiece's trainer."

/** The plugin `sentencepiece`: SentencePiece's .model files. */
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
        (invalid) => new TokenizerFileError({ path: file, remedy, ...invalid })
      )
      return yield* Pipeline.make(definition, { path: file, roles })
    })
})
