/**
 * Any tokenizer in Hugging Face's format: a tokenizer.json, alone or in its folder, or a vocab.json with a merges.txt.
 *
 * The folder's other files say what its special tokens are for, and hold the chat template; they are saved again as they
 * were. Ids are those of Hugging Face's own libraries (core/tokenizer/Pipeline.ts).
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { InvalidComponent, TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import * as ChatTemplate from "./huggingface/ChatTemplate.ts"
import * as FolderConfig from "./huggingface/FolderConfig.ts"
import * as SpecialTokens from "./huggingface/SpecialTokens.ts"
import * as VocabularyAndMerges from "./huggingface/VocabularyAndMerges.ts"
import { locate, readText } from "./TokenizerFolder.ts"

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A tokenizer.json or a vocab.json with its merges.txt, or the folder that holds it.",
    examples: ["models/llama3", "models/llama3/tokenizer.json"]
  })
})

const Vocabulary = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const [modern, original] = VocabularyAndMerges.fileNames

const remedy =
  "Give a tokenizer.json, or a vocab.json beside its merges.txt; for a vocab.txt use the plugin bert, " +
  "for a tokenizer.model sentencepiece, for a .tiktoken file tiktoken."

const broken = "The file is damaged, or not of this format: download or save it again."

export const HuggingFaceTokenizer = Plugin.make(Tokenizer.kind, "huggingface", {
  description: "any Hugging Face tokenizer: tokenizer.json, or vocab.json with merges.txt",
  config: Config,
  reads: [
    { name: Pipeline.fileName, priority: 1 },
    ...VocabularyAndMerges.fileNames.map(({ merges, vocabulary }) => ({ name: vocabulary, with: merges })),
    // Any other JSON file may be a configuration.
    { name: "*.json", inDirectory: false }
  ],
  make: ({ path }) =>
    Effect.gen(function* () {
      const { basename, dirname, join } = yield* Path.Path
      const file = yield* locate(path, [Pipeline.fileName, modern.vocabulary, original.vocabulary], remedy)
      const folder = dirname(file)
      const config = yield* FolderConfig.read(folder)
      const pair = VocabularyAndMerges.fileNames.find(({ vocabulary }) => vocabulary === basename(file))
      const saved =
        pair === undefined
          ? yield* Effect.flatMap(readText(file, remedy), (text) => Pipeline.parse(text, file))
          : yield* readPair(file, join(folder, pair.merges), config)

      const definition = SpecialTokens.withEnds(
        SpecialTokens.withAddedTokens(saved, config.addedTokens),
        config.roles,
        config
      )
      return yield* Pipeline.make(definition, {
        path: file,
        roles: config.roles,
        files: config.files,
        ...(config.chatTemplate !== undefined && {
          applyChatTemplate: ChatTemplate.make(config.chatTemplate, config.roles)
        })
      })
    })
})

const readPair = (
  vocabularyFile: string,
  mergesFile: string,
  config: FolderConfig.FolderConfig
): Effect.Effect<TokenizerJson, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const vocabulary = yield* readText(vocabularyFile, remedy)
    const vocab = yield* FolderConfig.parse(vocabulary, vocabularyFile, Vocabulary)
    const merges = yield* inFile(mergesFile, VocabularyAndMerges.parseMerges(yield* readText(mergesFile, remedy)))
    return yield* inFile(vocabularyFile, VocabularyAndMerges.toTokenizerJson(vocab, merges, config))
  })

const inFile = <A>(path: string, result: Either.Either<A, InvalidComponent>): Effect.Effect<A, TokenizerFileError> =>
  Effect.mapError(result, (problem) => new TokenizerFileError({ path, remedy: broken, ...problem }))
