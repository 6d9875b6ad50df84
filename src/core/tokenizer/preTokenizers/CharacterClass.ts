/**
 * Which of the classes that patterns ask about a character is in, as bits of one number.
 *
 * A table of all code points is filled as they come up, a block at a time.
 */
import { property } from "../patterns/CharacterSet.ts"

export const LETTER = 1
export const NUMBER = 2
export const SPACE = 4
/** `\r` and `\n`, which are SPACE too. */
export const NEWLINE = 8
/** Neither letter nor number nor space: signs, marks, controls. */
export const OTHER = 16
/** `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: what a capitalised word begins with. */
export const UPPER = 32
/** `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: what it goes on with. */
export const LOWER = 64

const BLOCK = 256

export interface Classes {
  /** Of the character that starts at a unit of a well-formed text. */
  readonly at: (text: string, at: number) => number
  /** Where the run of characters of any of these classes that starts at `at` ends. */
  readonly run: (text: string, at: number, classes: number) => number
}

export const make = (): Classes => {
  const table = new Uint8Array(0x110000)
  const classify = makeClassify()

  const fill = (code: number): number => {
    const first = code - (code % BLOCK)
    for (let i = first; i < first + BLOCK; i++) table[i] = classify(i)
    return table[code]!
  }

  const at = (text: string, place: number): number => {
    const unit = text.charCodeAt(place)
    const code = unit >= 0xd800 && unit < 0xdc00 ? (text.codePointAt(place) ?? unit) : unit
    return table[code]! || fill(code)
  }

  const run = (text: string, start: number, classes: number): number => {
    let place = start
    while (place < text.length) {
      const unit = text.charCodeAt(place)
      if (unit >= 0xd800 && unit < 0xdc00) {
        if ((at(text, place) & classes) === 0) break
        place += 2
      } else {
        if (((table[unit]! || fill(unit)) & classes) === 0) break
        place++
      }
    }
    return place
  }

  return { at, run }
}

/** The class of a character by its code point, by the sets that patterns are translated with. */
const makeClassify = (): ((code: number) => number) => {
  const has = (name: string) => {
    const set = new RegExp(property(name, false) ?? "", "v")
    return (character: string) => set.test(character)
  }
  const [letter, number, space, mark] = [has("L"), has("N"), has("White_Space"), has("M")]
  const [small, capital, title] = [has("Ll"), has("Lu"), has("Lt")]
  return (code) => {
    const character = String.fromCodePoint(code)
    if (letter(character)) {
      const upper = small(character) ? 0 : UPPER
      const lower = capital(character) || title(character) ? 0 : LOWER
      return LETTER | upper | lower
    }
    if (number(character)) return NUMBER
    if (space(character)) return SPACE | (character === "\r" || character === "\n" ? NEWLINE : 0)
    return OTHER | (mark(character) ? UPPER | LOWER : 0)
  }
}
