/**
 * The merges of a SentencePiece BPE model, which holds pieces and scores only.
 *
 * SentencePiece joins the neighbours whose text together is the piece of the highest score, whichever they are; so every way
 * to cut a piece into two pieces is a merge, in the order of the scores.
 */
export interface Scored {
  readonly text: string
  readonly score: number
}

export const make = (pieces: ReadonlyArray<Scored>): ReadonlyArray<readonly [string, string]> => {
  const known = new Set(pieces.map(({ text }) => text))
  const merges: Array<readonly [string, string]> = []
  for (const { text } of [...pieces].sort((a, b) => b.score - a.score)) {
    for (let at = 1; at < text.length; at++) {
      const [left, right] = [text.slice(0, at), text.slice(at)]
      if (known.has(left) && known.has(right)) merges.push([left, right])
    }
  }
  return merges
}
