/**
 * Text that keeps its alignment with an original text while it is rewritten, and rewriting as a list of edits.
 *
 * Each UTF-16 unit of an aligned text represents a range of the original, so that a token's offsets in the original are
 * known after normalizing and splitting. One rule gives both the new text and its alignment: an edit replaces a range
 * of the text, and each unit of its content represents everything that the range represented. An empty range inserts
 * units with the offsets of the character after it, as a prefix does in Hugging Face's tokenizers. A rule makes its
 * edits in the order of the text, without overlaps.
 */
import { matchesOf } from "./patterns/Matches.ts"

export interface AlignedText {
  readonly text: string
  /**
   * Unit i of `text` represents the units [starts[i], ends[i]) of the original. The range of an inserted unit is empty.
   */
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** A text that is its own original, which begins at `from`. */
export const original = (text: string, from = 0): AlignedText => {
  const starts = new Int32Array(text.length)
  const ends = new Int32Array(text.length)
  for (let i = 0; i < text.length; i++) {
    starts[i] = from + i
    ends[i] = from + i + 1
  }
  return { text, starts, ends }
}

/** The units [start, end). */
export const slice = ({ ends, starts, text }: AlignedText, start: number, end = text.length): AlignedText => ({
  text: text.slice(start, end),
  starts: starts.subarray(start, end),
  ends: ends.subarray(start, end)
})

/** Replaces the units [start, end) by a content. */
export type Replace = (start: number, end: number, content: string) => void
/** Makes the edits of a text. */
export type Rule = (text: string, replace: Replace) => void

/** A rewriting of texts, for `encode` and, with alignment, for offsets. */
export interface Normalizer {
  readonly normalize: (text: string) => string
  /** Its text equals the result of `normalize`. */
  readonly align: (text: AlignedText) => AlignedText
}

/** The rewriting of a rule. A text without edits is returned unchanged. */
export const fromRule = (rule: Rule): Normalizer => ({
  normalize: (text) => apply(rule, text),
  align: (text) => align(rule, text)
})

const apply = (rule: Rule, text: string): string => {
  const output = new Output(text)
  rule(text, output.replace)
  return output.edited ? output.text() : text
}

export const align = (rule: Rule, given: AlignedText): AlignedText => {
  const output = new Output(given.text, given)
  rule(given.text, output.replace)
  return output.edited ? { text: output.text(), ...output.ranges() } : given
}

/** Units that fit into the arguments of one call. */
const CHUNK = 8192
/** Fewer numbers than this are copied faster one by one. */
const FEW = 64

/** The text with its edits so far, as units: strings would be slow with a million edits. */
class Output {
  edited = false
  private units = new Uint16Array(0)
  private starts = new Int32Array(0)
  private ends = new Int32Array(0)
  private length = 0
  private done = 0
  private readonly from: string
  private readonly given: AlignedText | undefined

  constructor(from: string, given?: AlignedText) {
    this.from = from
    this.given = given
  }

  readonly replace: Replace = (start, end, content) => {
    this.edited = true
    this.keep(start)
    this.reserve(content.length)
    const { given, length, units } = this
    for (let i = 0; i < content.length; i++) units[length + i] = content.charCodeAt(i)
    if (given !== undefined) {
      const { ends, starts } = this
      const first = given.starts[start] ?? given.ends[start - 1] ?? 0
      const after = start + ((this.from.codePointAt(start) ?? 0) > 0xffff ? 1 : 0)
      const last = given.ends[end === start ? after : end - 1] ?? first
      for (let i = length; i < length + content.length; i++) {
        starts[i] = first
        ends[i] = last
      }
    }
    this.length += content.length
    this.done = end
  }

  text(): string {
    this.keep(this.from.length)
    let text = ""
    for (let at = 0; at < this.length; at += CHUNK) {
      const chunk = this.units.subarray(at, Math.min(at + CHUNK, this.length))
      text += Reflect.apply(String.fromCharCode, undefined, chunk)
    }
    return text
  }

  /** The ranges of the units of `text`. */
  ranges(): Pick<AlignedText, "starts" | "ends"> {
    return { starts: this.starts.subarray(0, this.length), ends: this.ends.subarray(0, this.length) }
  }

