/**
 * Text that remembers where it comes from: each of its UTF-16 units stands for a range of an original text.
 *
 * Normalizing and splitting keep the ranges, so that a token's place in the original is known whatever was rewritten.
 */
export interface Aligned {
  readonly text: string
  /** Unit i of `text` stands for the units [starts[i], ends[i]) of the original; an inserted unit for an empty range. */
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** A text as its own original, which begins at `from`. */
export const original = (text: string, from = 0): Aligned => {
  const starts = new Int32Array(text.length)
  const ends = new Int32Array(text.length)
  for (let i = 0; i < text.length; i++) {
    starts[i] = from + i
    ends[i] = from + i + 1
  }
  return { text, starts, ends }
}

/** The units [start, end). */
export const slice = ({ ends, starts, text }: Aligned, start: number, end = text.length): Aligned => ({
  text: text.slice(start, end),
  starts: starts.subarray(start, end),
  ends: ends.subarray(start, end)
})
