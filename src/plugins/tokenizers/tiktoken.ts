/**
 * OpenAI's tokenizers from tiktoken's rank files: byte-level BPE whose merges are found again from the ranks.
 *
 * A rank file holds tokens only. How text is split into words and which special tokens there are is the encoding's, which
 * is known by name, or by the name of the file; other encodings (Llama 3's, say) give both in the config. Where a pattern
 * leaves characters out, they are words of their own, while tiktoken drops them.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as TokenizerJson from "../../core/tokenizer/TokenizerJson.ts"
import { locate, readText } from "./TokenizerFolder.ts"
import * as Encodings from "./tiktoken/Encodings.ts"
import * as Ranks from "./tiktoken/Ranks.ts"

const { names } = Encodings

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A rank file of tiktoken: lines of a token in base64 and its rank.",
    examples: ["cl100k_base.tiktoken"]
  }),
  encoding: Schema.optional(Schema.Literal(...names)).annotations({
    description:
      "The encoding whose pattern and special tokens are meant. Default: the one that the file is named after."
  }),
  pattern: Schema.optional(Schema.NonEmptyString).annotations({
    description: "The regular expression whose matches are the words, instead of the encoding's."
  }),
  special_tokens: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.NonNegativeInt })).annotations({
    description: "Special tokens and their ids, instead of the encoding's."
  }),
  end_of_text: Schema.optional(Schema.NonEmptyString).annotations({
    description: "The special token that ends a document. Default: <|endoftext|>, when there is one."
  })
})

const remedy = "Give the path of a tiktoken file, whose lines are a token in base64, a space and its rank."

export const TiktokenTokenizer = Plugin.make(Tokenizer.kind, "tiktoken", {
  description: "OpenAI's encodings and others from tiktoken's rank files",
  config: Config,
  reads: ["*.tiktoken"],
  make: ({ encoding, end_of_text, path, pattern, special_tokens }) =>
    Effect.gen(function* () {
      const file = yield* locate(
        path,
        Arr.map(names, (name) => `${name}.tiktoken`),
        remedy
      )
      const named = encoding ?? names.find((name) => file.endsWith(`${name}.tiktoken`))
      if (named === undefined && pattern === undefined) {
        return yield* new TokenizerFileError({
          path: file,
          key: "",
          details: "does not say which encoding it is of.",
          remedy: `Set encoding to one of ${names.join(", ")}, or pattern and special_tokens.`
        })
      }
      const known = named === undefined ? undefined : Encodings.get(named)
      const specialTokens = special_tokens ?? known?.specialTokens ?? {}
      const ranks = yield* Effect.mapError(
        Ranks.parse(yield* readText(file, remedy), specialTokens),
        (problem) => new TokenizerFileError({ path: file, remedy, ...problem })
      )
      const definition = toTokenizerJson(ranks, {
        pattern: pattern ?? known?.pattern,
        specialTokens
      })
      return yield* Pipeline.make(definition, {
        path: file,
        ...(end_of_text !== undefined && { endOfText: end_of_text })
      })
    })
})

const toTokenizerJson = (
  ranks: Ranks.Ranks,
  { pattern, specialTokens }: Encodings.Encoding
): TokenizerJson.TokenizerJson => {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false } as const
  return TokenizerJson.make({
    added_tokens: Object.entries(specialTokens)
      .sort(([, a], [, b]) => a - b)
      .map(([content, id]) => TokenizerJson.specialToken(id, content)),
    pre_tokenizer:
      pattern === undefined
        ? { ...byteLevel, use_regex: true }
        : {
            type: "Sequence",
            pretokenizers: [
              { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
              { ...byteLevel, use_regex: false }
            ]
          },
    decoder: { ...byteLevel, use_regex: true },
    model: TokenizerJson.bpe({
      // tiktoken looks for the whole word first, which makes no difference where merges lead to it.
      ignore_merges: !ranks.reachable,
      vocab: ranks.vocabulary,
      merges: ranks.merges
    })
  })
}
