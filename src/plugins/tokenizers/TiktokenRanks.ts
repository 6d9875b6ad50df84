/**
 * Rank files of tiktoken: a vocabulary, and the merges that are recovered from its ranks.
 *
 * Each line is the bytes of a token in base64 and its rank, which is its id. tiktoken merges any two adjacent tokens whose bytes
 * together are a token, the lowest rank first; a tokenizer.json names the pairs. The pair of a token is what its bytes become when
 * all tokens of lower rank are merged: inside a word, these merges come first too, so no other pair can occur. A token that does not
 * become a pair in this way (no trainer makes such tokens) gets every pair that its bytes split into.
 */
import * as Either from "effect/Either"
import { byteToCharacter } from "../../core/tokenizer/ByteAlphabet.ts"
import * as PairTable from "../../core/tokenizer/PairTable.ts"
import type { InvalidComponent } from "../../core/tokenizer/TokenizerJson.ts"

/** A rank file in the terms of a tokenizer.json. */
export interface Ranks {
  /** Ids by token, in the byte-level alphabet; special tokens in their written form. */
  readonly vocabulary: { readonly [token: string]: number }
  readonly merges: ReadonlyArray<readonly [string, string]>
  /** Whether merging the bytes of each token results in the token. */
  readonly reachable: boolean
}

/**
 * Parses a rank file. Special tokens are added to the vocabulary: readers of a tokenizer.json would give those that it lacks the
 * next ids after it, whatever the file says.
 */
export const parse = (
  text: string,
  specialTokens: { readonly [token: string]: number } = {}
): Either.Either<Ranks, InvalidComponent> => {
  const ranked: Array<readonly [token: string, rank: number]> = []
  let start = 0
  for (let line = 1; start < text.length; line++) {
    const newline = text.indexOf("\n", start)
    const end = newline < 0 ? text.length : newline
    const space = text.indexOf(" ", start)
    if (text.slice(start, end).trim() !== "") {
      const token = space < 0 || space > end ? undefined : fromBase64(text.slice(start, space))
      const rank = text.slice(space + 1, end).trimEnd()
      if (token === undefined || token === "" || !/^[0-9]+$/.test(rank)) {
        const shown = JSON.stringify(text.slice(start, Math.min(end, start + 40)))
        return Either.left({
          key: `line ${line}`,
          details: `is ${shown}, not a token in base64, a space and its rank.`
        })
      }
      ranked.push([token, Number(rank)])
    }
    start = end + 1
  }
  ranked.sort(([, a], [, b]) => a - b)
  const vocabulary: Record<string, number> = Object.create(null)
  for (const [token, rank] of ranked) vocabulary[token] = rank
  const absent = byteToCharacter.findIndex((character) => vocabulary[character] === undefined)
  if (absent >= 0) {
    return Either.left({ key: "", details: `has no rank for byte ${absent}, so some texts could not be encoded.` })
  }
  const recovered = recover(ranked, vocabulary)
  for (const [token, id] of Object.entries(specialTokens)) vocabulary[token] ??= id
  return Either.right({ vocabulary, ...recovered })
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
const digitOf = Int8Array.from({ length: 128 }, (_, unit) => digits.indexOf(String.fromCharCode(unit)))

/** The byte-level characters of bytes in base64, or undefined if it is not valid. Faster than decoding to bytes first. */
const fromBase64 = (base64: string): string | undefined => {
  const end = base64.endsWith("==") ? base64.length - 2 : base64.endsWith("=") ? base64.length - 1 : base64.length
  let token = ""
  let bits = 0
  let width = 0
  for (let i = 0; i < end; i++) {
    const digit = digitOf[base64.charCodeAt(i)] ?? -1
    if (digit < 0) return undefined
    bits = ((bits << 6) | digit) & 0xfff
    width += 6
    if (width < 8) continue
    width -= 8
    token += byteToCharacter[(bits >> width) & 0xff]
  }
  return base64.length % 4 === 0 ? token : undefined
}

/** The merges of the tokens, in the order of ranks. */
const recover = (
  ranked: ReadonlyArray<readonly [token: string, rank: number]>,
  vocabulary: Ranks["vocabulary"]
): Omit<Ranks, "vocabulary"> => {
  const merges: Array<readonly [string, string]> = []
  let reachable = true
  const table = PairTable.make(ranked.length)
  const halve = halver(vocabulary, table)
  for (const [token, rank] of ranked) {
    if (token.length === 1) continue
    const halves = halve(token)
    if (halves !== undefined) {
      merges.push([token.slice(0, halves.at), token.slice(halves.at)])
      table.set(halves.left, halves.right, rank)
      continue
    }
    reachable = false
    for (let at = 1; at < token.length; at++) {
      const pair = [token.slice(0, at), token.slice(at)] as const
      const [left, right] = [vocabulary[pair[0]], vocabulary[pair[1]]]
      if (left === undefined || right === undefined) continue
      merges.push(pair)
      table.set(left, right, rank)
    }
  }
  return { merges, reachable }
}

interface Halves {
  readonly at: number
  readonly left: number
  readonly right: number
}

/** Splits a token into the two parts that are left after all merges of the table; undefined if there are more. */
const halver = (
  vocabulary: Ranks["vocabulary"],
  table: PairTable.PairTable
): ((token: string) => Halves | undefined) => {
  const byteIds = new Int32Array(0x200)
  for (const character of byteToCharacter) byteIds[character.charCodeAt(0)] = vocabulary[character] ?? -1
  const ids: Array<number> = []
  const starts: Array<number> = []
  /** The token that part i and the part before it merge to, or −1. */
  const ranks: Array<number> = []
  return (token) => {
    let count = token.length
    for (let i = 0; i < count; i++) {
      ids[i] = byteIds[token.charCodeAt(i)]!
      starts[i] = i
      ranks[i] = i === 0 ? -1 : table.get(ids[i - 1]!, ids[i]!)
    }
    for (; count > 2; count--) {
      let at = 0
      for (let i = 1; i < count; i++) {
        if (ranks[i]! >= 0 && (at === 0 || ranks[i]! < ranks[at]!)) at = i
      }
      if (at === 0) return undefined
      ids[at - 1] = ranks[at]!
      for (let i = at + 1; i < count; i++) {
        ids[i - 1] = ids[i]!
        starts[i - 1] = starts[i]!
        ranks[i - 1] = ranks[i]!
      }
      if (at > 1) ranks[at - 1] = table.get(ids[at - 2]!, ids[at - 1]!)
      if (at < count - 1) ranks[at] = table.get(ids[at - 1]!, ids[at]!)
    }
    return { at: starts[1]!, left: ids[0]!, right: ids[1]! }
  }
}
