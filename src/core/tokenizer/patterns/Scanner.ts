/**
 * Scanners for the patterns of the most common tokenizers: the same matches as the regular expression, several times as fast,
 * and in linear time for every text.
 *
 * A scanner returns the end of the match that starts at a place. Every character is in a match. What an expression finds by
 * backtracking is computed; the comments name the alternative of the pattern. Texts must be well-formed. The classes of a
 * character are the bits of one number, in a table of all code points that is filled block by block as characters occur.
 */
import { property } from "./CharacterSets.ts"
import type { Ranges } from "./Matches.ts"

/** GPT-2: English contractions, letters, numbers, other symbols, white space. Source: Radford et al. 2019. */
export const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const end = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const gpt4 = (digits: string) =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${end}`

/** GPT-4 (cl100k): contractions in any case, a symbol before a word, numbers of up to three digits. Source: tiktoken. */
export const cl100k = gpt4("\\p{N}{1,3}")
/** cl100k with numbers of one digit, as in Qwen. */
export const cl100kDigits = gpt4("\\p{N}")

const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
const before = "[^\\r\\n\\p{L}\\p{N}]?"

/** GPT-4o (o200k): words begin at a capital and include their contraction. Source: tiktoken. */
export const o200k =
  `${before}${upper}*${lower}+${contractions}?|${before}${upper}+${lower}*${contractions}?|` +
  `\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${end}`

/** The scanner of a pattern, by its exact text, or undefined. */
export const scannerOf = (pattern: string): Ranges | undefined => {
  const next = nextOf(pattern)
  return next === undefined
    ? undefined
    : (text, visit) => {
        for (let start = 0; start < text.length; ) {
          const stop = next(text, start)
          visit(start, stop)
          start = stop
        }
      }
}

type Next = (text: string, at: number) => number

const nextOf = (pattern: string): Next | undefined => {
  switch (pattern) {
    case gpt2:
      return gpt2Scanner(makeClasses())
    case cl100k:
      return cl100kScanner(makeClasses(), 3)
    case cl100kDigits:
      return cl100kScanner(makeClasses(), 1)
    case o200k:
      return o200kScanner(makeClasses())
    default:
      return undefined
  }
}

const APOSTROPHE = 0x27
const BLANK = 0x20
const SLASH = 0x2f

const widthAt = (text: string, at: number) => {
  const unit = text.charCodeAt(at)
  return unit >= 0xd800 && unit < 0xdc00 ? 2 : 1
}

/** Units of the contraction that starts with the apostrophe at `at`, or 0. */
const contraction = (text: string, at: number, anyCase: boolean): number => {
  const letter = (place: number) => {
    const unit = text.charCodeAt(place)
    return anyCase && unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit
  }
  switch (letter(at + 1)) {
    case 0x73: // s
    case 0x74: // t
    case 0x6d: // m
    case 0x64: // d
      return 2
    case 0x17f: // ſ, another case of s
      return anyCase ? 2 : 0
    case 0x72: // re
    case 0x76: // ve
      return letter(at + 2) === 0x65 ? 3 : 0
    case 0x6c: // ll
      return letter(at + 2) === 0x6c ? 3 : 0
    default:
      return 0
  }
}

/** ` ?[^\s\p{L}\p{N}]+`: the end of the run of symbols, or `at` when there is none. */
const symbols = (classes: Classes, text: string, at: number): number => {
  const start = text.charCodeAt(at) === BLANK ? at + 1 : at
  const stop = classes.run(text, start, OTHER)
  return stop === start ? at : stop
}

/** `\s+(?!\S)|\s+`: a run of white space, without its last character when a word follows. */
const blanks = (text: string, at: number, stop: number): number =>
  stop === text.length || stop === at + 1 ? stop : stop - 1

/** `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the last newline of the run, if it has one. */
const lines = (classes: Classes, text: string, at: number): number => {
  const stop = classes.run(text, at, SPACE)
  for (let last = stop - 1; last >= at; last--) {
    const unit = text.charCodeAt(last)
    if (unit === 0x0a || unit === 0x0d) return last + 1
  }
  return blanks(text, at, stop)
}

const numbers = (classes: Classes, text: string, at: number, most: number): number => {
  let stop = at
  for (let count = 0; count < most && stop < text.length && (classes.at(text, stop) & NUMBER) !== 0; count++) {
    stop += widthAt(text, stop)
  }
  return stop
}

