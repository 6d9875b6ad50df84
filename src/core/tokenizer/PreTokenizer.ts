/**
 * The `pre_tokenizer` of a tokenizer.json: splits text into the words that a model makes tokens of.
 *
 * Each step may rewrite a piece and then split it; the last split gives ranges and copies nothing. A byte-level step at the
 * end does not write bytes as characters: the model works on the bytes of the raw words instead.
 */
import * as Either from "effect/Either"
import { type Aligned, slice } from "./Aligned.ts"
import { punctuation } from "./normalizers/CharacterClasses.ts"
import * as Pattern from "./Pattern.ts"
import type { Problem } from "./Problem.ts"
import { matchesOf, type Ranges } from "./patterns/Matches.ts"
import { bytes, metaspace, prefixSpace, type Rewrite } from "./preTokenizers/Rewrite.ts"
import { gpt2, scannerOf } from "./preTokenizers/Scanner.ts"
import * as Scripts from "./preTokenizers/Scripts.ts"
import { split } from "./preTokenizers/Split.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

export interface PreTokenizer {
  /** The words are raw text whose UTF-8 bytes the model works on. */
  readonly byteLevel: boolean
  /**
   * Whether it may put a character before a piece of the input that does not begin with a space. Then a text that is cut before
   * a line break gives other words than the whole text.
   */
  readonly prepends: boolean
  /** Calls `visit` with each word, as a range of a text. `first`: the text is the beginning of the input. */
  readonly split: (text: string, first: boolean, visit: (text: string, start: number, end: number) => void) => void
  /** The same words with their places. */
  readonly align: (text: Aligned, first: boolean) => ReadonlyArray<Aligned>
}

interface Step {
  readonly rewrite?: Rewrite
  readonly split?: Ranges
}

export const make = (spec: TokenizerJson.PreTokenizer | null): Either.Either<PreTokenizer, Problem> =>
  Either.gen(function* () {
    const steps = spec === null ? [] : yield* stepsOf(spec, "pre_tokenizer")
    const byteLevel = steps.at(-1)?.rewrite === bytes
    const run = byteLevel ? steps.slice(0, -1) : steps
    const prepends = run.some(({ rewrite }) => rewrite?.prepends === true)
    return { byteLevel, prepends, split: splitting(run), align: (text, first) => aligned(run, text, first) }
  })

const splitting = (steps: ReadonlyArray<Step>): PreTokenizer["split"] => {
  const [step, ...others] = steps
  if (step === undefined) {
    return (text, _, visit) => {
      if (text !== "") visit(text, 0, text.length)
    }
  }
  const { rewrite, split } = step
  const rest = splitting(others)
  return (given, first, visit) => {
    const text = rewrite === undefined ? given : rewrite.text(given, first)
    if (split === undefined) rest(text, first, visit)
    else if (others.length === 0) split(text, (start, end) => visit(text, start, end))
    else split(text, (start, end) => rest(text.slice(start, end), first && start === 0, visit))
  }
}

const aligned = (steps: ReadonlyArray<Step>, given: Aligned, first: boolean): ReadonlyArray<Aligned> => {
  const [step, ...others] = steps
  if (step === undefined) return given.text === "" ? [] : [given]
  const text = step.rewrite === undefined ? given : step.rewrite.align(given, first)
  if (step.split === undefined) return aligned(others, text, first)
  const words: Array<Aligned> = []
  step.split(text.text, (start, end) => {
    for (const word of aligned(others, slice(text, start, end), first && start === 0)) words.push(word)
  })
  return words
}

const whitespace = /\p{White_Space}/gu
const number = /\p{N}/gu
/** Rust's `\w+|[^\w\s]+`, whose word characters are those of UTS #18. */
const words =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu

const steps = (...list: ReadonlyArray<Step>): Either.Either<ReadonlyArray<Step>, Problem> => Either.right(list)

const stepsOf = (spec: TokenizerJson.PreTokenizer, key: string): Either.Either<ReadonlyArray<Step>, Problem> => {
  switch (spec.type) {
    case "Sequence":
      return Either.map(
        Either.all(spec.pretokenizers.map((part, i) => stepsOf(part, `${key}.pretokenizers[${i}]`))),
        (parts) => parts.flat()
      )
    case "BertPreTokenizer":
      return steps(
        { split: split(matchesOf(whitespace), "Removed", false) },
        { split: split(matchesOf(punctuation), "Isolated", false) }
      )
    case "Whitespace":
      return steps({ split: split(matchesOf(words), "Removed", true) })
    case "WhitespaceSplit":
      return steps({ split: split(matchesOf(whitespace), "Removed", false) })
    case "UnicodeScripts":
      return steps({ split: Scripts.make() })
    case "Punctuation":
      return steps({ split: split(matchesOf(punctuation), spec.behavior, false) })
    case "Digits":
      return steps({ split: split(matchesOf(number), spec.individual_digits ? "Isolated" : "Contiguous", false) })
    case "FixedLength":
      return steps({ split: fixedLength(spec.length) })
    case "CharDelimiterSplit":
      return Either.map(matcher({ String: spec.delimiter }, `${key}.delimiter`), (matches) => [
        { split: split(matches, "Removed", false) }
      ])
    case "Split":
      return Either.map(matcher(spec.pattern, `${key}.pattern`), (matches) => [
        { split: split(matches, spec.behavior, spec.invert) }
      ])
    case "ByteLevel":
      return Either.map(matcher({ Regex: gpt2 }, key), (matches) => [
        ...(spec.add_prefix_space ? [{ rewrite: prefixSpace }] : []),
        ...(spec.use_regex ? [{ split: split(matches, "Isolated", false) }] : []),
        { rewrite: bytes }
      ])
    case "Metaspace": {
      const { replacement } = spec
      if (replacement.length !== 1) {
        return Either.left({
          key: `${key}.replacement`,
          details: `is ${JSON.stringify(replacement)}, not one character.`
        })
      }
      const scheme = spec.prepend_scheme ?? (spec.add_prefix_space === false ? "never" : "always")
      return Either.map(matcher({ String: replacement }, key), (matches) => [
        {
          rewrite: metaspace(replacement, scheme),
          ...(spec.split ? { split: split(matches, "MergedWithNext", false) } : {})
        }
      ])
    }
  }
}

/** The matches of a pattern: by a scanner of its own where there is one, else by the regular expression. */
const matcher = (pattern: TokenizerJson.Pattern, key: string): Either.Either<Ranges, Problem> => {
  const scanner = "Regex" in pattern ? scannerOf(pattern.Regex) : undefined
  if (scanner !== undefined) return Either.right(scanner)
  return Either.mapBoth(Pattern.compile(pattern), { onLeft: (details) => ({ key, details }), onRight: matchesOf })
}

const fixedLength =
  (length: number): Ranges =>
  (text, visit) => {
    let start = 0
    let at = 0
    let count = 0
    for (const character of text) {
      at += character.length
      if (++count % length === 0) {
        visit(start, at)
        start = at
      }
    }
    if (at > start) visit(start, at)
  }
