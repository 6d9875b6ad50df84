/**
 * Shows the tokens of a text: on alternating backgrounds on a terminal, separated by | elsewhere.
 *
 * Control characters, and characters that only change how others are shown, are replaced by visible ones, so that a text cannot
 * control the terminal. A token that is a further part of the same character is shown as ·.
 */
import type { TokenSpan } from "../../jobs/tokenizers/TokenSpans.ts"

/** Control and format characters, white space except the space, private-use and unassigned characters. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]|(?! )\p{Zs}/gu

/** A text that can be printed anywhere: `↵` for a line feed, `⇥` for a tab, `␛` for an escape, `<U+202E>` for others. */
export const visible = (text: string): string =>
  text.replace(unseen, (character) => {
    const code = character.codePointAt(0)!
    if (code === 0x0a) return "↵"
    if (code === 0x09) return "⇥"
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    if (code === 0x7f) return "␡"
    // A joiner inside an emoji is visible.
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
