/**
 * Which text is held out: decided from the list of files alone, before any is read.
 *
 * Several files are held out whole. `fraction` draws round(fraction · n) of them by the seed, but leaves each side one file
 * at least; `every: k` takes files k, 2k, …, and the last one when there are fewer than k. A single file is cut once, and
 * its end is held out: the last `fraction` of its bytes, or the last 1/k. 0 holds nothing out; 1 holds everything out.
 */
import type { TextFile } from "./Files.ts"

export type Rule = { readonly fraction: number; readonly seed: number } | { readonly every: number }

/** Whole files for each split, or the byte near which the only file is to be cut. */
export type Assignment =
  | { readonly train: ReadonlyArray<TextFile>; readonly validation: ReadonlyArray<TextFile> }
  | { readonly cut: TextFile; readonly near: number }

export const assign = (files: ReadonlyArray<TextFile>, rule: Rule): Assignment => {
  const share = "every" in rule ? 1 / rule.every : rule.fraction
  const only = files.length === 1 ? files[0] : undefined
  if (only !== undefined && share > 0 && share < 1)
    return { cut: only, near: Math.max(1, Math.floor(only.bytes * (1 - share))) }
  const held = share === 0 ? () => false : share === 1 ? () => true : heldOut(files.length, rule)
  return { train: files.filter((_, i) => !held(i)), validation: files.filter((_, i) => held(i)) }
}

const heldOut = (n: number, rule: Rule): ((index: number) => boolean) => {
  if ("every" in rule) {
    return n < rule.every ? (index) => index === n - 1 : (index) => (index + 1) % rule.every === 0
  }
  const wanted = Math.min(n - 1, Math.max(1, Math.round(rule.fraction * n)))
  const drawn = new Set(
    Array.from({ length: n }, (_, index) => ({ index, draw: mix(mix(rule.seed) ^ index) }))
      .sort((a, b) => a.draw - b.draw || a.index - b.index)
      .slice(0, wanted)
      .map(({ index }) => index)
  )
  return (index) => drawn.has(index)
}

/** A bijection of 32-bit numbers that scatters neighbours. Source: Appleby, MurmurHash3's finalizer. */
const mix = (value: number): number => {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
