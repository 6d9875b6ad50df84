/**
 * Words as sequences of symbols, which training starts from: their bytes, or their characters from an alphabet.
 *
 * A character that is not in the alphabet ends a sequence, so that no token contains it.
 */
import * as ByteAlphabet from "../ByteAlphabet.ts"
import type { WordCounts } from "./WordCounts.ts"

/** Sequence i is `ids[starts[i], starts[i + 1])`, seen `counts[i]` times. */
export interface Sequences {
  readonly ids: Int32Array
  readonly starts: Int32Array
  readonly counts: Float64Array
}

/** The bytes of the words. Ids are in the order of the characters that represent the bytes (ByteAlphabet). */
export const ofBytes = ({ counts, starts, units }: WordCounts): Sequences => {
  const idOf = new Int32Array(256)
  ByteAlphabet.bytesByCharacter.forEach((byte, id) => {
    idOf[byte] = id
  })
  let total = 0
  for (const unit of units) total += unit < 0x80 ? 1 : unit < 0x800 || isSurrogate(unit) ? 2 : 3
  const ids = new Int32Array(total)
  const firsts = new Int32Array(counts.length + 1)
  let at = 0
  for (let word = 0; word < counts.length; word++) {
    const end = starts[word + 1]!
    for (let i = starts[word]!; i < end; i++) {
      const character = codePointAt(units, i)
      if (character > 0xffff) i++
      if (character < 0x80) ids[at++] = idOf[character]!
      else {
        if (character < 0x800) ids[at++] = idOf[0xc0 | (character >> 6)]!
        else {
          if (character < 0x10000) ids[at++] = idOf[0xe0 | (character >> 12)]!
          else {
            ids[at++] = idOf[0xf0 | (character >> 18)]!
            ids[at++] = idOf[0x80 | ((character >> 12) & 0x3f)]!
          }
          ids[at++] = idOf[0x80 | ((character >> 6) & 0x3f)]!
        }
        ids[at++] = idOf[0x80 | (character & 0x3f)]!
      }
    }
    firsts[word + 1] = at
  }
  return { ids, starts: firsts, counts }
}

export interface Alphabet {
  /** In the order of code points. */
  readonly characters: ReadonlyArray<string>
  readonly counts: ReadonlyArray<number>
}

/** The characters of the words; at most `limit` of them, the most frequent first, among equal counts the lowest code points. */
export const alphabet = ({ counts, starts, units }: WordCounts, limit = Number.POSITIVE_INFINITY): Alphabet => {
  const seen = new Map<number, number>()
  for (let word = 0; word < counts.length; word++) {
    const end = starts[word + 1]!
    for (let i = starts[word]!; i < end; i++) {
      const character = codePointAt(units, i)
      if (character > 0xffff) i++
      seen.set(character, (seen.get(character) ?? 0) + counts[word]!)
    }
  }
  const chosen = [...seen].sort(([a, m], [b, n]) => n - m || a - b).slice(0, limit)
  chosen.sort(([a], [b]) => a - b)
  return {
    characters: chosen.map(([character]) => String.fromCodePoint(character)),
    counts: chosen.map(([, count]) => count)
  }
}

/** The characters of the words. Character i of the alphabet has the id i at the beginning of a word, and `inside(i)` elsewhere. */
export const ofCharacters = (
  { counts, starts, units }: WordCounts,
  { characters }: Alphabet,
  inside: (id: number) => number = (id) => id
): Sequences => {
  const idOf = new Map(characters.map((character, id) => [character.codePointAt(0), id]))
  const ids = new Int32Array(units.length)
  const firsts = [0]
  const times: Array<number> = []
  let at = 0
  const finish = (count: number) => {
    if (at === firsts.at(-1)) return
    firsts.push(at)
    times.push(count)
  }
  for (let word = 0; word < counts.length; word++) {
    const start = starts[word]!
    const end = starts[word + 1]!
    for (let i = start; i < end; i++) {
      const first = i === start
      const character = codePointAt(units, i)
      if (character > 0xffff) i++
      const id = idOf.get(character)
      if (id === undefined) finish(counts[word]!)
      else ids[at++] = first ? id : inside(id)
    }
    finish(counts[word]!)
  }
  return { ids: ids.subarray(0, at), starts: Int32Array.from(firsts), counts: Float64Array.from(times) }
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xe000

const codePointAt = (units: Uint16Array, i: number): number => {
  const unit = units[i]!
  return unit >= 0xd800 && unit < 0xdc00 ? 0x10000 + ((unit & 0x3ff) << 10) + (units[i + 1]! & 0x3ff) : unit
}
