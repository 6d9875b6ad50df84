/**
 * The matches of a regular expression as Oniguruma's search finds them: from left to right, and no empty one right after
 * another.
 *
 * The engine's stack overflows when a group repeats some ten million times. Then the text is looked through in windows, and
 * only a match as long as half a window may be cut.
 */

/** Calls `visit` with ranges of a text, in order. */
export type Ranges = (text: string, visit: (start: number, end: number) => void) => void

/** Units of the first windows, and of the smallest that are tried. */
const [WIDEST, NARROWEST] = [1 << 20, 1 << 12]
/** So many units before a place are seen by a lookbehind. */
const CONTEXT = 256

/** Of a global expression. Its `lastIndex` is set before each use, so that `visit` may use it too. */
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
        // V8 finds empty matches inside of surrogate pairs, in spite of the flags.
        if (start === last || isPair(text, start - 1)) continue
      }
      visit(start, end)
      last = end
    }
  }

const isPair = (text: string, at: number) => (text.codePointAt(at) ?? 0) > 0xffff

class Search {
  /** The match that was found last. */
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
        // What begins in the second half is looked for again, with more of the text after it.
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
