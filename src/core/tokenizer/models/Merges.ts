/**
 * The `merges` of a BPE model, checked and in tables: which pair of tokens becomes which token, and how soon.
 *
 * A merge is a pair of tokens, or in older files a string with one space between them, so that tokens with a space need
 * pairs. Its place is its rank. Of two merges of one pair the later one counts, as in Hugging Face's readers.
 */
import * as Either from "effect/Either"
import type { PairTable } from "../PairTable.ts"
import type { Problem } from "../Problem.ts"
import * as FilteredPairs from "./FilteredPairs.ts"

import type { TokenTable } from "./TokenTable.ts"

const SPACE = 0x20
const HASH = 0x23

export interface Merges {
  readonly ranks: PairTable
  /** By rank: the tokens of the pair, and the one they become. */
  readonly left: Int32Array
  readonly right: Int32Array
  readonly ids: Int32Array
}

/** `prefix` is the number of UTF-16 units that the right token loses when it is joined to the left one. */
export const read = (
  merges: ReadonlyArray<unknown>,
  table: TokenTable,
  { longest, prefix }: { readonly longest: number; readonly prefix: number }
): Either.Either<Merges, Problem> => {
  const ranks = FilteredPairs.make(merges.length)
  const left = new Int32Array(merges.length)
  const right = new Int32Array(merges.length)
  const ids = new Int32Array(merges.length)
  const units = new Uint16Array(2 * longest + 1)

  const needs = (rank: number, token: string) =>
    problem(rank, `needs the token ${JSON.stringify(token)}, which is not in model.vocab.`)

  let rank = 0
  let joined = -1
  for (let i = 0; i < merges.length; i++) {
    const merge = merges[i]
    let middle = 0
    let end = 0
    if (typeof merge === "string") {
      // The first line of a merges.txt.
      if (merge.charCodeAt(0) === HASH && merge.startsWith("#version")) continue
      if (merge.length > units.length) {
        const [first = "", second = ""] = merge.split(" ")
        return needs(i, first.length > longest ? first : second)
      }
      let spaces = 0
      for (let at = 0; at < merge.length; at++) {
        const unit = merge.charCodeAt(at)
        if (unit === SPACE) {
          spaces++
          middle = end
        } else units[end++] = unit
      }
      if (spaces !== 1) return problem(i, `is ${JSON.stringify(merge)}, not a pair of tokens.`)
    } else {
      const [first, second, ...rest]: ReadonlyArray<unknown> = Array.isArray(merge) ? merge : []
      if (typeof first !== "string" || typeof second !== "string" || rest.length > 0) {
        return problem(i, `is ${JSON.stringify(merge)}, not a pair of tokens.`)
      }
      if (first.length > longest) return needs(i, first)
      if (second.length > longest) return needs(i, second)
      for (let at = 0; at < first.length; at++) units[end++] = first.charCodeAt(at)
      middle = end
      for (let at = 0; at < second.length; at++) units[end++] = second.charCodeAt(at)
    }
    const a = table.find(units, 0, middle)
    if (a < 0) return needs(i, written(units, 0, middle))
    const b = table.find(units, middle, end)
    if (b < 0) return needs(i, written(units, middle, end))
    if (prefix > 0) {
      units.copyWithin(middle, middle + prefix, end)
      end = Math.max(middle, end - prefix)
    }
    // Nearly always merges are in the order of the tokens that they make.
    if (!table.has(joined, units, 0, end)) {
      joined = table.has(joined + 1, units, 0, end) ? joined + 1 : table.find(units, 0, end)
      if (joined < 0) return needs(i, written(units, 0, end))
    }
    ranks.set(a, b, rank)
    left[rank] = a
    right[rank] = b
    ids[rank] = joined
    rank++
  }
  return Either.right({
    ranks,
    left: left.subarray(0, rank),
    right: right.subarray(0, rank),
    ids: ids.subarray(0, rank)
  })
}

const problem = (index: number, details: string) => Either.left({ key: `model.merges[${index}]`, details })

const written = (units: Uint16Array, start: number, end: number) => {
  let text = ""
  for (let i = start; i < end; i++) text += String.fromCharCode(units[i]!)
  return text
}
