/**
 * Unicode's normal forms, aligned cluster by cluster: a starter with the marks after it, or a run of conjoining jamo.
 *
 * Clusters neither compose nor reorder with one another, so that each can be normalized alone and stand for its own range.
 * Source: Unicode Standard Annex #15.
 */
import type { Aligned } from "../Aligned.ts"
import type { Normalizer } from "../Normalizer.ts"
import * as Edits from "./Edits.ts"
import { unknownToNormalForms } from "./UnicodeVersion.ts"

/**
 * A character with what may combine with it: marks, jamo, and the letters for Korean and the voice marks of katakana that
 * the compatibility forms turn into such. A single ASCII character never changes.
 */
const cluster = /.[\p{M}\u1160-\u11FF\u3131-\u318E\uD7B0-\uD7FB\uFF9E-\uFFDC]+|[^\0-\x7F]/gsu

export const make = (form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer => {
  const ofPart = Edits.matches(cluster, (match) => match.normalize(form))
  const rule: Edits.Rule = (text, replace) => {
    let from = 0
    for (const part of text.split(unknownToNormalForms)) {
      const start = from
      // Unchanged clusters keep finer ranges.
      if (part.normalize(form) !== part) {
        ofPart(part, (a, b, content) => {
          if (content !== part.slice(a, b)) replace(start + a, start + b, content)
        })
      }
      from += part.length
    }
  }
  const normalize = (text: string) => {
    const whole = text.normalize(form)
    if (whole === text) return text
    const parts = text.split(unknownToNormalForms)
    return parts.length === 1 ? whole : parts.map((part) => part.normalize(form)).join("")
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
