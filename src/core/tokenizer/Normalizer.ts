/**
 * The `normalizer` of a tokenizer.json: rewrites the text before it is split.
 *
 * Source: the normalizers of Hugging Face's tokenizers 0.23.
 */
import * as Either from "effect/Either"
import * as Limits from "../data/Limits.ts"
import * as AlignedText from "./AlignedText.ts"
import { byteToCharacter as alphabet } from "./ByteAlphabet.ts"
import * as PrecompiledCharsmap from "./PrecompiledCharsmap.ts"
import { control, mark, nonspacingMark, unknownToNormalForms } from "./patterns/CharacterSets.ts"
import * as Pattern from "./patterns/Pattern.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

export type Normalizer = AlignedText.Normalizer

/** The normalizer that a file describes. `key` is its place in the file. */
export const make = (
  spec: TokenizerJson.Normalizer | null,
  key = "normalizer"
): Either.Either<Normalizer, TokenizerJson.InvalidComponent> => {
  if (spec === null) return Either.right(AlignedText.sequence([]))
  switch (spec.type) {
    case "BertNormalizer":
      return Either.right(
        AlignedText.sequence([
          ...(spec.clean_text ? [withoutControls, plainSpaces] : []),
          ...(spec.handle_chinese_chars ? [spacedIdeographs] : []),
          ...((spec.strip_accents ?? spec.lowercase)
            ? [normalForm("NFD"), AlignedText.constant(nonspacingMark, "")]
            : []),
          ...(spec.lowercase ? [lowercase] : [])
        ])
      )
    case "Strip":
      return Either.right(AlignedText.fromRule(strip(spec.strip_left, spec.strip_right)))
    case "StripAccents":
      return Either.right(AlignedText.constant(mark, ""))
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return Either.right(normalForm(spec.type))
    case "Lowercase":
      return Either.right(lowercase)
    case "Nmt":
      return Either.right(nmt)
    case "ByteLevel":
      return Either.right(byteLevel)
    case "Precompiled":
      return spec.precompiled_charsmap === null
        ? Either.right(AlignedText.sequence([]))
        : PrecompiledCharsmap.make(spec.precompiled_charsmap, `${key}.precompiled_charsmap`)
    case "Replace":
      if ("String" in spec.pattern && spec.pattern.String !== "") {
        return Either.right(AlignedText.literal(spec.pattern.String, spec.content))
      }
      return Either.mapBoth(Pattern.compile(spec.pattern), {
        onLeft: (details) => ({ key: `${key}.pattern`, details }),
        onRight: (pattern) => AlignedText.fromRule(AlignedText.matches(pattern, () => spec.content))
      })
    case "Prepend":
      return Either.right(
        AlignedText.fromRule((text, replace) => {
          if (text !== "" && spec.prepend !== "") replace(0, 0, spec.prepend)
        })
      )
    case "Sequence":
      if (growthOf(spec) > Limits.normalizedGrowth) {
        const details = `makes a text more than ${Limits.normalizedGrowth} times as long.`
        return Either.left({ key: `${key}.normalizers`, details })
      }
      return Either.map(
        Either.all(spec.normalizers.map((part, i) => make(part, `${key}.normalizers[${i}]`))),
        AlignedText.sequence
      )
  }
}

/** How many times longer a text may become, at the most. */
const growthOf = (spec: TokenizerJson.Normalizer): number => {
  switch (spec.type) {
    case "Sequence":
      return spec.normalizers.reduce((product, part) => product * growthOf(part), 1)
    case "Replace":
      return "String" in spec.pattern && spec.pattern.String !== ""
        ? Math.max(1, spec.content.length / spec.pattern.String.length)
        : spec.content.length + 1
    case "BertNormalizer":
    case "ByteLevel":
      return 3
    case "Precompiled":
      return 18
    default:
      return 1
  }
}

const withoutControls = AlignedText.constant(control, "")
const plainSpaces = AlignedText.constant(/[\t\n\r\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]/g, " ")

