/**
 * How tokens represent bytes: in the byte-level alphabet of GPT-2, and as the byte tokens of SentencePiece.
 *
 * The alphabet has a printable character for each of the 256 bytes, so that a vocabulary of byte strings can be written as JSON
 * text. Bytes that Latin-1 prints represent themselves; the other 68 (controls, space, DEL, NBSP, soft hyphen) become U+0100 and
 * up, in order: space is Ġ, newline is Ċ. Source: Radford et al. 2019, the function bytes_to_unicode of GPT-2's encoder.
 * A byte token is the byte in hexadecimal: `<0x0A>`.
 */

const isPrintable = (byte: number) =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

/** The character of each byte, by byte. */
export const byteToCharacter: ReadonlyArray<string> = (() => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
})()

/** The byte of each character of the alphabet. */
export const characterToByte: ReadonlyMap<string, number> = new Map(
  byteToCharacter.map((character, byte) => [character, byte])
)

/** The bytes in the order of their characters' code points, in which trained vocabularies number them. */
export const bytesByCharacter: ReadonlyArray<number> = Array.from({ length: 256 }, (_, byte) => byte).sort(
  (a, b) => byteToCharacter[a]!.charCodeAt(0) - byteToCharacter[b]!.charCodeAt(0)
)

/** The characters of bytes. */
export const write = (bytes: Iterable<number>): string => {
  let text = ""
  for (const byte of bytes) text += byteToCharacter[byte]
  return text
}

/** The bytes of a string of the alphabet, or undefined when it has another character. */
export const read = (text: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = characterToByte.get(text[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

/** Whether a vocabulary has all characters of the alphabet, so that it can represent every text. */
export const isComplete = (idOf: (token: string) => number | undefined): boolean =>
  byteToCharacter.every((character) => idOf(character) !== undefined)

/** SentencePiece's tokens `<0x00>` to `<0xFF>`, by byte. */
export const byteTokens: ReadonlyArray<string> = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
)

/** The byte of a token like `<0xE4>`, or undefined. */
export const byteOfToken = (token: string): number | undefined => {
  const [, hex] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? []
  return hex === undefined ? undefined : Number.parseInt(hex, 16)
}

/** The ids of the byte tokens by byte, −1 for those that a vocabulary lacks. */
export const byteTokenIds = (idOf: (token: string) => number | undefined): Int32Array =>
  Int32Array.from(byteTokens, (token) => idOf(token) ?? -1)
