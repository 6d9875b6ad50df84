/**
 * Unicode's normal forms, aligned cluster by cluster: a starter with the marks after it, or a run of conjoining jamo.
 *
 * Clusters neither compose nor reorder with one another, so that each can be normalized alone and stand for its own range.
 * Source: Unicode Standard Annex #15.
 */
import type { Aligned } from "../Aligned.ts"
import type { Normalizer } from "../Normalizer.ts"
import { unknownToNormalForms } from "./CharacterClasses.ts"
import * as Edits from "./Edits.ts"

/**
 * A character with what may combine with it: marks, jamo, and the letters for Korean and the voice marks of katakana that
 * the compatibility forms turn into such. A single ASCII character never changes.
 */
const cluster = /.[\p{M}\u1160-\u11FF\u3131-\u318E\uD7B0-\uD7FB\uFF9E-\uFFDC]+|[^\0-\x7F]/gsu

/** Texts that normal forms may change, and between two of them a character that they do not. */
const parts = (text: string): ReadonlyArray<string> => text.split(unknownToNormalForms)

export const make = (form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer => {
  const ofPart = Edits.matches(cluster, (match) => match.normalize(form))
  const rule: Edits.Rule = (text, replace) => {
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
  const align = (given: Aligned) => {
    const whole = normalize(given.text)
    if (whole === given.text) return given
    const aligned = Edits.align(rule, given)
    return aligned.text === whole ? aligned : Edits.align(difference(whole), given)
  }
  return { normalize, align }
}

/** One edit between what two texts have in common at their start and at their end. */
const difference =
  (whole: string): Edits.Rule =>
  (text, replace) => {
    const most = Math.min(text.length, whole.length)
    let start = 0
    while (start < most && text[start] === whole[start]) start++
    let kept = 0
    while (kept < most - start && text.at(-1 - kept) === whole.at(-1 - kept)) kept++
    replace(start, text.length - kept, whole.slice(start, whole.length - kept))
  }
