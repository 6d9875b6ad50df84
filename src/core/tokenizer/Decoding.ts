/**
 * From ids to text, at once and as they arrive.
 *
 * A byte-level decoder joins bytes, so it streams through a TextDecoder. Others look at the neighbours of a token: there a
 * few tokens before are decoded again with each new one, and what the new one adds is let out.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Tokenizer } from "../Tokenizer.ts"
import { UnknownToken } from "../Tokenizer.ts"
import * as Decoder from "./Decoder.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

export interface Parts {
  /** Written forms by id, added tokens included. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly specialIds: ReadonlySet<number>
  readonly decode: Decoder.Decode
  readonly spec: TokenizerJson.Decoder | null
}

type Decoding = Pick<Tokenizer.Service, "decode" | "decodeWithSpecialTokens" | "decodeStream" | "byteLength">

export const make = (parts: Parts): Decoding => {
  const { decode, specialIds, tokens } = parts
  /** The tokens of ids, without those that give no text. */
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
  /** Inside a text: a decoder may treat the first token in its own way. */
  const lengthOf = (token: string): number => {
    if (bytewise) return Decoder.bytesOf(token).length
    if (Decoder.byteOf(token) !== undefined && decode([token]) !== token) return 1
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
      Stream.map((token) => decoder.decode(Decoder.bytesOf(token), { stream: true })),
      Stream.concat(Stream.sync(() => decoder.decode())),
      Stream.filter((text) => text !== "")
    )
  })

/** Tokens that were let out but may change how the next one reads, then tokens that were not. */
interface Window {
  readonly shown: ReadonlyArray<string>
  readonly held: ReadonlyArray<string>
}

const nothing: Window = { shown: [], held: [] }

/** A token of one byte waits for the end of its run of bytes: only then is it known whether they are UTF-8. */
const streamTokens = <E, R>(tokens: Stream.Stream<string, E, R>, decode: Decoder.Decode): Stream.Stream<string, E, R> =>
  tokens.pipe(
    Stream.map((token): string | undefined => token),
    Stream.concat(Stream.succeed(undefined)),
    Stream.mapAccum(nothing, ({ held, shown }, token) => {
      const waiting = token === undefined ? held : [...held, token]
      if (waiting.length === 0) return [nothing, ""]
      if (token !== undefined && Decoder.byteOf(token) !== undefined) return [{ shown, held: waiting }, ""]
      const before = decode(shown)
      const text = decode([...shown, ...waiting])
      return text.length > before.length
        ? [{ shown: waiting, held: [] }, text.slice(before.length)]
        : [{ shown, held: waiting }, ""]
    }),
    Stream.filter((text) => text !== "")
  )
