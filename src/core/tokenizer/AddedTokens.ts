/**
 * Finds added tokens in a text: the leftmost first, and among those that start at one place the longest.
 *
 * Source: AddedVocabulary of Hugging Face's tokenizers, with its order of steps: a match that is refused (a special token that is
 * ordinary text, a part of a word) is skipped as a whole.
 */
import type { AddedToken } from "./TokenizerJson.ts"

/** The units [start, end) of a text: an added token, or ordinary text if `token` is undefined. */
export interface Segment {
  readonly token: AddedToken | undefined
  readonly start: number
  readonly end: number
}

export interface AddedTokens {
  /** Whether `split` never finds a token. */
  readonly none: (splitSpecialTokens: boolean) => boolean
  /** The segments of a text in order, none of them empty. With `splitSpecialTokens`, special tokens are ordinary text. */
  readonly split: (text: string, splitSpecialTokens: boolean) => ReadonlyArray<Segment>
}

/** A token with the text that matches it, which a normalizer may have changed. */
export type Spelling = readonly [text: string, token: AddedToken]

interface Node {
  readonly next: Map<number, Node>
  token: AddedToken | undefined
}

const node = (): Node => ({ next: new Map(), token: undefined })

const isWord = (character: string | undefined) => character !== undefined && /[\p{L}\p{M}\p{N}_]/u.test(character)
const isSpace = (text: string, at: number) => /\p{White_Space}/u.test(text.charAt(at))

/** The character before `at`. */
const before = (text: string, at: number) => Array.from(text.slice(Math.max(0, at - 2), at)).at(-1)
const after = (text: string, at: number) => Array.from(text.slice(at, at + 2))[0]

export const make = (spellings: ReadonlyArray<Spelling>): AddedTokens => {
  const root = node()
  const starts = new Uint8Array(0x10000)
  for (const [text, token] of spellings) {
    if (text === "") continue
    starts[text.charCodeAt(0)] = 1
    let at = root
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      const next = at.next.get(unit) ?? node()
      at.next.set(unit, next)
      at = next
    }
    at.token ??= token
  }
  const ordinary = spellings.every(([, token]) => token.special)

  return {
    none: (splitSpecialTokens) => spellings.length === 0 || (splitSpecialTokens && ordinary),
    split: (text, splitSpecialTokens) => {
      const segments: Array<Segment> = []
      let done = 0
      let at = 0
      while (at < text.length) {
        if (starts[text.charCodeAt(at)] === 0) {
          at++
          continue
        }
        let found: AddedToken | undefined
        let end = at
        let place = root.next.get(text.charCodeAt(at))
        for (let i = at + 1; place !== undefined; i++) {
          if (place.token !== undefined) {
            found = place.token
            end = i
          }
          place = i < text.length ? place.next.get(text.charCodeAt(i)) : undefined
        }
        if (found === undefined) {
          at++
          continue
        }
        let start = at
        at = end
        if (splitSpecialTokens && found.special) continue
        if (found.single_word && (isWord(before(text, start)) || isWord(after(text, end)))) continue
        if (found.lstrip) while (start > done && isSpace(text, start - 1)) start--
        if (found.rstrip) while (end < text.length && isSpace(text, end)) end++
        if (start > done) segments.push({ token: undefined, start: done, end: start })
        segments.push({ token: found, start, end })
        done = end
        at = Math.max(at, end)
      }
      if (done < text.length) segments.push({ token: undefined, start: done, end: text.length })
      return segments
    }
  }
}
