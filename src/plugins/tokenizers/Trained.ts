/**
 * The tokenizer half of an algorithm's plugin: a tokenizer.json, or its folder, whose model must be of that algorithm.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import { locate, readText } from "./TokenizerFolder.ts"

export const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A tokenizer.json, or the folder that holds it.",
    examples: ["artifacts/tokenizers/notes"]
  })
})

const remedy = "Train one with `codex tokenizer train`, or give the path of a tokenizer.json."

/** Loads a file whose model is of the given type. */
export const load = (type: TokenizerJson["model"]["type"], { path }: typeof Config.Type) =>
  Effect.gen(function* () {
    const file = yield* locate(path, [Pipeline.fileName], remedy)
    const definition = yield* Effect.flatMap(readText(file, remedy), (text) => Pipeline.parse(text, file))
    if (definition.model.type !== type) {
      return yield* new TokenizerFileError({
        path: file,
        key: "model.type",
        details: `is ${definition.model.type}, where ${type} is expected.`,
        remedy: "The plugin huggingface reads tokenizers of any type."
      })
    }
    return yield* Pipeline.make(definition, { path: file })
  })
