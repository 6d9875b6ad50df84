/**
 * Where a word can be cut before its characters are merged, so that a whole text without pre-tokenizer becomes short pieces.
 *
 * Let x and y be neighbouring characters that are both tokens. A merge of tokens l and r joins x and y only if l's last
 * character is x and r's first one is y: every symbol on the way is such a character or was merged from symbols, so its
 * written form is what it stands for. If no merge has that form, x and y never come into one token. Then the merges to the
 * left are made in the same order whatever stands on the right, and the other way round: the best pair of each side is
 * chosen by rank and place among the pairs of that side, which nothing on the other side changes. So cutting between x and y
 * leaves all tokens as they are.
 *
 * Symbols whose written form is not what they stand for are the unknown token and byte tokens (`<0x0A>`). Nothing is cut
 * beside the unknown token. Byte tokens cannot be joined to anything when no merge names them, and characters that become
 * byte tokens can be cut on both sides then, provided that all 256 exist, so that no character is unknown.
 *
 * Pairs of characters are kept by their UTF-16 units in a bit set under a hash: a collision forbids a cut, which does no
 * harm. Beside surrogates nothing is cut.
 */
import type { Merges } from "./Merges.ts"

const BITS = 20
const UNCERTAIN = 0
const CHARACTER = 1
const BYTES = 2

export interface Rules {
  readonly merges: Merges
  readonly tokens: ReadonlyArray<string | undefined>
  /** Ids of the characters of the basic plane by code point, −1 for those that are no token. */
  readonly characters: Int32Array
  /** Ids of the 256 bytes, −1 for missing ones; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined
}

const hashOf = (left: number, right: number) => Math.imul((left << 16) | right, 0x9e3779b1) >>> (32 - BITS)

/** The end of the first piece of `text[start, end)`. */
export type Cut = (text: string, start: number, end: number) => number

export const make = ({ byteIds, characters, merges, tokens }: Rules): Cut => {
  const joined = new Uint8Array(1 << (BITS - 3))
  const bytes = new Set(byteIds?.every((id) => id >= 0) === true ? byteIds : [])
  let bytesStayAlone = bytes.size === 256
  for (let rank = 0; rank < merges.ids.length; rank++) {
    const left = tokens[merges.left[rank]!]!
    const right = tokens[merges.right[rank]!]!
    const hash = hashOf(left.charCodeAt(left.length - 1), right.charCodeAt(0))
    joined[hash >> 3]! |= 1 << (hash & 7)
    if (bytesStayAlone && (bytes.has(merges.left[rank]!) || bytes.has(merges.right[rank]!))) bytesStayAlone = false
  }
  const kinds = Uint8Array.from(characters, (id, unit) =>
    unit >= 0xd800 && unit < 0xe000 ? UNCERTAIN : id >= 0 ? CHARACTER : bytesStayAlone ? BYTES : UNCERTAIN
  )

  return (text, start, end) => {
    let left = text.charCodeAt(start)
    for (let at = start + 1; at < end; at++) {
      const right = text.charCodeAt(at)
      const kind = kinds[left]! * kinds[right]!
      if (kind !== UNCERTAIN) {
        if (kind !== CHARACTER) return at
        const hash = hashOf(left, right)
        if ((joined[hash >> 3]! & (1 << (hash & 7))) === 0) return at
      }
      left = right
    }
    return end
  }
}
