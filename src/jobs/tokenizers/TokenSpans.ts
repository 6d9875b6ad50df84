/**
 * Tokens with their places in a text, and the places where two tokenizers split a text differently.
 */
import type { Document } from "../../core/Dataset.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"

/** A token and its place in the text. */
export interface TokenSpan {
  readonly id: number
  /** Written form. */
  readonly token: string
  /** The UTF-16 units of the text. Undefined when the tokenizer does not know. */
  readonly offsets: readonly [start: number, end: number] | undefined
}

/** The tokens of a text. With `splitSpecialTokens` false, special tokens in the text become their ids. */
export const tokenSpans = (
  tokenizer: Tokenizer.Service,
  text: string,
  splitSpecialTokens = true
): ReadonlyArray<TokenSpan> => {
  const { ids, offsets } = tokenizer.encodeWithOffsets(text, { splitSpecialTokens })
  return Array.from(ids, (id, i) => ({
    id,
    token: tokenizer.token(id) ?? "",
    offsets: offsets === undefined ? undefined : ([offsets[2 * i]!, offsets[2 * i + 1]!] as const)
  }))
}

/** A shortest part of a text that two tokenizers split differently. */
export interface Difference {
  readonly document: string
  /** UTF-16 units before it, and the number of the line in which it starts, from 1. */
  readonly offset: number
  readonly line: number
  readonly text: string
  readonly tokens: readonly [ReadonlyArray<string>, ReadonlyArray<string>]
}

/** UTF-16 units of a document that are compared. */
const COMPARED = 1 << 16

/**
 * The first `most` differences in a document, each once; differences in `known` are skipped. None when one of the tokenizers does
 * not know the places of its tokens.
 */
export const differences = (
  [a, b]: readonly [Tokenizer.Service, Tokenizer.Service],
  { id, text: whole }: Document,
  most: number,
  known: ReadonlyArray<Difference> = []
): ReadonlyArray<Difference> => {
  if (most <= 0) return []
  const seen = new Set(known.map(keyOf))
  const text = whole.slice(0, COMPARED).toWellFormed()
  const [left, right] = [cursor(tokenSpans(a, text)), cursor(tokenSpans(b, text))]
  const found: Array<Difference> = []
  let from = 0
  while (found.length < most && (left.more() || right.more())) {
    left.start()
    right.start()
    // Both continue until they end a token at the same place.
    left.take()
    right.take()
    while (left.end() !== right.end()) {
      const behind = left.end() < right.end() ? left : right
      if (!behind.take()) break
    }
    while (left.end() !== right.end() && (left.more() || right.more())) (left.more() ? left : right).take()
    const to = Math.max(left.end(), right.end())
    const [one, other] = [left.taken(), right.taken()]
    const tokens = [one.map(({ token }) => token), other.map(({ token }) => token)] as const
    const key = keyOf({ tokens })
    if (!alike(one, other) && !seen.has(key)) {
      seen.add(key)
      const line = text.slice(0, from).split("\n").length
      found.push({ document: id, offset: from, line, text: text.slice(from, to), tokens })
    }
    from = to
  }
  return found
}

const keyOf = ({ tokens }: Pick<Difference, "tokens">) => JSON.stringify(tokens)

/** Whether two parts are one token each, whatever white space they include, or tokens of the same places. */
const alike = (a: ReadonlyArray<TokenSpan>, b: ReadonlyArray<TokenSpan>): boolean =>
  (a.length === 1 && b.length === 1) ||
  (a.length === b.length && a.every(({ offsets }, i) => offsets?.join() === b[i]?.offsets?.join()))

const cursor = (spans: ReadonlyArray<TokenSpan>) => {
  const known = spans.filter(({ offsets }) => offsets !== undefined)
  let [first, next, end] = [0, 0, 0]
  const endOf = (index: number) => known[index]!.offsets![1]
  return {
    more: () => next < known.length,
    start: () => {
      first = next
    },
    /** Takes a token, with those that end no later: parts of its last character. False at the end. */
    take: () => {
      if (next >= known.length) return false
      end = Math.max(end, endOf(next))
      next += 1
      while (next < known.length && endOf(next) <= end) next += 1
      return true
    },
    end: () => end,
    taken: () => known.slice(first, next)
  }
}
