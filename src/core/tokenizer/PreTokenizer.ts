/**
 * The `pre_tokenizer` of a tokenizer.json: splits text into words, which the model turns into tokens.
 *
 * Each step may rewrite a piece and then split it. The last split gives ranges and copies nothing. A byte-level step at the end
 * does not write bytes as characters: the model works on the bytes of the words instead.
 */
import * as Either from "effect/Either"
import { type AlignedText, replaceUnit, slice } from "./AlignedText.ts"
import * as ByteAlphabet from "./ByteAlphabet.ts"
import { punctuation } from "./patterns/CharacterSets.ts"
import { matchesOf, type Ranges, split } from "./patterns/Matches.ts"
import * as Pattern from "./patterns/Pattern.ts"
import { gpt2, scannerOf } from "./patterns/Scanner.ts"
import type * as TokenizerJson from "./TokenizerJson.ts"

export interface PreTokenizer {
  /** Whether the model works on the UTF-8 bytes of the words. */
  readonly byteLevel: boolean
  /**
   * Whether it may put a character before a piece of the input that does not begin with a space. Then a text that is cut before
   * a line break gives other words than the whole text.
   */
  readonly prepends: boolean
  /** Calls `visit` with each word, as a range of a text. `first`: the text is the beginning of the input. */
  readonly split: (text: string, first: boolean, visit: (text: string, start: number, end: number) => void) => void
  /** The same words, aligned with the original text. */
  readonly align: (text: AlignedText, first: boolean) => ReadonlyArray<AlignedText>
}

interface Step {
  readonly rewrite?: Rewrite
  readonly split?: Ranges
}

export const make = (
  spec: TokenizerJson.PreTokenizer | null
): Either.Either<PreTokenizer, TokenizerJson.InvalidComponent> =>
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

const aligned = (steps: ReadonlyArray<Step>, given: AlignedText, first: boolean): ReadonlyArray<AlignedText> => {
  const [step, ...others] = steps
  if (step === undefined) return given.text === "" ? [] : [given]
  const text = step.rewrite === undefined ? given : step.rewrite.align(given, first)
  if (step.split === undefined) return aligned(others, text, first)
  const words: Array<AlignedText> = []
  step.split(text.text, (start, end) => {
    for (const word of aligned(others, slice(text, start, end), first && start === 0)) words.push(word)
  })
  return words
}

const whitespace = /\p{White_Space}/gu
const number = /\p{N}/gu
/** Rust's `\w+|[^\w\s]+`, with the word characters of UTS #18. */
const words =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu

const steps = (...list: ReadonlyArray<Step>): Either.Either<ReadonlyArray<Step>, TokenizerJson.InvalidComponent> =>
  Either.right(list)

