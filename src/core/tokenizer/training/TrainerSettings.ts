/**
 * Settings of trainers: the config keys that all trainers share, the checks on them that need no text, and the components of
 * the trained tokenizer.json that they decide (normalizer, pre-tokenizer, decoder, special tokens).
 *
 * A setting that contradicts another one is refused when the config is decoded, by a message that names the key. Words are
 * counted with the normalizer and pre-tokenizer that the file gets, so that encoding agrees with training.
 */
import * as Schema from "effect/Schema"
import { Count } from "../../Numbers.ts"
import { cl100k, gpt2, o200k } from "../patterns/Scanner.ts"
import * as TokenizerJson from "../TokenizerJson.ts"

export const NormalizerName = Schema.Literal("nfc", "nfd", "nfkc", "nfkd", "lowercase", "strip_accents")
export type NormalizerName = typeof NormalizerName.Type

export const PreTokenizerName = Schema.Literal("gpt2", "gpt4", "o200k", "whitespace", "digits", "metaspace", "bert")
export type PreTokenizerName = typeof PreTokenizerName.Type
/** How text is split: all names but `digits`, which can be combined with any of them. */
export type Splitter = Exclude<PreTokenizerName, "digits">

/** Defaults of an algorithm. */
export interface Defaults {
  readonly minFrequency: number
  /** Description of min_frequency. */
  readonly rare: string
  readonly specialTokens: ReadonlyArray<string>
  readonly preTokenizer: string
}

/** The config keys that all trainers share. */
export const fields = ({ minFrequency, preTokenizer, rare, specialTokens }: Defaults) => ({
  vocab_size: Schema.optionalWith(Count, { default: () => 4096 }).annotations({
    description: "Number of token ids, including special tokens. Training fails if the text allows fewer."
  }),
  min_frequency: Schema.optionalWith(Count, { default: () => minFrequency }).annotations({ description: rare }),
  special_tokens: Schema.optionalWith(Schema.Array(Schema.String), { default: () => specialTokens }).annotations({
    description: "Tokens that no text encodes to. The end-of-text token separates documents."
  }),
  normalizer: Schema.optionalWith(Schema.Union(NormalizerName, Schema.Array(NormalizerName)), {
    default: () => []
  }).annotations({
    description: "How text is normalized, in this order. strip_accents decomposes characters first (NFD)."
  }),
  pre_tokenizer: Schema.optional(Schema.Union(PreTokenizerName, Schema.NonEmptyArray(PreTokenizerName))).annotations({
    description: `How text is split into words. digits makes each digit a word and can be combined with any other. Default ${preTokenizer}.`
  })
})

export const limitAlphabet = Schema.optional(Count).annotations({
  description: "Largest number of distinct characters; the most frequent are kept. Default: all."
})

export const unknownToken = (token: string) =>
  Schema.optionalWith(Schema.NonEmptyString, { default: () => token }).annotations({
    description:
      "Replaces text that the vocabulary cannot represent. It becomes the first special token when special_tokens lacks it."
  })

/** The decoded keys that checks and components depend on. */
export interface Settings {
  readonly special_tokens: ReadonlyArray<string>
  readonly normalizer: NormalizerName | ReadonlyArray<NormalizerName>
  readonly pre_tokenizer?: PreTokenizerName | ReadonlyArray<PreTokenizerName> | undefined
}