const gpt2Scanner =
  (classes: Classes): Next =>
  (text, at) => {
    const unit = text.charCodeAt(at)
    if (unit === APOSTROPHE) {
      const short = contraction(text, at, false)
      if (short > 0) return at + short
    }
    const start = unit === BLANK && at + 1 < text.length ? at + 1 : at
    const kind = classes.at(text, start) & (LETTER | NUMBER | OTHER)
    if (kind !== 0) return classes.run(text, start, kind)
    return blanks(text, at, classes.run(text, at, SPACE))
  }

const cl100kScanner =
  (classes: Classes, digits: number): Next =>
  (text, at) => {
    if (text.charCodeAt(at) === APOSTROPHE) {
      const short = contraction(text, at, true)
      if (short > 0) return at + short
    }
    const kind = classes.at(text, at)
    if ((kind & LETTER) !== 0) return classes.run(text, at, LETTER)
    if ((kind & NUMBER) !== 0) return numbers(classes, text, at, digits)
    if ((kind & NEWLINE) === 0) {
      const after = at + widthAt(text, at)
      const stop = classes.run(text, after, LETTER)
      if (stop > after) return stop
    }
    const stop = symbols(classes, text, at)
    return stop > at ? classes.run(text, stop, NEWLINE) : lines(classes, text, at)
  }

const o200kScanner = (classes: Classes): Next => {
  /** `[U]*[W]+` from `at`: its end, or −1. */
  const capitalized = (text: string, at: number): number => {
    const capitals = classes.run(text, at, UPPER)
    const stop = classes.run(text, capitals, LOWER)
    if (stop > capitals) return stop
    // U* gives characters back until the last one is in W too.
    for (let last = capitals; last > at; ) {
      const width = text.charCodeAt(last - 1) >= 0xdc00 && text.charCodeAt(last - 1) < 0xe000 ? 2 : 1
      if ((classes.at(text, last - width) & LOWER) !== 0) return last
      last -= width
    }
    return -1
  }
  /** `[U]+[W]*` where the form above does not match: capitals only. */
  const capitals = (text: string, at: number): number => {
    const stop = classes.run(text, at, UPPER)
    return stop > at ? stop : -1
  }
  const wordFrom = (text: string, at: number, kind: number): number => {
    const after = (kind & (LETTER | NUMBER | NEWLINE)) === 0 ? at + widthAt(text, at) : -1
    if (after >= 0) {
      const stop = capitalized(text, after)
      if (stop >= 0) return stop
    }
    const stop = (kind & (UPPER | LOWER)) === 0 ? -1 : capitalized(text, at)
    if (stop >= 0) return stop
    if (after >= 0) {
      const alone = capitals(text, after)
      if (alone >= 0) return alone
    }
    return (kind & UPPER) === 0 ? -1 : capitals(text, at)
  }
  return (text, at) => {
    const kind = classes.at(text, at)
    const word = wordFrom(text, at, kind)
    if (word >= 0) return text.charCodeAt(word) === APOSTROPHE ? word + contraction(text, word, true) : word
    if ((kind & NUMBER) !== 0) return numbers(classes, text, at, 3)
    let stop = symbols(classes, text, at)
    if (stop === at) return lines(classes, text, at)
    while ((stop < text.length && text.charCodeAt(stop) === SLASH) || isNewline(text.charCodeAt(stop))) stop++
    return stop
  }
}

const isNewline = (unit: number) => unit === 0x0a || unit === 0x0d

const LETTER = 1
const NUMBER = 2
const SPACE = 4
/** `\r` and `\n`, which are SPACE too. */
const NEWLINE = 8
/** Neither letter nor number nor space: symbols, marks, controls. */
const OTHER = 16
/** `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: how a capitalized word begins. */
const UPPER = 32
/** `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: how it continues. */
const LOWER = 64

const BLOCK = 256

interface Classes {
  /** The classes of the character at a unit of a well-formed text. */
  readonly at: (text: string, at: number) => number
  /** The end of the run of characters with any of these classes that starts at `at`. */
  readonly run: (text: string, at: number, classes: number) => number
}

const makeClasses = (): Classes => {
  const table = new Uint8Array(0x110000)
  const classify = makeClassify()

  const fill = (code: number): number => {
    const first = code - (code % BLOCK)
    for (let i = first; i < first + BLOCK; i++) table[i] = classify(i)
    return table[code]!
  }

  const at = (text: string, place: number): number => {
    const unit = text.charCodeAt(place)
    const code = unit >= 0xd800 && unit < 0xdc00 ? text.codePointAt(place)! : unit
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

/** Gives the classes of a code point, from the sets that patterns are translated with. */
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
