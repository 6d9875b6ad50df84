/**
 * From the matches of a pattern to pieces of a text: what becomes of each match is the behavior.
 *
 * Source: NormalizedString::split of Hugging Face's tokenizers.
 */
import type { SplitBehavior } from "../TokenizerJson.ts"

/** Calls `visit` with ranges of a text, in order. */
export type Ranges = (text: string, visit: (start: number, end: number) => void) => void

/** Matches of a global expression. */
export const matchesOf = (pattern: RegExp): Ranges => {
  const run: Ranges = (text, visit) => {
    // Kept here: an expression that is used inside `visit` again would move `lastIndex`.
    let at = 0
    for (;;) {
      pattern.lastIndex = at
      const match = pattern.exec(text)
      if (match === null) return
      const end = match.index + match[0].length
      visit(match.index, end)
      at = end > match.index ? end : end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1)
      if (at > text.length) return
    }
  }
  return (text, visit) => {
    if (text.length <= LONGEST) return run(text, visit)
    // The engine's stack overflows on runs of millions of characters; a text this long is matched in parts, cut where
    // white space follows something else.
    for (let start = 0; start < text.length; ) {
      const end = cutAfter(text, start + LONGEST)
      run(text.slice(start, end), (from, to) => visit(start + from, start + to))
      start = end
    }
  }
}

const LONGEST = 1 << 20

const cutAfter = (text: string, at: number): number => {
  if (at >= text.length) return text.length
  const boundary = /\P{White_Space}\p{White_Space}/gu
  boundary.lastIndex = at
  const found = boundary.exec(text)
  if (found !== null && found.index < at + LONGEST) return found.index + found[0].length - 1
  return /[\uDC00-\uDFFF]/.test(text.charAt(at)) ? at + 1 : at
}

/** The pieces that a behavior makes of matches, in order, without empty ones. With `invert`, what lies between matches. */
export const split = (matches: Ranges, behavior: SplitBehavior, invert: boolean): Ranges => {
  const parts = (text: string, visit: (start: number, end: number, matched: boolean) => void) => {
    let done = 0
    matches(text, (start, end) => {
      if (start > done) visit(done, start, invert)
      visit(start, end, !invert)
      done = end
    })
    if (done < text.length) visit(done, text.length, invert)
  }
  switch (behavior) {
    case "Isolated":
      return (text, visit) =>
        parts(text, (start, end) => {
          if (end > start) visit(start, end)
        })
    case "Removed":
      return (text, visit) =>
        parts(text, (start, end, matched) => {
          if (!matched && end > start) visit(start, end)
        })
    case "Contiguous":
      return joining(parts, (matched, before) => matched === before)
    case "MergedWithPrevious":
      return joining(parts, (matched, before) => matched && before === false)
    case "MergedWithNext":
      return joining(parts, (matched, before) => before === true && !matched)
  }
}

type Parts = (text: string, visit: (start: number, end: number, matched: boolean) => void) => void

/** Joins a part to the one before it when the rule says so: whether this one and the last one are matches. */
const joining =
  (parts: Parts, joins: (matched: boolean, before: boolean | undefined) => boolean): Ranges =>
  (text, visit) => {
    let start = 0
    let end = 0
    let before: boolean | undefined
    parts(text, (from, to, matched) => {
      if (!joins(matched, before)) {
        if (end > start) visit(start, end)
        start = from
      }
      end = to
      before = matched
    })
    if (end > start) visit(start, end)
  }
