/**
 * The `decoder` of a tokenizer.json: tokens in written form become text.
 *
 * Each step takes the list of tokens and gives a list of strings; at the end they are joined. Without a decoder tokens are
 * joined by spaces. Bytes that are no UTF-8 become U+FFFD.
 * Source: the decoders of Hugging Face's tokenizers 0.23.
 */
import * as Either from "effect/Either"
import * as ByteAlphabet from "./ByteAlphabet.ts"
import * as Pattern from "./Pattern.ts"
import type { Problem } from "./Problem.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

type Step = (tokens: ReadonlyArray<string>) => ReadonlyArray<string>

export type Decode = (tokens: ReadonlyArray<string>) => string

export const make = (spec: TokenizerJson.Decoder | null): Either.Either<Decode, Problem> =>
  spec === null
    ? Either.right((tokens) => tokens.join(" "))
    : Either.map(step(spec, "decoder"), (run) => (tokens) => run(tokens).join(""))

const step = (spec: TokenizerJson.Decoder, key: string): Either.Either<Step, Problem> => {
  switch (spec.type) {
    case "ByteLevel":
      return Either.right(byteLevel)
    case "BPEDecoder":
      return Either.right((tokens) =>
        tokens.map((token, i) => token.replaceAll(spec.suffix, i === tokens.length - 1 ? "" : " "))
      )
    case "WordPiece":
      return Either.right((tokens) =>
        tokens.map((token, i) => {
          const text = i === 0 ? token : token.startsWith(spec.prefix) ? token.slice(spec.prefix.length) : ` ${token}`
          return spec.cleanup ? cleanUp(text) : text
        })
      )
    case "Metaspace": {
      const prepends =
        spec.prepend_scheme === undefined ? spec.add_prefix_space !== false : spec.prepend_scheme !== "never"
      return Either.right((tokens) =>
        tokens.map((token, i) => token.replaceAll(spec.replacement, i === 0 && prepends ? "" : " "))
      )
    }
    case "CTC":
      return Either.right((tokens) =>
        tokens
          .filter((token, i) => token !== tokens[i - 1])
          .map((token) => token.replaceAll(spec.pad_token, ""))
          .map((token) => (spec.cleanup ? cleanUp(token).replaceAll(spec.word_delimiter_token, " ") : token))
          .filter((token) => token !== "")
      )
    case "Fuse":
      return Either.right((tokens) => [tokens.join("")])
    case "ByteFallback":
      return Either.right(byteFallback)
    case "Strip":
      return Either.right((tokens) => tokens.map((token) => strip(token, spec.content, spec.start, spec.stop)))
    case "Replace":
      return Either.mapBoth(Pattern.compile(spec.pattern), {
        onLeft: (details) => ({ key: `${key}.pattern`, details }),
        onRight: (pattern) => (tokens) => tokens.map((token) => token.replace(pattern, () => spec.content))
      })
    case "Sequence":
      return Either.map(
        Either.all(spec.decoders.map((part, i) => step(part, `${key}.decoders[${i}]`))),
        (steps) => (tokens) => steps.reduce((text, run) => run(text), tokens)
      )
  }
}

/** The bytes of a token: of its characters in the byte-level alphabet, or of its UTF-8 when it is not written in it. */
export const bytesOf = (token: string): Uint8Array => ByteAlphabet.read(token) ?? new TextEncoder().encode(token)

const byteLevel: Step = (tokens) => {
  const parts = tokens.map(bytesOf)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return [new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)]
}

/** The byte of a token like `<0xE4>`, or undefined. */
export const byteOf = (token: string): number | undefined => {
  const [, hex] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? []
  return hex === undefined ? undefined : Number.parseInt(hex, 16)
}

/** A run of bytes is a text when all of it is UTF-8; else each byte is a U+FFFD. */
const byteFallback: Step = (tokens) => {
  const texts: Array<string> = []
  let run: Array<number> = []
  const flush = () => {
    if (run.length === 0) return
    const text = Either.try(() =>
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(run))
    )
    texts.push(Either.getOrElse(text, () => "\uFFFD".repeat(run.length)))
    run = []
  }
  for (const token of tokens) {
    const byte = byteOf(token)
    if (byte === undefined) {
      flush()
      texts.push(token)
    } else run.push(byte)
  }
  flush()
  return texts
}

const strip = (token: string, content: string, start: number, stop: number): string => {
  const characters = Array.from(token)
  let from = 0
  while (from < start && characters[from] === content) from++
  let to = characters.length
  while (to > from && characters.length - to < stop && characters[to - 1] === content) to--
  return characters.slice(from, to).join("")
}

/** English tokens that belong to the word before them. */
const cleanUp = (text: string): string =>
  text
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re")