  /** Copies what comes before the next edit. */
  private keep(until: number) {
    const { done, from, given } = this
    this.reserve(until - done)
    const { length, units } = this
    const shift = length - done
    for (let i = done; i < until; i++) units[i + shift] = from.charCodeAt(i)
    if (given !== undefined && until - done < FEW) {
      const { ends, starts } = this
      for (let i = done; i < until; i++) {
        starts[i + shift] = given.starts[i]!
        ends[i + shift] = given.ends[i]!
      }
    } else if (given !== undefined) {
      this.starts.set(given.starts.subarray(done, until), length)
      this.ends.set(given.ends.subarray(done, until), length)
    }
    this.length = until + shift
    this.done = until
  }

  private reserve(more: number) {
    const needed = this.length + more
    if (needed <= this.units.length) return
    const capacity = Math.max(needed, this.from.length + 16, this.units.length * 2)
    const { ends, starts, units } = this
    this.units = new Uint16Array(capacity)
    this.units.set(units)
    if (this.given === undefined) return
    this.starts = new Int32Array(capacity)
    this.starts.set(starts)
    this.ends = new Int32Array(capacity)
    this.ends.set(ends)
  }
}

/** Replaces the matches of a global pattern. An empty text has none. */
export const matches = (pattern: RegExp, content: (match: string) => string): Rule => {
  const find = matchesOf(pattern)
  return (text, replace) => {
    if (text !== "") find(text, (start, end) => replace(start, end, content(text.slice(start, end))))
  }
}

/** Replaces each character that a global pattern of single characters matches. */
export const characters =
  (pattern: RegExp, content: (codePoint: number) => string): Rule =>
  (text, replace) => {
    pattern.lastIndex = 0
    // Unlike exec, test allocates no object.
    while (pattern.test(text)) {
      const end = pattern.lastIndex
      const unit = text.charCodeAt(end - 1)
      if (unit < 0xdc00 || unit > 0xdfff) replace(end - 1, end, content(unit))
      else replace(end - 2, end, content(text.codePointAt(end - 2)!))
    }
  }

/** Replaces each character that a global pattern matches by the same content. */
export const constant = (pattern: RegExp, content: string): Normalizer => {
  const rule = characters(pattern, () => content)
  const template = content.replaceAll("$", "$$$$")
  return { normalize: (text) => text.replace(pattern, template), align: (text) => align(rule, text) }
}

/** Replaces a string by another string. */
export const literal = (pattern: string, content: string): Normalizer => {
  const template = content.replaceAll("$", "$$$$")
  const rule: Rule = (text, replace) => {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) {
      replace(at, at + pattern.length, content)
    }
  }
  const single = pattern.length === 1 && content.length === 1
  const normalize = single
    ? (text: string) => replaceUnit(text, pattern, content)
    : (text: string) => text.replaceAll(pattern, template)
  return { normalize, align: (text) => align(rule, text) }
}

/** A rewriting that keeps the number of units, and so their alignment. */
export const unitwise = (rewrite: (text: string) => string): Normalizer => ({
  normalize: rewrite,
  align: (given) => {
    const text = rewrite(given.text)
    return text === given.text ? given : { ...given, text }
  }
})

/** Several rewritings, one after another. */
export const sequence = (normalizers: ReadonlyArray<Normalizer>): Normalizer => ({
  normalize: (text) => normalizers.reduce((rewritten, { normalize }) => normalize(rewritten), text),
  align: (text) => normalizers.reduce((rewritten, normalizer) => normalizer.align(rewritten), text)
})

/** Texts below this many units are faster with `replaceAll`. */
const LONG = 1 << 15

/**
 * Replaces one UTF-16 unit by another in a well-formed text. `replaceAll` allocates a string for each match, which in a text of a
 * megabyte takes four times as long as writing all units.
 */
export const replaceUnit = (text: string, from: string, to: string): string => {
  if (text.length < LONG) return text.replaceAll(from, () => to)
  if (!text.includes(from)) return text
  const [before, after] = [from.charCodeAt(0), to.charCodeAt(0)]
  const units = new Uint16Array(text.length)
  for (let i = 0; i < units.length; i++) {
    const unit = text.charCodeAt(i)
    units[i] = unit === before ? after : unit
  }
  return new TextDecoder("utf-16le", { ignoreBOM: true }).decode(units)
}
