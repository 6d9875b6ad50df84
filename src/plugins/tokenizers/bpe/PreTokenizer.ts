/**
 * Splits text into the words that byte-pair merges never cross: GPT-2's pattern, which is Hugging Face's `ByteLevel`
 * pre-tokenizer with `add_prefix_space: false` and `use_regex: true`.
 *
 * A space belongs to the word after it; English contractions, letters, digits, other signs and white space are words of
 * their own. Every character is in exactly one word, so joining the words gives the text back.
 * Source: Radford et al. 2019, GPT-2's encoder.
 */

/**
 * GPT-2's pattern with runs cut at 4,096 characters: the engine's stack overflows on unbounded runs of some ten million
 * characters outside the BMP. `forEachWord` joins what the bound cuts.
 */
const bounded = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}{1,4096}| ?\p{N}{1,4096}| ?[^\s\p{L}\p{N}]{1,4096}|\s+(?!\S)|\s+/gu
  .source
const runs = [/\p{L}{1,4096}/u.source, /\p{N}{1,4096}/u.source, /[^\s\p{L}\p{N}]{1,4096}/u.source]
const LONG = 4096

/** Calls `visit` with each word of a well-formed text, in order. */
export const forEachWord = (text: string, visit: (word: string) => void): void => {
  // Patterns carry `lastIndex`: they belong to this call.
  const next = new RegExp(bounded, "gu")
  let start = 0
  while (next.test(text)) {
    if (next.lastIndex - start >= LONG) next.lastIndex = endOfRun(text, start, next.lastIndex)
    visit(text.slice(start, next.lastIndex))
    start = next.lastIndex
  }
}

/** Where the run of letters, digits or signs that starts at `start` ends, given that it goes on to `end` at least. */
const endOfRun = (text: string, start: number, end: number): number => {
  const afterSpace = text[start] === " " ? start + 1 : start
  for (const source of runs) {
    const run = new RegExp(source, "yu")
    run.lastIndex = afterSpace
    if (!run.test(text)) continue
    let last = Math.max(run.lastIndex, end)
    for (run.lastIndex = last; run.test(text); run.lastIndex = last) last = run.lastIndex
    return last
  }
  return end
}
