/**
 * Sets of characters as Oniguruma means them, in the syntax of the `v` flag: properties, POSIX brackets, `\w` and the like,
 * and what case folding adds.
 *
 * Hugging Face's tokenizers know Unicode 16, the engine that runs this program perhaps a newer one. What came later counts
 * as unassigned, so that ids do not depend on the engine; tests compare all characters with the native package.
 * Source: Oniguruma's doc/RE and doc/UNICODE_PROPERTIES.
 */

/** A class of code points, from numbers and ranges in hexadecimal. */
export const codePoints = (ranges: string) =>
  `[${ranges.replace(/[0-9A-F]+/g, (code) => `\\u{${code}}`).replaceAll(" ", "")}]`

/** What Unicode 17 added. */
const newer = codePoints(
  "88F C5C CDC 1ACF-1ADD 1AE0-1AEB 20C1 2B96 A7CE-A7CF A7D2 A7D4 A7F1 FBC3-FBD2 FD90-FD91 FDC8-FDCE 10940-10959 " +
    "10EC5-10EC7 10ED0-10ED8 10EFA-10EFB 11B60-11B67 11DB0-11DDB 11DE0-11DE9 16EA0-16EB8 16EBB-16ED3 16FF2-16FF6 " +
    "187F8-187FF 18D09-18D1E 18D80-18DF2 1CCFA-1CCFC 1CEBA-1CED0 1CEE0-1CEF0 1E6C0-1E6DE 1E6E0-1E6F5 1E6FE-1E6FF " +
    "1F6D8 1F777-1F77A 1F8D0-1F8D8 1FA54-1FA57 1FA8A 1FA8E 1FAC8 1FACD 1FAEA 1FAEF 1FBFA 2B73A-2B73F 2CEA2-2CEAD " +
    "323B0-33479"
)
/** The one letter whose category Unicode 17 changed, one that is still what it was, and a place where nothing is. */
const [changed, likeIt, unassigned] = ["\u0295", "\u0296", "\u0378"] as const

export const literal = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

/**
 * All characters that are not in a set. `[^…]` would say it, but V8 11 negates such a class twice when a group around it is
 * compiled twice, as `(?:a[^a])+` is.
 */
export const not = (set: string) => `[\\p{Any}--${set}]`

/** Items of a class, without the characters that came later. */
const old = (items: string): string => {
  const set = new RegExp(`[${items}]`, "v")
  const later = set.test(unassigned) ? newer : ""
  const moved = set.test(likeIt) ? literal(changed) : ""
  return `[[[${items}]--[${newer}${literal(changed)}]]${later}${moved}]`
}

const space = "\\p{White_Space}"
const graphic = "[\\p{Any}--[\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]]"

/** The items of the POSIX brackets. */
const brackets: { readonly [name: string]: string } = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\u{0}-\\u{7f}",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: graphic,
  lower: "\\p{Lowercase}",
  print: `${graphic}\\p{Zs}`,
  punct: "\\p{P}\\p{S}",
  space,
  upper: "\\p{Uppercase}",
  word: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}",
  xdigit: "0-9a-fA-F"
}

/** `[:name:]`, or undefined. */
export const bracket = (name: string): string | undefined => {
  const items = Object.hasOwn(brackets, name) ? brackets[name] : undefined
  return items === undefined ? undefined : old(items)
}

/** The letters of escapes that stand for several characters; upper case stands for all others. */
const shorthands: { readonly [letter: string]: string } = { s: "space", w: "word", d: "digit", h: "xdigit" }

/** Inside of a class these are no word characters to Oniguruma, elsewhere they are. */
const latinNumbers = "\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}"

/** The set of `\s`, `\W` and so on, or undefined. */
export const shorthand = (letter: string, inClass: boolean): string | undefined => {
  const lower = letter.toLowerCase()
  const set = bracket((Object.hasOwn(shorthands, lower) ? shorthands[lower] : undefined) ?? "")
  if (set === undefined) return undefined
  const items = lower === "w" && !inClass ? set + latinNumbers : set
  return letter === lower ? `[${items}]` : not(`[${items}]`)
}

/** The set of `\p{name}`, or undefined: names are compared without case, spaces, `-` and `_`, with or without an Is. */
export const property = (name: string, inClass: boolean): string | undefined => {
  const plain = name.toLowerCase().replace(/[\s_-]/g, "")
  if (plain === "punct") return old("\\p{P}")
  if (plain === "word") return shorthand("w", inClass)
  const posix = bracket(plain)
  if (posix !== undefined) return posix
  const titled = name
    .toLowerCase()
    .replace(/[\s_-]+/g, "_")
    .replace(/(?:^|(?<=_))./g, (first) => first.toUpperCase())
  const candidates = [name, titled, name.replace(/^Is_?/, ""), titled.replace(/^Is_?/, "")]
  const known = candidates.flatMap((candidate) => [candidate, `Script=${candidate}`]).find(isProperty)
  return known === undefined ? undefined : old(`\\p{${known}}`)
}

const isProperty = (name: string): boolean => {
  if (!/^(?:Script=)?\w+$/.test(name)) return false
  try {
    new RegExp(`^\\p{${name}}$`, "u")
    return true
  } catch {
    return false
  }
}

/** Adds to a set the characters that are equal to one of its own but for case. */
export const makeCaseless = (): ((set: string) => string) => {
  const all = Array.from({ length: 0x20000 }, (_, code) => code).filter((code) => code < 0xd800 || code > 0xdfff)
  const cased = all
    .map((code) => String.fromCodePoint(code))
    .filter((character) => /[\p{Changes_When_Casemapped}\p{Changes_When_NFKC_Casefolded}]/u.test(character))
    .join("")
  return (set) => {
    const plain = new RegExp(set, "v")
    const more = (cased.match(new RegExp(set, "giv")) ?? []).filter((character) => !plain.test(character))
    return more.length === 0 ? set : `[${set}${more.map(literal).join("")}]`
  }
}
