/**
 * Tokens of a text as a person sees them: on alternating backgrounds on a terminal, with | between them elsewhere.
 *
 * The raw text never reaches the terminal: control characters, and those that only change how others are shown, are
 * written out. A token that is a further part of the same character shows as ·.
 */
import type { TokenSpan } from "../../jobs/tokenizers/TokenSpans.ts"

/** Control and format characters, white space but the space, private use, what is not assigned. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]|(?! )\p{Zs}/gu

/** A text that can be printed anywhere: `↵` for a line feed, `⇥` for a tab, `␛` for an escape, `<U+202E>` for others. */
export const visible = (text: string): string =>
  text.replace(unseen, (character) => {
    const code = character.codePointAt(0) ?? 0
    if (code === 0x0a) return "↵"
    if (code === 0x09) return "⇥"
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    if (code === 0x7f) return "␡"
    // A joiner inside an emoji is part of what is seen.
    if (code === 0x200d) return character
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`
  })

const backgrounds = ["\u001b[97;48;5;24m", "\u001b[97;48;5;96m"] as const
const plain = "\u001b[0m"

export const split = (spans: ReadonlyArray<TokenSpan>, text: string, options: { readonly colour: boolean }): string => {
  let end = 0
  const shown = spans.map(({ offsets, token }) => {
    if (offsets === undefined) return visible(token)
    const [from, to] = [Math.max(offsets[0], end), offsets[1]]
    end = Math.max(end, to)
    return to > from ? visible(text.slice(from, to)) : "·"
  })
  if (!options.colour) return shown.join("|")
  return shown.map((piece, i) => `${backgrounds[i % 2]}${piece}${plain}`).join("")
}
