/**
 * A rewriting as a list of edits, so that one rule gives both the new text and where each of its units comes from.
 *
 * An edit replaces a range of the text; each unit of its content stands for all that the range stood for. An empty range
 * inserts units that have the place of the character after it, as a prefix does in Hugging Face's tokenizers. A rule names
 * its edits in the order of the text, and they do not overlap.
 */
import type { Aligned } from "../Aligned.ts"
import type { Normalizer } from "../Normalizer.ts"
import { matchesOf } from "../patterns/Matches.ts"
import { replaceUnit } from "../ReplaceUnit.ts"

export type Replace = (start: number, end: number, content: string) => void
export type Rule = (text: string, replace: Replace) => void

/** The text and arrays of a text without edits are the ones that were given. */
export const make = (rule: Rule): Normalizer => ({
  normalize: (text) => apply(rule, text),
  align: (text) => align(rule, text)
})

export const apply = (rule: Rule, text: string): string => {
  const output = new Output(text)
  rule(text, output.replace)
  return output.edited ? output.text() : text
}

export const align = (rule: Rule, given: Aligned): Aligned => {
  const output = new Output(given.text, given)
  rule(given.text, output.replace)
  return output.edited ? { text: output.text(), ...output.ranges() } : given
}

/** What fits into the arguments of one call. */
const CHUNK = 8192
/** So many numbers are copied faster one by one. */
const FEW = 64

/** The text with its edits so far, unit by unit: with a million edits, strings would be slow. */
class Output {
  edited = false
  private units = new Uint16Array(0)
  private starts = new Int32Array(0)
  private ends = new Int32Array(0)
  private length = 0
  private done = 0
  private readonly from: string
  private readonly given: Aligned | undefined

  constructor(from: string, given?: Aligned) {
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

  /** Of the units of `text`. */
  ranges(): Pick<Aligned, "starts" | "ends"> {
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

/** Replaces what a global pattern matches; in an empty text nothing matches. */
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
    // Unlike exec, it makes no object.
    while (pattern.test(text)) {
      const end = pattern.lastIndex
      const unit = text.charCodeAt(end - 1)
      if (unit < 0xdc00 || unit > 0xdfff) replace(end - 1, end, content(unit))
      else replace(end - 2, end, content(text.codePointAt(end - 2) ?? 0))
    }
  }

/** Replaces each such character by the same content. */
export const constant = (pattern: RegExp, content: string): Normalizer => {
  const rule = characters(pattern, () => content)
  const template = content.replaceAll("$", "$$$$")
  return { normalize: (text) => text.replace(pattern, template), align: (text) => align(rule, text) }
}

/** Replaces a string by another. */
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

/** A rewriting that keeps the number of units: each stands for what the one in its place stood for. */
export const unitwise = (rewrite: (text: string) => string): Normalizer => ({
  normalize: rewrite,
  align: (given) => {
    const text = rewrite(given.text)
    return text === given.text ? given : { ...given, text }
  }
})

/** One after the other. */
export const sequence = (normalizers: ReadonlyArray<Normalizer>): Normalizer => ({
  normalize: (text) => normalizers.reduce((rewritten, { normalize }) => normalize(rewritten), text),
  align: (text) => normalizers.reduce((rewritten, normalizer) => normalizer.align(rewritten), text)
})