const stepsOf = (
  spec: TokenizerJson.PreTokenizer,
  key: string
): Either.Either<ReadonlyArray<Step>, TokenizerJson.InvalidComponent> => {
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
      return steps({ split: scriptRuns() })
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

/** The matches of a pattern: from its scanner if there is one, otherwise from the regular expression. */
const matcher = (
  pattern: TokenizerJson.Pattern,
  key: string
): Either.Either<Ranges, TokenizerJson.InvalidComponent> => {
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

/** What a step changes in a piece before it splits it: adds a prefix, replaces a character, writes bytes as characters. */
interface Rewrite {
  /** `first`: the piece is the beginning of the input. */
  readonly text: (text: string, first: boolean) => string
  readonly align: (text: AlignedText, first: boolean) => AlignedText
  /** Whether it may put a prefix before a piece that is not the beginning of the input. */
  readonly prepends: boolean
}

/** Puts `prefix` before a piece that does not begin with it, when `applies`. It has the offsets of the character after it. */
const prefixed = (prefix: string, applies: (first: boolean) => boolean): Rewrite => {
  const missing = (text: string, first: boolean) => text !== "" && applies(first) && !text.startsWith(prefix)
  return {
    prepends: applies(false),
    text: (text, first) => (missing(text, first) ? prefix + text : text),
    align: (aligned, first) => {
      if (!missing(aligned.text, first)) return aligned
      const copies = (value: number) => new Array<number>(prefix.length).fill(value)
      return {
        text: prefix + aligned.text,
        starts: Int32Array.from([...copies(aligned.starts[0]!), ...aligned.starts]),
        ends: Int32Array.from([
          ...copies(aligned.ends[aligned.text.codePointAt(0)! > 0xffff ? 1 : 0]!),
          ...aligned.ends
        ])
      }
    }
  }
}

/** A space before every piece that does not begin with one. */
const prefixSpace: Rewrite = prefixed(" ", () => true)

/** Replaces spaces by `replacement`, one unit long, which may also be added as a prefix. */
const metaspace = (replacement: string, scheme: "always" | "first" | "never"): Rewrite => {
  const prefix = prefixed(replacement, (first) => scheme === "always" || (scheme === "first" && first))
  const replace = (text: string) => replaceUnit(text, " ", replacement)
  return {
    prepends: prefix.prepends,
    text: (text, first) => prefix.text(replace(text), first),
    align: (aligned, first) => prefix.align({ ...aligned, text: replace(aligned.text) }, first)
  }
}

/** Replaces each character by those of its bytes in the byte-level alphabet. */
const bytes: Rewrite = {
  prepends: false,
  text: (text) => ByteAlphabet.write(new TextEncoder().encode(text)),
  align: (aligned) => {
    const texts: Array<string> = []
    const starts: Array<number> = []
    const ends: Array<number> = []
    let at = 0
    for (const character of aligned.text) {
      const written = ByteAlphabet.write(new TextEncoder().encode(character))
      const part = slice(aligned, at, at + character.length)
      for (let i = 0; i < written.length; i++) {
        starts.push(part.starts[0]!)
        ends.push(part.ends[part.ends.length - 1]!)
      }
      texts.push(written)
      at += character.length
    }
    return { text: texts.join(""), starts: Int32Array.from(starts), ends: Int32Array.from(ends) }
  }
}

/**
 * Runs of one script, for the `UnicodeScripts` pre-tokenizer of SentencePiece's multilingual models: the scripts of Japanese count
 * as Han, and a space belongs to the text before it.
 */
const scripts = (
  "Common Inherited Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya " +
  "Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Canadian_Aboriginal " +
  "Ogham Runic Khmer Mongolian Hiragana Katakana Bopomofo Han Yi Old_Italic Gothic Deseret Tagalog Hanunoo Buhid Tagbanwa " +
  "Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue Glagolitic Tifinagh " +
  "Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha Ol_Chiki Vai Saurashtra " +
  "Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese " +
  "Meetei_Mayek Imperial_Aramaic Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak " +
  "Brahmi Mandaic Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao Sharada Sora_Sompeng Takri Caucasian_Albanian " +
  "Bassa_Vah Duployan Elbasan Grantha Khojki Khudawadi Linear_A Mahajani Manichaean Mende_Kikakui Modi Mro " +
  "Old_North_Arabian Nabataean Palmyrene Pau_Cin_Hau Old_Permic Psalter_Pahlavi Siddham Tirhuta Warang_Citi Ahom " +
  "Anatolian_Hieroglyphs Hatran Multani Old_Hungarian SignWriting Adlam Bhaiksuki Marchen Newa Osage Tangut"
).split(" ")

const ideograph = "Han"

/** The script of a character. Undefined for the space and for characters without a script. */
const scriptOf = (character: string): string | undefined => {
  if (character === " ") return undefined
  if (character === "\u30FC") return ideograph
  const name = scripts.find((script) => new RegExp(`\\p{Script=${script}}`, "u").test(character))
  return name === "Hiragana" || name === "Katakana" ? ideograph : name
}

/** The runs of texts. Scripts of characters are cached, because a script is found by trying all of them. */
const scriptRuns = (): Ranges => {
  const known = new Map<string, string | undefined>()
  return (text, visit) => visitRuns(text, known, visit)
}

const visitRuns = (
  text: string,
  known: Map<string, string | undefined>,
  visit: (start: number, end: number) => void
) => {
  let start = 0
  let at = 0
  let last: string | undefined
  for (const character of text) {
    if (!known.has(character)) known.set(character, scriptOf(character))
    const script = known.get(character)
    if (script !== undefined) {
      // Text before the first script is dropped, as in the original.
      if (last === undefined) start = at
      else if (last !== script) {
        visit(start, at)
        start = at
      }
      last = script
    }
    at += character.length
  }
  if (last !== undefined) visit(start, at)
}
