/**
 * Cutting the tokens of a text, or of a pair, to a length; what is cut off comes in windows of the same length.
 *
 * Source: truncate_encodings of Hugging Face's tokenizers, whose windows and shares of a pair these are.
 */
import * as Either from "effect/Either"
import { EncodingError, type TextTokens, type Truncation } from "./Encoding.ts"

/** The tokens that stay, then the windows of those that do not. */
export type Windows = readonly [TextTokens, ...ReadonlyArray<TextTokens>]

/** The windows of each text, when `taken` tokens of the length go to special tokens. */
export const truncate = (
  texts: readonly [TextTokens] | readonly [TextTokens, TextTokens],
  truncation: Truncation | undefined,
  taken: number
): Either.Either<ReadonlyArray<Windows>, EncodingError> => {
  if (truncation === undefined) return Either.right(texts.map((text): Windows => [text]))
  const { maxLength, side = "right", strategy = "longest_first", stride = 0 } = truncation
  const wrong = (option: string, details: string, remedy: string) =>
    Either.left(new EncodingError({ option: `truncation.${option}`, details, remedy }))
  if (!Number.isSafeInteger(maxLength) || maxLength <= taken) {
    return wrong(
      "maxLength",
      `is ${maxLength}, which leaves no token for the text after ${taken} special tokens.`,
      `Give a whole number above ${taken}.`
    )
  }
  if (!Number.isSafeInteger(stride) || stride < 0) return wrong("stride", `is ${stride}.`, "Give 0 or more tokens.")
  const [first, second] = texts
  const lengths = shares(strategy, maxLength - taken, first.ids.length, second?.ids.length)
  const short = strategy !== "longest_first" && second !== undefined && lengths.some((length) => length <= 0)
  if (short || (second === undefined && strategy === "only_second")) {
    return wrong(
      "strategy",
      `is ${strategy}, but that text has too few tokens to cut ${maxLength} tokens from the pair.`,
      'Use "longest_first", or a larger maxLength.'
    )
  }
  const tight = texts.findIndex(({ ids }, i) => ids.length > lengths[i]! && lengths[i]! > 0 && stride >= lengths[i]!)
  if (tight >= 0) {
    return wrong(
      "stride",
      `is ${stride}, but a window has ${lengths[tight]} tokens of the text.`,
      "Give a smaller stride, or a larger maxLength."
    )
  }
  return Either.right(texts.map((text, i) => windows(text, lengths[i]!, stride, side)))
}

/** How many tokens of each text stay. */
const shares = (
  strategy: NonNullable<Truncation["strategy"]>,
  room: number,
  first: number,
  second: number | undefined
): ReadonlyArray<number> => {
  const total = first + (second ?? 0)
  if (total <= room) return second === undefined ? [first] : [first, second]
  if (second === undefined) return [room]
  if (strategy === "only_first") return [room - second, second]
  if (strategy === "only_second") return [first, room - first]
  const shorter = Math.min(first, second)
  const half = room >> 1
  // The longer one gives first; once both are equally long they give in turns, and the second keeps an odd token.
  if (shorter > half) {
    const odd = room - half
    return first > second ? [odd, half] : [half, odd]
  }
  return first > second ? [room - second, second] : [first, room - first]
}

const windows = (text: TextTokens, length: number, stride: number, side: "left" | "right"): Windows => {
  const n = text.ids.length
  if (n <= length) return [text]
  if (length === 0) return [part(text, 0, 0), text]
  const starts: Array<number> = []
  for (let at = 0; ; at += length - stride) {
    starts.push(side === "right" ? at : Math.max(0, n - at - length))
    if (at + length >= n) break
  }
  const [first, ...rest] = starts.map((start, i) =>
    side === "right" ? part(text, start, Math.min(n, start + length)) : part(text, start, n - i * (length - stride))
  )
  return [first ?? text, ...rest]
}

const part = ({ ids, offsets }: TextTokens, start: number, end: number): TextTokens => ({
  ids: ids.subarray(start, end),
  offsets: offsets?.subarray(2 * start, 2 * end)
})
