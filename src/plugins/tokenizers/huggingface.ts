/**
 * Any tokenizer in Hugging Face's format: a tokenizer.json, alone or in its directory, or a vocab.json with a merges.txt.
 *
 * Other files of the directory name the roles of special tokens and contain the chat template; they are saved unchanged. Ids are
 * those of Hugging Face's libraries. The pair of files is that of GPT-2 and RoBERTa, byte-level BPE. It states neither how words
 * are split, which is GPT-2's way, nor which tokens are special: these have well-known names, which a tokenizer_config.json may
 * replace. Other vocabularies (such as CLIP's, whose tokens end in `</w>`) are refused.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { ChatTemplateError, Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as ByteAlphabet from "../../core/tokenizer/ByteAlphabet.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import type { Roles } from "../../core/tokenizer/TokenizerFiles.ts"
import * as TokenizerJson from "../../core/tokenizer/TokenizerJson.ts"
import * as HuggingFaceFolder from "./HuggingFaceFolder.ts"
import { locate, readText } from "./TokenizerFolder.ts"

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A tokenizer.json, a vocab.json next to its merges.txt, or the directory of these files.",
    examples: ["models/llama3", "models/llama3/tokenizer.json"]
  })
})

const Vocabulary = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** The names of the two files, as transformers and as OpenAI's first release write them. */
const pairs = [
  { vocabulary: "vocab.json", merges: "merges.txt" },
  { vocabulary: "encoder.json", merges: "vocab.bpe" }
] as const
const [modern, original] = pairs

const remedy =
  "Give a tokenizer.json, or a vocab.json next to its merges.txt. Other plugins read other files: bert reads vocab.txt, " +
  "sentencepiece reads *.model, tiktoken reads *.tiktoken."

const broken = "The file is damaged, or has another format: download or save it again."

/** The plugin `huggingface`: any tokenizer in the files of Hugging Face's libraries. */
export const HuggingFaceTokenizer = Plugin.make(Tokenizer.kind, "huggingface", {
  description: "any Hugging Face tokenizer: tokenizer.json, or vocab.json with merges.txt",
  config: Config,
  reads: [
    { name: Pipeline.fileName, priority: 1 },
    ...pairs.map(({ merges, vocabulary }) => ({ name: vocabulary, with: merges })),
    // Other JSON files of a directory may be configurations.
    { name: "*.json", inDirectory: false }
  ],
  make: ({ path }) =>
    Effect.gen(function* () {
      const { basename, dirname, join } = yield* Path.Path
      const file = yield* locate(path, [Pipeline.fileName, modern.vocabulary, original.vocabulary], remedy)
      const folder = dirname(file)
      const config = yield* HuggingFaceFolder.read(folder)
      const pair = pairs.find(({ vocabulary }) => vocabulary === basename(file))
      const saved =
        pair === undefined
          ? yield* Effect.flatMap(readText(file, remedy), (text) => Pipeline.parse(text, file))
          : yield* readPair(file, join(folder, pair.merges), config)

      const definition = HuggingFaceFolder.withEnds(
        HuggingFaceFolder.withAddedTokens(saved, config.addedTokens),
        config.roles,
        config
      )
      return yield* Pipeline.make(definition, {
        path: file,
        roles: config.roles,
        files: config.files,
        ...(config.chatTemplate !== undefined && {
          applyChatTemplate: chatTemplate(config.chatTemplate, config.roles)
        })
      })
    })
})

const readPair = (
  vocabularyFile: string,
  mergesFile: string,
  config: HuggingFaceFolder.FolderConfig
): Effect.Effect<TokenizerJson.TokenizerJson, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const vocabulary = yield* readText(vocabularyFile, remedy)
    const vocab = yield* HuggingFaceFolder.parse(vocabulary, vocabularyFile, Vocabulary)
    const merges = yield* inFile(mergesFile, parseMerges(yield* readText(mergesFile, remedy)))
    return yield* inFile(vocabularyFile, toTokenizerJson(vocab, merges, config))
  })

const inFile = <A>(
  path: string,
  result: Either.Either<A, TokenizerJson.InvalidComponent>
): Effect.Effect<A, TokenizerFileError> =>
  Effect.mapError(result, (problem) => new TokenizerFileError({ path, remedy: broken, ...problem }))

