/**
 * What a pre-tokenizer changes in a piece before it splits it: a prefix, a character for another, bytes for characters.
 */
import { type Aligned, slice } from "../Aligned.ts"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import { replaceUnit } from "../ReplaceUnit.ts"

export interface Rewrite {
  /** `first`: the piece is the beginning of the input. */
  readonly text: (text: string, first: boolean) => string
  readonly align: (text: Aligned, first: boolean) => Aligned
  /** Whether it may put a prefix before a piece that is not the beginning of the input. */
  readonly prepends: boolean
}

/** Puts `prefix` before a piece that does not begin with it, when `applies`. It has the place of the character after it. */
const prefixed = (prefix: string, applies: (first: boolean) => boolean): Rewrite => {
  const missing = (text: string, first: boolean) => text !== "" && applies(first) && !text.startsWith(prefix)
  return {
    prepends: applies(false),
    text: (text, first) => (missing(text, first) ? prefix + text : text),
    align: (aligned, first) => {
      if (!missing(aligned.text, first)) return aligned
      const copies = (value: number | undefined) => new Array<number>(prefix.length).fill(value ?? 0)
      return {
        text: prefix + aligned.text,
        starts: Int32Array.from([...copies(aligned.starts[0]), ...aligned.starts]),
        ends: Int32Array.from([
          ...copies(aligned.ends[(aligned.text.codePointAt(0) ?? 0) > 0xffff ? 1 : 0]),
          ...aligned.ends
        ])
      }
    }
  }
}

/** A space before every piece that lacks one. */
export const prefixSpace: Rewrite = prefixed(" ", () => true)

/** Spaces become `replacement`, one unit long, which may also be put in front. */
export const metaspace = (replacement: string, scheme: "always" | "first" | "never"): Rewrite => {
  const prefix = prefixed(replacement, (first) => scheme === "always" || (scheme === "first" && first))
  const replace = (text: string) => replaceUnit(text, " ", replacement)
  return {
    prepends: prefix.prepends,
    text: (text, first) => prefix.text(replace(text), first),
    align: (aligned, first) => prefix.align({ ...aligned, text: replace(aligned.text) }, first)
  }
}

/** Each character becomes those of its bytes in the byte-level alphabet. */
export const bytes: Rewrite = {
  prepends: false,
  text: (text) => ByteAlphabet.write(new TextEncoder().encode(text)),
  align: (aligned) => {
    const texts: Array<string> = []
    const starts: Array<number> = []
    const ends: Array<number> = []
    let at = 0
    for (const character of aligned.text) {
      const written = ByteAlphabet.write(new TextEncoder().encode(character))
      const part = slice(aligned, at, at + character.length)
      for (let i = 0; i < written.length; i++) {
        starts.push(part.starts[0] ?? 0)
        ends.push(part.ends[part.ends.length - 1] ?? 0)
      }
      texts.push(written)
      at += character.length
    }
    return { text: texts.join(""), starts: Int32Array.from(starts), ends: Int32Array.from(ends) }
  }
}
