/**
 * From the matches of a pattern to pieces of a text: what becomes of each match is the behavior.
 *
 * Source: NormalizedString::split of Hugging Face's tokenizers.
 */
import type { Ranges } from "../patterns/Matches.ts"
import type { SplitBehavior } from "../TokenizerJson.ts"

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