/** The blocks that Google's BERT calls Chinese. */
const ideograph =
  /[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu
const spacedIdeographs = AlignedText.fromRule(
  AlignedText.characters(ideograph, (codePoint) => ` ${String.fromCodePoint(codePoint)} `)
)

/** Lower case by character, so that a final sigma is like others. All characters but İ keep their number of units. */
const lowercase = AlignedText.sequence([
  AlignedText.literal("İ", "i\u0307"),
  AlignedText.unitwise((text) => text.replaceAll("Σ", "σ").toLowerCase())
])

const space = /\p{White_Space}/u

const strip =
  (left: boolean, right: boolean): AlignedText.Rule =>
  (text, replace) => {
    let start = 0
    while (left && start < text.length && space.test(text.charAt(start))) start++
    let end = text.length
    while (right && end > start && space.test(text.charAt(end - 1))) end--
    if (start > 0) replace(0, start, "")
    if (end < text.length) replace(end, text.length, "")
  }

/** The rules of SentencePiece's nmt for control characters and spaces. */
const nmt = AlignedText.sequence([
  AlignedText.constant(/(?![\0\t\n\f\r\u0080-\u008E\u0090-\u009E])\p{Cc}/gu, ""),
  AlignedText.constant(/[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g, " ")
])

/** Rewrites characters of more than one byte, and those that the alphabet does not represent by themselves. */
const byteLevel = AlignedText.fromRule((text, replace) => {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0x20 && unit < 0x7f) continue
    const codePoint = text.codePointAt(at)!
    const start = at
    if (codePoint > 0xffff) at++
    replace(start, at + 1, bytesOf(codePoint))
  }
})

/** The UTF-8 of a character in the byte-level alphabet. */
const bytesOf = (c: number): string => {
  const tail = (shift: number) => alphabet[0x80 | ((c >> shift) & 0x3f)]!
  if (c < 0x80) return alphabet[c]!
  if (c < 0x800) return alphabet[0xc0 | (c >> 6)]! + tail(0)
  if (c < 0x10000) return alphabet[0xe0 | (c >> 12)]! + tail(6) + tail(0)
  return alphabet[0xf0 | (c >> 18)]! + tail(12) + tail(6) + tail(0)
}

/**
 * A character with the characters that may combine with it: marks, jamo, and the Korean letters and voice marks of katakana that
 * the compatibility forms turn into these. A single ASCII character never changes.
 */
const cluster = /.[\p{M}\u1160-\u11FF\u3131-\u318E\uD7B0-\uD7FB\uFF9E-\uFFDC]+|[^\0-\x7F]/gsu

/** Parts that normal forms may change, and between two of them a character that they do not change. */
const parts = (text: string): ReadonlyArray<string> => text.split(unknownToNormalForms)

/**
 * A Unicode normal form, aligned by cluster: a starter with the marks after it, or a run of conjoining jamo. Clusters neither
 * compose nor reorder with each other, so each is normalized alone and keeps its own range.
 * Source: Unicode Standard Annex #15.
 */
const normalForm = (form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer => {
  const ofPart = AlignedText.matches(cluster, (match) => match.normalize(form))
  const rule: AlignedText.Rule = (text, replace) => {
    let from = 0
    for (const [i, part] of parts(text).entries()) {
      const start = from
      if (i % 2 === 0 && part.normalize(form) !== part) {
        ofPart(part, (a, b, content) => {
          // Unchanged clusters keep finer ranges.
          if (content !== part.slice(a, b)) replace(start + a, start + b, content)
        })
      }
      from += part.length
    }
  }
  const normalize = (text: string) => {
    const whole = text.normalize(form)
    if (whole === text) return text
    const all = parts(text)
    return all.length === 1 ? whole : all.map((part, i) => (i % 2 === 0 ? part.normalize(form) : part)).join("")
  }
  const align = (given: AlignedText.AlignedText) => {
    const whole = normalize(given.text)
    if (whole === given.text) return given
    const aligned = AlignedText.align(rule, given)
    return aligned.text === whole ? aligned : AlignedText.align(difference(whole), given)
  }
  return { normalize, align }
}

/** One edit of what is between the common start and the common end of two texts. */
const difference =
  (whole: string): AlignedText.Rule =>
  (text, replace) => {
    const most = Math.min(text.length, whole.length)
    let start = 0
    while (start < most && text[start] === whole[start]) start++
    let kept = 0
    while (kept < most - start && text.at(-1 - kept) === whole.at(-1 - kept)) kept++
    replace(start, text.length - kept, whole.slice(start, whole.length - kept))
  }
