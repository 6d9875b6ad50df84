/**
 * The encodings that tiktoken knows by name: how each splits text into words, and its special tokens.
 *
 * The rank files hold neither. Source: tiktoken, tiktoken_ext/openai_public.py; where the patterns there have possessive
 * quantifiers, which are faster and match the same text, these have plain ones.
 */

export interface Encoding {
  /** Undefined: that of GPT-2, which a byte-level pre-tokenizer has built in. */
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

/** The tokens of the harmony chat format; every other id of its range is reserved. */
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

export const names = [
  "gpt2",
  "r50k_base",
  "p50k_base",
  "p50k_edit",
  "cl100k_base",
  "o200k_base",
  "o200k_harmony"
] as const

export const get = (name: (typeof names)[number]): Encoding => {
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
