/**
 * The `decoder` of a tokenizer.json: ids become text, at once or as they arrive.
 *
 * Each step of a decoder takes the list of tokens and gives a list of strings, which are joined at the end. Without a decoder
 * tokens are joined by spaces. Bytes that are not UTF-8 become U+FFFD. A byte-level decoder joins bytes, so it streams through a
 * TextDecoder. Others look at adjacent tokens: a few tokens before each new one are decoded again with it, and what the new token
 * adds is emitted. Source: the decoders of Hugging Face's tokenizers 0.23.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { type Tokenizer, UnknownToken } from "../Tokenizer.ts"
import * as ByteAlphabet from "./ByteAlphabet.ts"
import * as Pattern from "./patterns/Pattern.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

type Step = (tokens: ReadonlyArray<string>) => ReadonlyArray<string>

/** Joins tokens in written form to text. */
export type Decode = (tokens: ReadonlyArray<string>) => string

/** The function of a decoder. */
export const make = (spec: TokenizerJson.Decoder | null): Either.Either<Decode, TokenizerJson.InvalidComponent> =>
  spec === null
    ? Either.right((tokens) => tokens.join(" "))
    : Either.map(step(spec, "decoder"), (run) => (tokens) => run(tokens).join(""))

const step = (spec: TokenizerJson.Decoder, key: string): Either.Either<Step, TokenizerJson.InvalidComponent> => {
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

/** The bytes of a token that is written in the byte-level alphabet, or the UTF-8 of another token. */
const bytesOf = (token: string): Uint8Array => ByteAlphabet.read(token) ?? new TextEncoder().encode(token)

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

/** A run of bytes becomes text when all of it is UTF-8; otherwise each byte becomes U+FFFD. */
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
    const byte = ByteAlphabet.byteOfToken(token)
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

/** Removes the space before English tokens that belong to the word before them. */
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

/** What the methods of a tokenizer that decode are made of. */
export interface DecoderParts {
  /** Written forms by id, including added tokens. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly specialIds: ReadonlySet<number>
  readonly decode: Decode
  readonly spec: TokenizerJson.Decoder | null
}

type DecodeMethods = Pick<Tokenizer.Service, "decode" | "decodeWithSpecialTokens" | "decodeStream" | "byteLength">

/** The methods of a tokenizer that decode. */
export const methods = (parts: DecoderParts): DecodeMethods => {
  const { decode, specialIds, tokens } = parts
  /** The tokens of ids; special tokens only if `special`. */
  const written = (ids: Iterable<number>, special: boolean): Effect.Effect<ReadonlyArray<string>, UnknownToken> =>
    Effect.suspend(() => {
      const found: Array<string> = []
      for (const id of ids) {
        const token = tokens[id]
        if (token === undefined) return Effect.fail(new UnknownToken({ id, vocabularySize: tokens.length }))
        if (special || !specialIds.has(id)) found.push(token)
      }
      return Effect.succeed(found)
    })
  const bytewise = parts.spec?.type === "ByteLevel"
  /** The length inside a text, because a decoder may treat the first token differently. */
  const lengthOf = (token: string): number => {
    if (bytewise) return bytesOf(token).length
    if (ByteAlphabet.byteOfToken(token) !== undefined && decode([token]) !== token) return 1
    const utf8 = new TextEncoder()
    return utf8.encode(decode(["a", token])).length - utf8.encode(decode(["a"])).length
  }
  return {
    decode: (ids) => Effect.map(written(ids, false), decode),
    decodeWithSpecialTokens: (ids) => Effect.map(written(ids, true), decode),
    byteLength: (id) => Effect.map(written([id], false), ([token]) => (token === undefined ? 0 : lengthOf(token))),
    decodeStream: (ids) => {
      const texts = Stream.mapEffect(ids, (id) => written([id], false)).pipe(Stream.flattenIterables)
      return bytewise ? streamBytes(texts) : streamTokens(texts, decode)
    }
  }
}

const streamBytes = <E, R>(tokens: Stream.Stream<string, E, R>): Stream.Stream<string, E, R> =>
  Stream.suspend(() => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
    return tokens.pipe(
      Stream.map((token) => decoder.decode(bytesOf(token), { stream: true })),
      Stream.concat(Stream.sync(() => decoder.decode())),
      Stream.filter((text) => text !== "")
    )
  })

/** Tokens that were emitted but may change how the next one decodes, then tokens that were not emitted. */
interface Window {
  readonly shown: ReadonlyArray<string>
  readonly held: ReadonlyArray<string>
}

const nothing: Window = { shown: [], held: [] }

/** A token of one byte is held until its run of bytes ends, because only then it is known whether they are UTF-8. */
const streamTokens = <E, R>(tokens: Stream.Stream<string, E, R>, decode: Decode): Stream.Stream<string, E, R> =>
  tokens.pipe(
    Stream.map((token): string | undefined => token),
    Stream.concat(Stream.succeed(undefined)),
    Stream.mapAccum(nothing, ({ held, shown }, token) => {
      const waiting = token === undefined ? held : [...held, token]
      if (waiting.length === 0) return [nothing, ""]
      if (token !== undefined && ByteAlphabet.byteOfToken(token) !== undefined) return [{ shown, held: waiting }, ""]
      const before = decode(shown)
      const text = decode([...shown, ...waiting])
      return text.length > before.length
        ? [{ shown: waiting, held: [] }, text.slice(before.length)]
        : [{ shown, held: waiting }, ""]
    }),
    Stream.filter((text) => text !== "")
  )
