/**
 * The `normalizer` of a tokenizer.json: the text is rewritten before it is split.
 *
 * Each normalizer is a rule that gives the new text, and with `align` also what each unit of it stands for in the original.
 * Source: the normalizers of Hugging Face's tokenizers 0.23.
 */
import * as Either from "effect/Either"
import type { Aligned } from "./Aligned.ts"
import { byteToCharacter as alphabet } from "./ByteAlphabet.ts"
import { control, mark, nonspacingMark } from "./normalizers/CharacterClasses.ts"
import * as Edits from "./normalizers/Edits.ts"
import * as NormalForm from "./normalizers/NormalForm.ts"
import * as Precompiled from "./normalizers/Precompiled.ts"
import * as Pattern from "./Pattern.ts"
import type { Problem } from "./Problem.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

export interface Normalizer {
  readonly normalize: (text: string) => string
  /** Its text is what `normalize` gives. */
  readonly align: (text: Aligned) => Aligned
}

/** The normalizer of a specification; `key` is its place in the file. */
export const make = (spec: TokenizerJson.Normalizer | null, key = "normalizer"): Either.Either<Normalizer, Problem> => {
  if (spec === null) return Either.right(Edits.sequence([]))
  switch (spec.type) {
    case "BertNormalizer":
      return Either.right(
        Edits.sequence([
          ...(spec.clean_text ? [withoutControls, plainSpaces] : []),
          ...(spec.handle_chinese_chars ? [spacedIdeographs] : []),
          ...((spec.strip_accents ?? spec.lowercase)
            ? [NormalForm.make("NFD"), Edits.constant(nonspacingMark, "")]
            : []),
          ...(spec.lowercase ? [lowercase] : [])
        ])
      )
    case "Strip":
      return Either.right(Edits.make(strip(spec.strip_left, spec.strip_right)))
    case "StripAccents":
      return Either.right(Edits.constant(mark, ""))
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return Either.right(NormalForm.make(spec.type))
    case "Lowercase":
      return Either.right(lowercase)
    case "Nmt":
      return Either.right(nmt)
    case "ByteLevel":
      return Either.right(byteLevel)
    case "Precompiled":
      return spec.precompiled_charsmap === null
        ? Either.right(Edits.sequence([]))
        : Precompiled.make(spec.precompiled_charsmap, `${key}.precompiled_charsmap`)
    case "Replace":
      if ("String" in spec.pattern && spec.pattern.String !== "") {
        return Either.right(Edits.literal(spec.pattern.String, spec.content))
      }
      return Either.mapBoth(Pattern.compile(spec.pattern), {
        onLeft: (details) => ({ key: `${key}.pattern`, details }),
        onRight: (pattern) => Edits.make(Edits.matches(pattern, () => spec.content))
      })
    case "Prepend":
      return Either.right(
        Edits.make((text, replace) => {
          if (text !== "" && spec.prepend !== "") replace(0, 0, spec.prepend)
        })
      )
    case "Sequence":
      return Either.map(
        Either.all(spec.normalizers.map((part, i) => make(part, `${key}.normalizers[${i}]`))),
        Edits.sequence
      )
  }
}

const withoutControls = Edits.constant(control, "")
const plainSpaces = Edits.constant(/[\t\n\r\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]/g, " ")

/** The blocks that Google's BERT calls Chinese. */
const ideograph =
  /[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu
const spacedIdeographs = Edits.make(Edits.characters(ideograph, (codePoint) => ` ${String.fromCodePoint(codePoint)} `))

/** Character by character: a sigma at the end of a word is one like others. All but İ keep their number of units. */
const lowercase = Edits.sequence([
  Edits.literal("İ", "i\u0307"),
  Edits.unitwise((text) => text.replaceAll("Σ", "σ").toLowerCase())
])

const space = /\p{White_Space}/u

const strip =
  (left: boolean, right: boolean): Edits.Rule =>
  (text, replace) => {
    let start = 0
    while (left && start < text.length && space.test(text.charAt(start))) start++
    let end = text.length
    while (right && end > start && space.test(text.charAt(end - 1))) end--
    if (start > 0) replace(0, start, "")
    if (end < text.length) replace(end, text.length, "")
  }

/** The rules of SentencePiece's nmt for control characters and spaces. */
const nmt = Edits.sequence([
  Edits.constant(/(?![\0\t\n\f\r\u0080-\u008E\u0090-\u009E])\p{Cc}/gu, ""),
  Edits.constant(/[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g, " ")
])

/** Characters that are more than one byte, or are not written as themselves. */
const byteLevel = Edits.make((text, replace) => {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0x20 && unit < 0x7f) continue
    const codePoint = text.codePointAt(at) ?? unit
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