export const listOf = <A extends string>(value: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  value === undefined ? [] : typeof value === "string" ? [value] : value

/** What is wrong with the settings of an algorithm that supports these splitters, or undefined. */
export const problem = (settings: Settings, splitters: ReadonlyArray<Splitter>, algorithm: string) =>
  specialTokensProblem(settings.special_tokens) ??
  twice("normalizer", listOf(settings.normalizer)) ??
  preTokenizerProblem(listOf(settings.pre_tokenizer), splitters, algorithm)

const show = (value: string) => JSON.stringify(value)

const twice = (key: string, values: ReadonlyArray<string>): string | undefined => {
  const doubled = values.find((value, i) => values.indexOf(value) !== i)
  return doubled === undefined ? undefined : `${key} has ${show(doubled)} twice. List it once.`
}

const specialTokensProblem = (tokens: ReadonlyArray<string>): string | undefined => {
  const short = tokens.find((token) => [...token].length < 2)
  if (short !== undefined) {
    return `special_tokens has ${show(short)}, which is ${short === "" ? "empty" : "a single character and could be ordinary text"}. Use a token of several characters, such as "<|endoftext|>".`
  }
  const byte = tokens.find((token) => /^<0x[0-9A-F]{2}>$/.test(token))
  if (byte !== undefined) return `special_tokens has ${show(byte)}, which represents a byte. Choose another token.`
  return twice("special_tokens", tokens)
}

const isSplitter = (name: PreTokenizerName): name is Splitter => name !== "digits"

const preTokenizerProblem = (
  names: ReadonlyArray<PreTokenizerName>,
  splitters: ReadonlyArray<Splitter>,
  algorithm: string
): string | undefined => {
  const doubled = twice("pre_tokenizer", names)
  if (doubled !== undefined) return doubled
  const [first, second] = names.filter(isSplitter)
  if (second !== undefined) {
    return `pre_tokenizer has ${first} and ${second}, which split text in different ways. Keep one of them; digits can be combined with either.`
  }
  return first === undefined || splitters.includes(first)
    ? undefined
    : `pre_tokenizer ${first} does not work with ${algorithm}: ${reasons[first]}. Choose one of ${splitters.join(", ")}.`
}

const pattern = "it keeps spaces inside words"
const reasons: { readonly [name in Splitter]: string } = {
  gpt2: pattern,
  gpt4: pattern,
  o200k: pattern,
  metaspace: "it writes spaces as ▁",
  whitespace: "it drops spaces, and decoding cannot restore them",
  bert: "it drops spaces, and decoding cannot restore them"
}

/** The splitter of the settings, or the algorithm's default, and whether digits are words. */
export const splitting = (settings: Settings, fallback: Splitter) => {
  const names = listOf(settings.pre_tokenizer)
  return { splitter: names.find(isSplitter) ?? fallback, digits: names.includes("digits") }
}

/** The normalizer of the settings. */
export const normalizer = (settings: Settings): TokenizerJson.Normalizer | null => {
  const normalizers = listOf(settings.normalizer).flatMap(normalizerOf)
  const [only, second] = normalizers
  return only === undefined ? null : second === undefined ? only : { type: "Sequence", normalizers }
}

const normalizerOf = (name: NormalizerName): ReadonlyArray<TokenizerJson.Normalizer> => {
  switch (name) {
    case "nfc":
      return [{ type: "NFC" }]
    case "nfd":
      return [{ type: "NFD" }]
    case "nfkc":
      return [{ type: "NFKC" }]
    case "nfkd":
      return [{ type: "NFKD" }]
    case "lowercase":
      return [{ type: "Lowercase" }]
    case "strip_accents":
      return [{ type: "NFD" }, { type: "StripAccents" }]
  }
}

/** The byte-level pre-tokenizer of GPT-2, which is its decoder too. */
export const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const

const digit = { type: "Digits", individual_digits: true } as const

const patterns = { gpt2, gpt4: cl100k, o200k } as const

const split = (regex: string) =>
  ({ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false }) as const

/** The pre-tokenizer of the settings; with `bytes`, words become bytes. */
export const preTokenizer = (
  settings: Settings,
  fallback: Splitter,
  { bytes }: { readonly bytes: boolean }
): TokenizerJson.PreTokenizer => {
  const { digits, splitter } = splitting(settings, fallback)
  const digitStep = digits ? [digit] : []
  switch (splitter) {
    case "gpt2":
    case "gpt4":
    case "o200k": {
      const splits = [...digitStep, split(patterns[splitter])]
      if (!bytes) return sequence(splits)
      return splitter === "gpt2"
        ? sequence([...digitStep, byteLevel])
        : sequence([...splits, { ...byteLevel, use_regex: false }])
    }
    // A word ends at the end of a line. Digits are split last, or each would get a ▁.
    case "metaspace":
      return sequence([
        { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
        split("[\\r\\n]+"),
        ...digitStep
      ])
    case "whitespace":
      return sequence([{ type: "Whitespace" }, ...digitStep])
    case "bert":
      return sequence([{ type: "BertPreTokenizer" }, ...digitStep])
  }
}

const sequence = (pretokenizers: ReadonlyArray<TokenizerJson.PreTokenizer>): TokenizerJson.PreTokenizer => {
  const [only] = pretokenizers
  return only !== undefined && pretokenizers.length === 1 ? only : { type: "Sequence", pretokenizers }
}

/** The decoder for tokens of characters; `bytes` when some tokens represent bytes. Null joins tokens with spaces. */
export const decoder = (splitter: Splitter, { bytes }: { readonly bytes: boolean }): TokenizerJson.Decoder | null => {
  const byteFallback = bytes ? [{ type: "ByteFallback" } as const] : []
  switch (splitter) {
    case "gpt2":
    case "gpt4":
    case "o200k":
      return { type: "Sequence", decoders: [...byteFallback, { type: "Fuse" }] }
    case "metaspace":
      return {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          ...byteFallback,
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 }
        ]
      }
    case "whitespace":
    case "bert":
      return null
  }
}

/** The `added_tokens` of special tokens, with ids from `first` on. */
export const addedTokens = (
  tokens: ReadonlyArray<string>,
  first: number
): TokenizerJson.TokenizerJson["added_tokens"] =>
  tokens.map((content, i) => TokenizerJson.specialToken(first + i, content))

/** The special tokens, with the unknown token added when it is missing. */
export const withUnknown = (tokens: ReadonlyArray<string>, unknown: string): ReadonlyArray<string> =>
  tokens.includes(unknown) ? tokens : [unknown, ...tokens]

/** The template `[CLS] text [SEP]`, when there are such tokens. */
export const template = (special: ReadonlyArray<string>): TokenizerJson.PostProcessor | null => {
  const [cls, sep] = ["[CLS]", "[SEP]"]
  if (!special.includes(cls) || !special.includes(sep)) return null
  return TokenizerJson.clsAndSep([cls, special.indexOf(cls)], [sep, special.indexOf(sep)])
}

/** A vocabulary of tokens in the order of their ids. */
export const vocabulary = (tokens: ReadonlyArray<string>): { readonly [token: string]: number } =>
  Object.fromEntries(tokens.map((token, id) => [token, id]))
