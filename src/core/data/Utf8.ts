/**
 * Strict UTF-8 decoding: the text, or the offset of the first invalid byte.
 *
 * Source: the well-formed byte sequences of the Unicode Standard, table 3-7.
 */
import * as Either from "effect/Either"

/** The text of bytes, or the offset at which the first ill-formed sequence starts. */
export const decode = (bytes: Uint8Array): Either.Either<string, number> =>
  Either.mapLeft(
    Either.try(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)),
    () => firstInvalid(bytes)
  )

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80

/** The largest offset ≤ `limit` at which a character starts. */
export const boundaryBefore = (bytes: Uint8Array, limit: number): number => {
  let at = limit
  while (at > 0 && limit - at < 3 && isContinuation(bytes[at])) at--
  return at
}

/** Offset at which the first ill-formed sequence starts; the length when there is none. */
const firstInvalid = (bytes: Uint8Array): number => {
  let at = 0
  while (at < bytes.length) {
    const lead = bytes[at]!
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
    if (length === 0) return at
    // The range of the second byte excludes overlong forms, surrogates and values above U+10FFFF.
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    for (let i = 1; i < length; i++) {
      const byte = bytes[at + i]
      if (byte === undefined || byte < (i === 1 ? least : 0x80) || byte > (i === 1 ? most : 0xbf)) return at
    }
    at += length
  }
  return at
}
