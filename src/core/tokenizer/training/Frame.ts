/**
 * The parts of a trained tokenizer.json that the settings decide: normalizer, pre-tokenizer, decoder, special tokens.
 *
 * Words are counted with the same normalizer and pre-tokenizer that the file names, so encoding agrees with training.
 */
import { clsAndSep, specialToken } from "../Definition.ts"
import { cl100k, gpt2, o200k } from "../preTokenizers/Scanner.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import { listOf, type NormalizerName, type Settings, type Splitter, splitting } from "./Settings.ts"

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

export const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true } as const

const digit = { type: "Digits", individual_digits: true } as const

const patterns = { gpt2, gpt4: cl100k, o200k } as const

const split = (regex: string) =>
  ({ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false }) as const

/** How text becomes words; with `bytes`, words of bytes. */
export const preTokenizer = (
  settings: Settings,
  own: Splitter,
  { bytes }: { readonly bytes: boolean }
): TokenizerJson.PreTokenizer => {
  const { digits, splitter } = splitting(settings, own)
  const digitsToo = digits ? [digit] : []
  switch (splitter) {
    case "gpt2":
    case "gpt4":
    case "o200k": {
      const splits = [...digitsToo, split(patterns[splitter])]
      if (!bytes) return sequence(splits)
      return splitter === "gpt2"
        ? sequence([...digitsToo, byteLevel])
        : sequence([...splits, { ...byteLevel, use_regex: false }])
    }
    // A word never goes on over the end of a line. Digits come later, or each would get a ▁ of its own.
    case "metaspace":
      return sequence([
        { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
        split("[\\r\\n]+"),
        ...digitsToo
      ])
    case "whitespace":
      return sequence([{ type: "Whitespace" }, ...digitsToo])
    case "bert":
      return sequence([{ type: "BertPreTokenizer" }, ...digitsToo])
  }
}

const sequence = (pretokenizers: ReadonlyArray<TokenizerJson.PreTokenizer>): TokenizerJson.PreTokenizer => {
  const [only] = pretokenizers
  return only !== undefined && pretokenizers.length === 1 ? only : { type: "Sequence", pretokenizers }
}

/** How tokens of characters become text; `bytes` when some are written as bytes. Null puts spaces between them. */
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

/** Special tokens as a file lists them, with ids from `first` on. */
export const addedTokens = (
  tokens: ReadonlyArray<string>,
  first: number
): TokenizerJson.TokenizerJson["added_tokens"] => tokens.map((content, i) => specialToken(first + i, content))

/** Special tokens with the unknown one among them. */
export const withUnknown = (tokens: ReadonlyArray<string>, unknown: string): ReadonlyArray<string> =>
  tokens.includes(unknown) ? tokens : [unknown, ...tokens]

/** `[CLS] text [SEP]`, when there are such tokens. */
export const template = (special: ReadonlyArray<string>): TokenizerJson.PostProcessor | null => {
  const [cls, sep] = ["[CLS]", "[SEP]"]
  if (!special.includes(cls) || !special.includes(sep)) return null
  return clsAndSep([cls, special.indexOf(cls)], [sep, special.indexOf(sep)])
}

/** A vocabulary of tokens in the order of their ids. */
export const vocabulary = (tokens: ReadonlyArray<string>): { readonly [token: string]: number } =>
  Object.fromEntries(tokens.map((token, id) => [token, id]))
