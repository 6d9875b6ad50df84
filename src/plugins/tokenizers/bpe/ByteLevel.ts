/**
 * The tokenizer service of a byte-level vocabulary: ids stand for byte strings, special tokens for nothing.
 *
 * Decoding joins the bytes of all ids before it reads them as UTF-8, so characters may be split over tokens anywhere; bytes
 * that are no UTF-8 become U+FFFD by the rule of the WHATWG decoder.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Tokenizer, UnknownToken } from "../../../core/Tokenizer.ts"
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import * as Encoder from "./Encoder.ts"
import * as TokenizerJson from "./TokenizerJson.ts"
import type { Vocabulary } from "./Vocabulary.ts"

/** Special tokens that end a text, in the order in which a vocabulary is searched for them. */
const endsOfText = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>"]

export const makeTokenizer = (
  vocabulary: Vocabulary,
  overrides: Partial<Pick<Tokenizer.Primitives, "encode">> = {}
): Tokenizer.Service => {
  const { merges, specialTokens, tokens } = vocabulary
  const special = new Map(Object.entries(specialTokens).map(([token, id]) => [id, token]))
  const vocabularySize = Math.max(tokens.length, ...Array.from(special.keys(), (id) => id + 1))
  const nothing = new Uint8Array(0)
  // Undefined for an id that the vocabulary leaves out.
  const bytesOf = Array.from({ length: vocabularySize }, (_, id) => {
    const token = tokens[id]
    return special.has(id) ? nothing : token === undefined ? undefined : ByteAlphabet.read(token)
  })
  const byteIds = new Int32Array(256)
  tokens.forEach((token, id) => {
    const byte = token === undefined ? undefined : ByteAlphabet.characterToByte.get(token)
    if (byte !== undefined) byteIds[byte] = id
  })
  const endOfText = endsOfText.find((token) => Object.hasOwn(specialTokens, token))
  const unknown = (id: number) => new UnknownToken({ id, vocabularySize })

  return Tokenizer.make({
    vocabularySize,
    byteLevel: true,
    specialTokens,
    endOfText: endOfText === undefined ? undefined : specialTokens[endOfText],
    encode: Encoder.make({ byteIds, merges }),
    decode: (ids) =>
      Effect.suspend(() => {
        const parts: Array<Uint8Array> = []
        let length = 0
        for (const id of ids) {
          const bytes = bytesOf[id]
          if (bytes === undefined) return Effect.fail(unknown(id))
          parts.push(bytes)
          length += bytes.length
        }
        const joined = new Uint8Array(length)
        let at = 0
        for (const bytes of parts) {
          joined.set(bytes, at)
          at += bytes.length
        }
        return Effect.succeed(new TextDecoder("utf-8", { ignoreBOM: true }).decode(joined))
      }),
    decodeStream: (ids) =>
      Stream.suspend(() => {
        const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
        return ids.pipe(
          Stream.mapEffect((id) => {
            const bytes = bytesOf[id]
            return bytes === undefined
              ? Effect.fail(unknown(id))
              : Effect.sync(() => decoder.decode(bytes, { stream: true }))
          }),
          Stream.concat(Stream.sync(() => decoder.decode())),
          Stream.filter((text) => text !== "")
        )
      }),
    token: (id) => special.get(id) ?? tokens[id],
    files: { [TokenizerJson.fileName]: TokenizerJson.render(vocabulary) },
    ...overrides
  })
}
