/**
 * A TokenModel from the function that segments one word: a cache before it, places behind it.
 *
 * `encode` and `tokenize` segment in the same way, so their ids are the same; each has a cache of its own, since only one of
 * them is asked for places.
 */
import { TokenIds } from "../TokenIds.ts"
import type { TokenModel, WordToken } from "../TokenModel.ts"
import { WordCache } from "../WordCache.ts"
import { Segments } from "./Segments.ts"

/** Appends the tokens of the word `text[start, end)`, with places from `start`. */
export type Segment = (text: string, start: number, end: number, output: Segments) => void

export interface Definition extends Pick<TokenModel, "tokens" | "idOf" | "unknownToken" | "total"> {
  readonly segment: Segment
  /**
   * The end of the first piece of `text[start, end)`, when words can be cut into pieces whose tokens, one after the other,
   * are those of the word. Then pieces are cached instead of words.
   */
  readonly cut?: ((text: string, start: number, end: number) => number) | undefined
}

export const make = ({ cut, segment, ...model }: Definition): TokenModel => {
  const segments = new Segments()
  const words = new WordCache()

  const encodePiece = (text: string, start: number, end: number, output: TokenIds) => {
    const record = words.find(text, start, end)
    if (record > 0) return words.append(record, output)
    segments.clear()
    segment(text, start, end, segments)
    output.append(segments.ids, 0, segments.length)
    if (record === 0) words.add(segments.ids, 0, segments.length)
  }

  const placed = new WordCache()
  const columns = new TokenIds()

  /** Appends tokens as id, start and end. */
  const tokenizePiece = (text: string, start: number, end: number) => {
    const record = placed.find(text, start, end)
    if (record > 0) return placed.append(record, columns)
    segments.clear()
    segment(text, start, end, segments)
    const from = columns.length
    for (let i = 0; i < segments.length; i++) {
      columns.push(segments.ids[i]!)
      columns.push(segments.starts[i]!)
      columns.push(segments.ends[i]!)
    }
    if (record === 0) placed.add(columns.ids, from, columns.length)
  }

  return {
    ...model,
    encode:
      cut === undefined
        ? encodePiece
        : (text, start, end, output) => {
            for (let at = start; at < end; ) {
              const stop = cut(text, at, end)
              encodePiece(text, at, stop, output)
              at = stop
            }
          },
    tokenize: (word) => {
      const tokens: Array<WordToken> = []
      for (let at = 0; at < word.length; ) {
        const stop = cut === undefined ? word.length : cut(word, at, word.length)
        columns.length = 0
        tokenizePiece(word, at, stop)
        for (let i = 0; i < columns.length; i += 3) {
          tokens.push({ id: columns.ids[i]!, start: at + columns.ids[i + 1]!, end: at + columns.ids[i + 2]! })
        }
        at = stop
      }
      return tokens
    }
  }
}
