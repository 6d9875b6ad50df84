/**
 * OpenAI's tokenizers from tiktoken's rank files: byte-level BPE, whose merges are recovered from the ranks.
 *
 * A rank file has tokens only. The encoding states how text is split into words and which special tokens there are. It is known by
 * name, or by the name of the file; other encodings (such as Llama 3's) are given in the config. Characters that a pattern does not
 * match are separate words here; tiktoken drops them.
 * Source: tiktoken, tiktoken_ext/openai_public.py. Where its patterns have possessive quantifiers, which are faster and match the
 * same text, these have greedy ones.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError } from "../../core/Tokenizer.ts"
import * as Pipeline from "../../core/tokenizer/Pipeline.ts"
import * as TokenizerJson from "../../core/tokenizer/TokenizerJson.ts"
import * as TiktokenRanks from "./TiktokenRanks.ts"
import { locate, readText } from "./TokenizerFolder.ts"

const names = ["gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"] as const

const Config = Schema.Struct({
  path: Schema.NonEmptyString.annotations({
    description: "A rank file of tiktoken: lines of a token in base64 and its rank.",
    examples: ["cl100k_base.tiktoken"]
  }),
  encoding: Schema.optional(Schema.Literal(...names)).annotations({
    description: "The encoding, which defines pattern and special tokens. Default: the one in the name of the file."
  }),
  pattern: Schema.optional(Schema.NonEmptyString).annotations({
    description: "The regular expression whose matches are words. Overrides that of the encoding."
  }),
  special_tokens: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.NonNegativeInt })).annotations({
    description: "Special tokens and their ids. Overrides those of the encoding."
  }),
  end_of_text: Schema.optional(Schema.NonEmptyString).annotations({
    description: "The special token that ends a document. Default: <|endoftext|>, if there is one."
  })
})

const remedy = "Give the path of a tiktoken file, with lines of a token in base64, a space and its rank."

/** The plugin `tiktoken`: OpenAI's encodings from rank files. */
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
          details: "does not say which encoding it has.",
          remedy: `Set encoding to one of ${names.join(", ")}, or pattern and special_tokens.`
        })
      }
      const known = named === undefined ? undefined : encodingOf(named)
      const specialTokens = special_tokens ?? known?.specialTokens ?? {}
      const ranks = yield* Effect.mapError(
        TiktokenRanks.parse(yield* readText(file, remedy), specialTokens),
        (invalid) => new TokenizerFileError({ path: file, remedy, ...invalid })
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
  ranks: TiktokenRanks.Ranks,
  { pattern, specialTokens }: Encoding
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
      // tiktoken looks the whole word up first, which makes no difference if merges lead to it.
      ignore_merges: !ranks.reachable,
      vocab: ranks.vocabulary,
      merges: ranks.merges
    })
  })
}

/** How an encoding splits text into words, and its special tokens. */
interface Encoding {
  /** Undefined: that of GPT-2, which is the default of a byte-level pre-tokenizer. */
  readonly pattern: string | undefined
  readonly specialTokens: { readonly [token: string]: number }
}

const cl100k =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const o200k =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" +
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" +
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/** The special tokens of the harmony chat format. All other ids of the range are reserved. */
const harmony = (): Encoding["specialTokens"] => {
  const named: { readonly [id: number]: string } = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
    200018: "<|endofprompt|>"
  }
  const [first, end] = [199_998, 201_088]
  return Object.fromEntries(
    Array.from({ length: end - first }, (_, i) => [named[first + i] ?? `<|reserved_${first + i}|>`, first + i] as const)
  )
}

const encodingOf = (name: (typeof names)[number]): Encoding => {
  switch (name) {
    case "gpt2":
    case "r50k_base":
    case "p50k_base":
      return { pattern: undefined, specialTokens: { "<|endoftext|>": 50_256 } }
    case "p50k_edit":
      return {
        pattern: undefined,
        specialTokens: {
          "<|endoftext|>": 50_256,
          "<|fim_prefix|>": 50_281,
          "<|fim_middle|>": 50_282,
          "<|fim_suffix|>": 50_283
        }
      }
    case "cl100k_base":
      return {
        pattern: cl100k,
        specialTokens: {
          "<|endoftext|>": 100_257,
          "<|fim_prefix|>": 100_258,
          "<|fim_middle|>": 100_259,
          "<|fim_suffix|>": 100_260,
          "<|endofprompt|>": 100_276
        }
      }
    case "o200k_base":
      return { pattern: o200k, specialTokens: { "<|endoftext|>": 199_999, "<|endofprompt|>": 200_018 } }
    case "o200k_harmony":
      return { pattern: o200k, specialTokens: harmony() }
  }
}
