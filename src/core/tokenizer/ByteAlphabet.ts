/**
 * The byte-level alphabet of GPT-2: each of the 256 bytes written as one printable character.
 *
 * Bytes that Latin-1 prints stay what they are; the other 68 (controls, space, DEL, NBSP, soft hyphen) become U+0100 and
 * up, in order: space is Ġ, newline Ċ. So a vocabulary of byte strings can be written as JSON text.
 * Source: Radford et al. 2019, the function bytes_to_unicode of GPT-2's encoder.
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

/** The bytes in the order of their characters' code points: the order in which trained vocabularies number them. */
export const bytesByCharacter: ReadonlyArray<number> = Array.from({ length: 256 }, (_, byte) => byte).sort(
  (a, b) => byteToCharacter[a]!.charCodeAt(0) - byteToCharacter[b]!.charCodeAt(0)
)

/** The written form of bytes. */
export const write = (bytes: Iterable<number>): string => {
  let text = ""
  for (const byte of bytes) text += byteToCharacter[byte]
  return text
}

/** The bytes of a written form, or undefined when it has a character outside the alphabet. */
export const read = (text: string): Uint8Array | undefined => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const byte = characterToByte.get(text[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}
