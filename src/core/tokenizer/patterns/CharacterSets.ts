/**
 * Sets of characters, with the Unicode versions of Hugging Face's tokenizers, in the syntax of the `v` flag.
 *
 * For patterns: sets as in Oniguruma (properties, POSIX brackets, `\w` and so on, case folding), with Unicode 16. For normalizers
 * and punctuation: classes of Rust crates, with Unicode 8 and 9. The JavaScript engine may have a newer Unicode. Characters that
 * were added later are removed from its classes, so that ids do not depend on the engine. Each list below is the difference to
 * Unicode 17; tests compare all characters with the native package.
 * Source: Oniguruma's doc/RE and doc/UNICODE_PROPERTIES.
 */

/** A class of code points, from numbers and ranges in hexadecimal. */
export const codePoints = (ranges: string) =>
  `[${ranges.replace(/[0-9A-F]+/g, (code) => `\\u{${code}}`).replaceAll(" ", "")}]`

/** Characters that Unicode 17 added. */
const newer = codePoints(
  "88F C5C CDC 1ACF-1ADD 1AE0-1AEB 20C1 2B96 A7CE-A7CF A7D2 A7D4 A7F1 FBC3-FBD2 FD90-FD91 FDC8-FDCE 10940-10959 " +
    "10EC5-10EC7 10ED0-10ED8 10EFA-10EFB 11B60-11B67 11DB0-11DDB 11DE0-11DE9 16EA0-16EB8 16EBB-16ED3 16FF2-16FF6 " +
    "187F8-187FF 18D09-18D1E 18D80-18DF2 1CCFA-1CCFC 1CEBA-1CED0 1CEE0-1CEF0 1E6C0-1E6DE 1E6E0-1E6F5 1E6FE-1E6FF " +
    "1F6D8 1F777-1F77A 1F8D0-1F8D8 1FA54-1FA57 1FA8A 1FA8E 1FAC8 1FACD 1FAEA 1FAEF 1FBFA 2B73A-2B73F 2CEA2-2CEAD " +
    "323B0-33479"
)
/** The one letter whose category Unicode 17 changed, a letter of its former category, and an unassigned code point. */
const [changed, likeIt, unassigned] = ["\u0295", "\u0296", "\u0378"] as const

export const literal = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`

/**
 * All characters that are not in a set. Not `[^…]`, because V8 11 negates such a class twice when a group around it is compiled
 * twice, as in `(?:a[^a])+`.
 */
export const not = (set: string) => `[\\p{Any}--${set}]`

/** Items of a class, without the characters that were added later. */
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

/** The letters of escapes for several characters. Upper case means all other characters. */
const shorthands: { readonly [letter: string]: string } = { s: "space", w: "word", d: "digit", h: "xdigit" }

/** Oniguruma counts these as word characters outside of a class, but not inside. */
const latinNumbers = "\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}"

/** The set of `\s`, `\W` and so on, or undefined. */
export const shorthand = (letter: string, inClass: boolean): string | undefined => {
  const lower = letter.toLowerCase()
  const set = bracket((Object.hasOwn(shorthands, lower) ? shorthands[lower] : undefined) ?? "")
  if (set === undefined) return undefined
  const items = lower === "w" && !inClass ? set + latinNumbers : set
  return letter === lower ? `[${items}]` : not(`[${items}]`)
}

/** The set of `\p{name}`, or undefined: names are compared without case, spaces, `-` and `_`, with or without a leading Is. */
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

/** Adds to a set the characters that differ from one of its characters in case only. */
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

/** Marks added since Unicode 10. */
const newMark = codePoints(
  "7FD 897-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C CF3 D00 D3B-D3C D81 EBA ECE 1715 180F 1ABF-1ADD 1AE0-1AEB 1CF7 " +
    "1DF6-1DFA A82C A8FF 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 " +
    "110C2 11145-11146 111C9 111CE-111CF 11241 1133B 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2 " +
    "113E1-113E2 1145E 1182C-1183A 11930-11935 11937-11938 1193B-1193E 11940 11942-11943 119D1-119D7 119DA-119E0 " +
    "119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99 11B60-11B67 11D31-11D36 11D3A " +
    "11D3C-11D3D 11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6 11F00-11F01 11F03 11F34-11F3A " +
    "11F3E-11F42 11F5A 13440 13447-13455 1611E-1612F 16F4F 16F7F-16F87 16FE4 16FF0-16FF1 1CF00-1CF2D 1CF30-1CF46 " +
    "1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5"
)
/** Nonspacing marks of Unicode 9, and characters that became nonspacing marks later. */
const newNonspacingMark = codePoints(
  "8D4-8E1 1885-1886 1DFB A8C5 A9BD 1123E 11438-1143F 11442-11444 11446 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 " +
    "11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E944-1E94A"
)
/** Characters added since Unicode 10 that decompose, and their parts. */
const newComposite = codePoints(
  "32FF A7F1-A7F4 AB69 105C9 105D2 105DA 105E4 10781-10785 10787-107B0 107B2-107BA 11382-11385 1138B 1138E " +
    "11390-11391 16D63 16D67-16D6A 1CCD6-1CCF9 1E030-1E06D 1F16C 1FBF0-1FBF9"
)

/** Punctuation added since Unicode 8. */
const newPunctuation = codePoints(
  "61D 9FD A76 C77 C84 1B4E-1B4F 1B7D-1B7F 2E43-2E4F 2E52-2E5D 10D6E 10EAD 10ED0 10F55-10F59 10F86-10F89 113D4-113D5 " +
    "113D7-113D8 1144B-1144F 1145A-1145B 1145D 11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C " +
    "11A9E-11AA2 11B00-11B09 11BE1 11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF 12FF1-12FF2 16D6D-16D6F " +
    "16E97-16E9A 16FE2 1E5FF 1E95E-1E95F"
)

const pattern = (source: string) => new RegExp(source, "gv")

/** Marks of every kind. */
export const mark = pattern(`[[\\p{M}--${newMark}]\\u1CF2\\u1CF3]`)
export const nonspacingMark = pattern(`[[\\p{Mn}--[${newMark}${newNonspacingMark}]]\\u1734\\u{1171E}]`)
/** What BERT removes: control, format and private-use characters, but not tabs and line breaks. */
export const control = pattern(
  "[[\\p{Cc}\\p{Cf}\\p{Co}\\uFFFD]--[\\t\\n\\r\\u0890\\u0891\\u08E2\\u{110CD}\\u{13430}-\\u{1343F}]]"
)
/** Characters that no normal form changes, combines or reorders. */
export const unknownToNormalForms = pattern(`([${newMark}${newComposite}])`)
/** Punctuation, and the symbols of ASCII. U+166D and U+111C9 were punctuation in Unicode 8. */
export const punctuation = pattern(`[[\\p{P}--${newPunctuation}]$+<=>^\`\\x7C~\\u166D\\u{111C9}]`)
