/**
 * The matches of a regular expression, found as Oniguruma does, and the pieces into which they split a text.
 *
 * Matches are found from left to right, and an empty match is skipped right after another match. The stack of the JavaScript
 * engine overflows when a group repeats about ten million times. Then the text is searched in windows, and only a match that is
 * as long as half a window may be cut. Splitting follows NormalizedString::split of Hugging Face's tokenizers.
 */
import type { SplitBehavior } from "../TokenizerJson.ts"

/** Calls `visit` with ranges of a text, in order. */
export type Ranges = (text: string, visit: (start: number, end: number) => void) => void

/** Units of the largest and the smallest windows. */
const [WIDEST, NARROWEST] = [1 << 20, 1 << 12]
/** Units before a window that a lookbehind can see. */
const CONTEXT = 256

/** The matches of a global expression. Its `lastIndex` is set before each use, so that `visit` may use the expression too. */
export const matchesOf =
  (pattern: RegExp): Ranges =>
  (text, visit) => {
    const search = new Search(pattern, text)
    let last = -1
    for (let at = 0; at <= text.length && search.from(at); ) {
      const { end, start } = search
      at = end
      if (end === start) {
        at += isPair(text, end) ? 2 : 1
        // V8 finds empty matches inside surrogate pairs despite the flags.
        if (start === last || isPair(text, start - 1)) continue
      }
      visit(start, end)
      last = end
    }
  }

const isPair = (text: string, at: number) => (text.codePointAt(at) ?? 0) > 0xffff

class Search {
  /** The last match. */
  start = 0
  end = 0
  private offset = 0
  private size = 2 * WIDEST
  private part: string
  private readonly pattern: RegExp
  private readonly text: string

  constructor(pattern: RegExp, text: string) {
    this.pattern = pattern
    this.text = text
    this.part = text
  }

  /** Whether there is a match at a place or after it. */
  from(place: number): boolean {
    for (let at = place; ; ) {
      const index = this.run(at)
      if (index === undefined) this.narrow(at)
      else {
        const half = this.size / 2
        if (this.offset + this.part.length === this.text.length || (index >= 0 && index < half)) return index >= 0
        // A match that begins in the second half is searched for again, with more text after it.
        at = Math.max(at, this.offset + (index < 0 ? half : index))
        this.move(at)
      }
    }
  }

  /** Where in the part the match begins, −1 without one, undefined when the stack overflows. */
  private run(at: number): number | undefined {
    try {
      this.pattern.lastIndex = at - this.offset
      const match = this.pattern.exec(this.part)
      if (match === null) return -1
      this.start = this.offset + match.index
      this.end = this.start + match[0].length
      return match.index
    } catch (cause) {
      if (cause instanceof RangeError && this.size > NARROWEST) return undefined
      throw cause
    }
  }

  private narrow(at: number) {
    this.size /= 2
    this.move(at)
  }

  private move(at: number) {
    this.offset = Math.max(0, at - CONTEXT)
    if (isPair(this.text, this.offset - 1)) this.offset--
    this.part = this.text.slice(this.offset, this.offset + this.size)
  }
}

/**
 * The pieces of a text that is split at matches, in order, without empty ones. `invert` splits at the text between the matches.
 */
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

/** Joins a part to the part before it when `joins` is true of whether this part and the part before are matches. */
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
