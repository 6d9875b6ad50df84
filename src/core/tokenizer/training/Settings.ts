/**
 * The keys that all trainers share, and the checks on them that need no text.
 *
 * A setting that contradicts another is refused when the config is decoded, by a sentence that names the key.
 */
import * as Schema from "effect/Schema"

export const NormalizerName = Schema.Literal("nfc", "nfd", "nfkc", "nfkd", "lowercase", "strip_accents")
export type NormalizerName = typeof NormalizerName.Type

export const PreTokenizerName = Schema.Literal("gpt2", "gpt4", "o200k", "whitespace", "digits", "metaspace", "bert")
export type PreTokenizerName = typeof PreTokenizerName.Type
/** All but `digits`, which goes with any of them. */
export type Splitter = Exclude<PreTokenizerName, "digits">

const count = Schema.Int.pipe(Schema.positive())

export interface Defaults {
  readonly minFrequency: number
  /** What is seen less often than min_frequency is not … */
  readonly rare: string
  readonly specialTokens: ReadonlyArray<string>
  readonly preTokenizer: string
}

export const fields = ({ minFrequency, preTokenizer, rare, specialTokens }: Defaults) => ({
  vocab_size: Schema.optionalWith(count, { default: () => 4096 }).annotations({
    description: "Number of token ids, special tokens included. Training fails if the text allows fewer."
  }),
  min_frequency: Schema.optionalWith(count, { default: () => minFrequency }).annotations({ description: rare }),
  special_tokens: Schema.optionalWith(Schema.Array(Schema.String), { default: () => specialTokens }).annotations({
    description: "Tokens that no text encodes to. The end-of-text token separates documents."
  }),
  normalizer: Schema.optionalWith(Schema.Union(NormalizerName, Schema.Array(NormalizerName)), {
    default: () => []
  }).annotations({
    description: "How text is rewritten first, one after the other. strip_accents decomposes characters for it (NFD)."
  }),
  pre_tokenizer: Schema.optional(Schema.Union(PreTokenizerName, Schema.NonEmptyArray(PreTokenizerName))).annotations({
    description: `How text is split into words. digits makes each digit a word and goes with any other. Default ${preTokenizer}.`
  })
})

export const limitAlphabet = Schema.optional(count).annotations({
  description: "Keep at most this many different characters, the most frequent ones. Default: all."
})

export const unknownToken = (token: string) =>
  Schema.optionalWith(Schema.NonEmptyString, { default: () => token }).annotations({
    description: "Stands for what the vocabulary cannot write. It comes first when special_tokens lacks it."
  })

/** The decoded keys that the checks look at. */
export interface Settings {
  readonly special_tokens: ReadonlyArray<string>
  readonly normalizer: NormalizerName | ReadonlyArray<NormalizerName>
  readonly pre_tokenizer?: PreTokenizerName | ReadonlyArray<PreTokenizerName> | undefined
}

export const listOf = <A extends string>(value: A | ReadonlyArray<A> | undefined): ReadonlyArray<A> =>
  value === undefined ? [] : typeof value === "string" ? [value] : value

/** What is wrong with the settings of an algorithm that splits text by one of `splitters`, or undefined. */
export const problem = (settings: Settings, splitters: ReadonlyArray<Splitter>, algorithm: string) =>
  specialTokensProblem(settings.special_tokens) ??
  twice("normalizer", listOf(settings.normalizer)) ??
  preTokenizerProblem(listOf(settings.pre_tokenizer), splitters, algorithm)

const show = (value: string) => JSON.stringify(value)

const twice = (key: string, values: ReadonlyArray<string>): string | undefined => {
  const doubled = values.find((value, i) => values.indexOf(value) !== i)
  return doubled === undefined ? undefined : `${key} has ${show(doubled)} twice. Name it once.`
}

const specialTokensProblem = (tokens: ReadonlyArray<string>): string | undefined => {
  const short = tokens.find((token) => [...token].length < 2)
  if (short !== undefined) {
    return `special_tokens has ${show(short)}, which is ${short === "" ? "empty" : "one character, as a text has it"}. Choose one of several characters, such as "<|endoftext|>".`
  }
  const byte = tokens.find((token) => /^<0x[0-9A-F]{2}>$/.test(token))
  if (byte !== undefined) return `special_tokens has ${show(byte)}, which is how a byte is written. Choose another one.`
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
    return `pre_tokenizer has ${first} and ${second}, which split in different ways. Keep one; digits goes with either.`
  }
  return first === undefined || splitters.includes(first)
    ? undefined
    : `pre_tokenizer ${first} does not go with ${algorithm}: ${reasons[first]}. Choose one of ${splitters.join(", ")}.`
}

const pattern = "it keeps spaces in words as they are"
const reasons: { readonly [name in Splitter]: string } = {
  gpt2: pattern,
  gpt4: pattern,
  o200k: pattern,
  metaspace: "it writes spaces as ▁",
  whitespace: "it drops spaces, and nothing puts them back",
  bert: "it drops spaces, and nothing puts them back"
}

/** The splitter that the settings name, or the algorithm's own, and whether digits are words. */
export const splitting = (settings: Settings, own: Splitter) => {
  const names = listOf(settings.pre_tokenizer)
  return { splitter: names.find(isSplitter) ?? own, digits: names.includes("digits") }
}
