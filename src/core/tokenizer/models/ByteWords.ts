/**
 * Segmenting of characters put to work on bytes: the word is written in the byte alphabet, and places are translated back.
 */
import * as ByteAlphabet from "../ByteAlphabet.ts"
import type { Segment } from "./CachedModel.ts"
import { Segments } from "./Segments.ts"

export const segmentBytes = (segment: Segment): Segment => {
  const bytes = new Segments()
  return (text, start, end, output) => {
    bytes.clear(3 * (end - start))
    pushBytes(text, start, end, bytes)
    let written = ""
    for (let i = 0; i < bytes.length; i++) written += ByteAlphabet.byteToCharacter[bytes.ids[i]!]!
    const first = output.length
    segment(written, 0, written.length, output)
    for (let i = first; i < output.length; i++) {
      output.starts[i] = bytes.starts[output.starts[i]!]!
      output.ends[i] = bytes.ends[output.ends[i]! - 1]!
    }
  }
}

/** Appends the UTF-8 bytes of well-formed text, each with the place of its character. */
export const pushBytes = (text: string, start: number, end: number, output: Segments): void => {
  for (let i = start; i < end; i++) {
    const unit = text.charCodeAt(i)
    const from = i - start
    if (unit < 0x80) {
      output.push(unit, from, from + 1)
    } else if (unit < 0x800) {
      output.push(0xc0 | (unit >> 6), from, from + 1)
      output.push(0x80 | (unit & 0x3f), from, from + 1)
    } else if (unit < 0xd800 || unit > 0xdfff) {
      output.push(0xe0 | (unit >> 12), from, from + 1)
      output.push(0x80 | ((unit >> 6) & 0x3f), from, from + 1)
      output.push(0x80 | (unit & 0x3f), from, from + 1)
    } else {
      const code = text.codePointAt(i)!
      i++
      output.push(0xf0 | (code >> 18), from, from + 2)
      output.push(0x80 | ((code >> 12) & 0x3f), from, from + 2)
      output.push(0x80 | ((code >> 6) & 0x3f), from, from + 2)
      output.push(0x80 | (code & 0x3f), from, from + 2)
    }
  }
}

/** True when a vocabulary has all characters of the byte alphabet, so that it can write every text. */
export const holdsAll = (idOf: (token: string) => number | undefined): boolean =>
  ByteAlphabet.byteToCharacter.every((character) => idOf(character) !== undefined)

/** The ids of SentencePiece's 256 byte tokens `<0x00>` to `<0xFF>`, −1 for those that a vocabulary lacks. */
export const byteTokens = (idOf: (token: string) => number | undefined): Int32Array =>
  Int32Array.from({ length: 256 }, (_, byte) => idOf(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`) ?? -1)