/** Parses lines of two tokens. The first line may be a version. */
const parseMerges = (
  text: string
): Either.Either<ReadonlyArray<readonly [string, string]>, TokenizerJson.InvalidComponent> => {
  const merges: Array<readonly [string, string]> = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || (i === 0 && line.startsWith("#version"))) continue
    const [left, right, ...more] = line.split(" ")
    if (!left || !right || more.length > 0) {
      return Either.left({ key: `line ${i + 1}`, details: `is ${JSON.stringify(line)}, not two tokens.` })
    }
    merges.push([left, right])
  }
  return Either.right(merges)
}

type Vocab = { readonly [token: string]: unknown }

const toTokenizerJson = (
  vocabulary: Vocab,
  merges: ReadonlyArray<readonly [string, string]>,
  config: Pick<HuggingFaceFolder.FolderConfig, "add_prefix_space" | "roles">
): Either.Either<TokenizerJson.TokenizerJson, TokenizerJson.InvalidComponent> => {
  const absent = ByteAlphabet.byteToCharacter.find((character) => !Object.hasOwn(vocabulary, character))
  if (absent !== undefined) {
    const details = `has no token ${JSON.stringify(absent)}, so it is not a byte-level vocabulary like GPT-2's.`
    return Either.left({ key: "", details })
  }
  const roberta = ["<s>", "</s>", "<mask>"].every((token) => Object.hasOwn(vocabulary, token))
  const names = roberta ? ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] : ["<|endoftext|>"]
  const added_tokens = names.flatMap((content): ReadonlyArray<TokenizerJson.AddedToken> => {
    const id = Object.hasOwn(vocabulary, content) ? vocabulary[content] : undefined
    if (typeof id !== "number") return []
    // RoBERTa's mask includes the space before it.
    const lstrip = content === "<mask>"
    return [{ ...TokenizerJson.specialToken(id, content), lstrip }]
  })
  const idOf = (token: string) => added_tokens.find(({ content }) => content === token)?.id
  const prefix = config.add_prefix_space ?? false
  const cls = config.roles.cls_token ?? "<s>"
  const sep = config.roles.sep_token ?? "</s>"
  const [clsId, sepId] = [idOf(cls), idOf(sep)]
  const byteLevel = { type: "ByteLevel", add_prefix_space: prefix, trim_offsets: true, use_regex: true } as const
  const post_processor: TokenizerJson.PostProcessor =
    roberta && clsId !== undefined && sepId !== undefined
      ? {
          type: "RobertaProcessing",
          sep: [sep, sepId],
          cls: [cls, clsId],
          trim_offsets: true,
          add_prefix_space: prefix
        }
      : { ...byteLevel, trim_offsets: false }
  return Either.right(
    TokenizerJson.make({
      added_tokens: added_tokens.sort((a, b) => a.id - b.id),
      pre_tokenizer: byteLevel,
      post_processor,
      decoder: byteLevel,
      model: TokenizerJson.bpe({
        continuing_subword_prefix: "",
        end_of_word_suffix: "",
        vocab: vocabulary,
        merges
      })
    })
  )
}

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

/**
 * Applies a chat template: a Jinja program that renders a conversation as the text that a model was trained on. The interpreter is
 * that of Hugging Face for JavaScript; it is loaded with the first conversation. Its errors, including `raise_exception` of a
 * template, become ChatTemplateError.
 */
const chatTemplate =
  (source: string, roles: Roles): Tokenizer.Service["applyChatTemplate"] =>
  (messages, options = {}) =>
    Effect.gen(function* () {
      const { Template } = yield* Effect.promise(() => import("@huggingface/jinja"))
      const template = yield* Effect.try({
        try: () => new Template(source),
        catch: (cause) =>
          new ChatTemplateError({
            details: `The chat template cannot be read (${messageOf(cause)}).`,
            remedy: "Fix the template in tokenizer_config.json or chat_template.jinja."
          })
      })
      return yield* Effect.try({
        try: () =>
          template.render({
            ...roles,
            messages,
            tools: options.tools ?? null,
            add_generation_prompt: options.addGenerationPrompt ?? false,
            ...options.variables
          }),
        catch: (cause) =>
          new ChatTemplateError({
            details: `The chat template refuses these messages (${messageOf(cause)}).`,
            remedy: "Give the roles, their order and the contents that the template expects."
          })
      })
    })
