/**
 * A rewriting as a list of edits, so that one rule gives both the new text and where each of its units comes from.
 *
 * An edit replaces a range of the text; each unit of its content stands for all that the range stood for. An empty range
 * inserts units that have the place of the character after it, as a prefix does in Hugging Face's tokenizers. A rule names its edits in the order of the text, and they do not overlap.
 */
import type { Aligned } from "../Aligned.ts"
import type { Normalizer } from "../Normalizer.ts"

export type Replace = (start: number, end: number, content: string) => void
export type Rule = (text: string, replace: Replace) => void

/** The text and arrays of a text without edits are the ones that were given. */
export const make = (rule: Rule): Normalizer => ({
  normalize: (text) => apply(rule, text),
  align: (text) => align(rule, text)
})

export const apply = (rule: Rule, text: string): string => {
  let result = ""
  let done = 0
  rule(text, (start, end, content) => {
    result += text.slice(done, start) + content
    done = end
  })
  return done === 0 && result === "" ? text : result + text.slice(done)
}

export const align = (rule: Rule, given: Aligned): Aligned => {
  const { text } = given
  const edits: Array<readonly [start: number, end: number, content: string]> = []
  let length = text.length
  rule(text, (start, end, content) => {
    edits.push([start, end, content])
    length += content.length - (end - start)
  })
  if (edits.length === 0) return given

  const starts = new Int32Array(length)
  const ends = new Int32Array(length)
  let result = ""
  let done = 0
  let at = 0
  const keep = (until: number) => {
    result += text.slice(done, until)
    for (; done < until; done++, at++) {
      starts[at] = given.starts[done] ?? 0
      ends[at] = given.ends[done] ?? 0
    }
  }
  for (const [start, end, content] of edits) {
    keep(start)
    const from = given.starts[start] ?? given.ends[start - 1] ?? 0
    const after = start + ((text.codePointAt(start) ?? 0) > 0xffff ? 1 : 0)
    const to = given.ends[end === start ? after : end - 1] ?? from
    starts.fill(from, at, at + content.length)
    ends.fill(to, at, at + content.length)
    result += content
    at += content.length
    done = end
  }
  keep(text.length)
  return { text: result, starts, ends }
}

/**
 * Replaces what a global pattern matches. As in Oniguruma's searches, an empty match right after another match is none, and
 * in an empty text nothing matches.
 */
export const matches =
  (pattern: RegExp, content: (match: string) => string): Rule =>
  (text, replace) => {
    if (text === "") return
    pattern.lastIndex = 0
    let last = -1
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const start = match.index
      const end = start + match[0].length
      const empty = end === start
      // From the middle of a surrogate pair a search would begin before it.
      if (empty) pattern.lastIndex = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1)
      // V8 finds empty matches inside of surrogate pairs, in spite of the flags.
      if (empty && (start === last || (text.codePointAt(start - 1) ?? 0) > 0xffff)) continue
      replace(start, end, content(match[0]))
      last = end
    }
  }

/** Replaces a pattern whose matches are never empty by one content. */
export const constant = (pattern: RegExp, content: string): Normalizer => {
  const rule = matches(pattern, () => content)
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
  return { normalize: (text) => text.replaceAll(pattern, template), align: (text) => align(rule, text) }
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
