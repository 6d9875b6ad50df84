/**
 * The translation of patterns. Oracle: the native `tokenizers` package, whose Split runs Oniguruma: on a list of constructs,
 * on random patterns, and on each character there is.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { matchesOf } from "../../../../src/core/tokenizer/patterns/Matches.ts"
import * as Pattern from "../../../../src/core/tokenizer/patterns/Pattern.ts"
import { full } from "../../../full.ts"
import { native, words } from "../native.ts"

const oracle = (Regex: string) => {
  const split = native({
    ...words,
    pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Removed", invert: true }
  }).getPreTokenizer()
  return (text: string) => (split?.preTokenizeString(text) ?? []).map(([word]) => word).filter((word) => word !== "")
}

const ours = (Regex: string) => {
  const matches = matchesOf(Either.getOrThrow(Pattern.compile({ Regex })))
  return (text: string) => {
    const found: Array<string> = []
    matches(text, (start, end) => {
      if (end > start) found.push(text.slice(start, end))
    })
    return found
  }
}

const samples = [
  "aA sS ſk K 09 _-^]\\ é\u0301 字 かな \t\n\r\n\u0085\u00A0x\uFEFF a.b ßaaab ABC abc",
  "straße fi ﬁ SS ss \u0295\u0296 a\nb\n\nc\r\nd\n",
  "½²³¹¾ x½ ½x a²b _ - © + £ ` ~ 😀a😀😀 👍🏽 𝒜𝓫 𐐀𐐨",
  "aΣσς Θθϑ µμ Ωω Ååå ΐ ǅǆǄ İıiI aaa bbb ab ba abab aabb",
  "\b\u0007\u001b\0 \\d {a} a{2} a{1,} x{,2} 's 'S 'ſ 're 'RE 'Ll foo_bar"
]

const constructs = [
  ...[
    "\\s+|\\S+",
    "[\\s&&[^\\n]]+",
    "(?i:k)",
    "(?i)s",
    "(?i:[a-c]+)",
    "a(?i)b|c",
    "(?i)ab|C",
    "(?i:σ)",
    "(?i:θ|µ|å|ǆ)"
  ],
  ...[
    "(?i:[^a])+",
    "(?i:[^s]+)",
    "(?i:[\\p{Lu}])",
    "(?i:\\p{Ll}+)",
    "(?i:É)",
    "(?-i:a)",
    "(?m:a.b)",
    "(?m).+",
    "(?im:B.C)"
  ],
  ...["(?>a+)b", "(?>a|ab)b", "a++b", "a*+ab", "a?+a", "a{2}?b", "a{1,2}?b", "a{2}+", "a{,2}b", "a{,}", "{a}", "x{,2}"],
  ...[
    "(?:ab){1,2}+",
    "a{1}{2}",
    "a+*",
    "a*?b",
    "a??b",
    "(?:a|b)*+b",
    "[^\\W\\d_]+",
    "\\w+",
    "[\\w]+",
    "\\W+",
    "[^\\w]+"
  ],
  ...[
    "\\d+",
    "\\D+",
    "\\h+",
    "\\H+",
    "\\b\\w+\\b",
    "\\B.\\B",
    "\\bA",
    "\\N+",
    "\\O+",
    "\\R",
    "^.",
    ".$",
    "\\Aa",
    "c\\z",
    ".\\Z"
  ],
  ...["\\p{Han}|\\p{Hiragana}+", "\\p{han}+", "\\p{lowercase letter}+", "\\p{^L}+", "\\P{L}+", "\\P{^Lu}+", "\\p{LC}+"],
  ...["\\p{Punct}+", "\\p{Word}+", "\\p{Alnum}+", "\\p{Print}+", "\\p{Upper}+", "\\p{Emoji}+", "\\p{Cn}+", "\\p{M}+"],
  ...[
    "alpha",
    "^alpha",
    "punct",
    "alnum",
    "word",
    "graph",
    "print",
    "cntrl",
    "blank",
    "space",
    "upper",
    "lower",
    "xdigit"
  ].map((name) => `[[:${name}:]]+`),
  ...[
    "[\\]\\-\\^\\\\]",
    "[]a]+",
    "[a-]+",
    "[-a]+",
    "[a-c-e]+",
    "[+--]+",
    "[a-z&&[^aeiou]]+",
    "[^a-z&&[^aeiou]]+",
    "[^[a-c]]+"
  ],
  ...[
    "[\\b]",
    "\\a|\\e|\\f|\\v",
    "\\0",
    "\\07",
    "\\012",
    "\\x41|\\x{62}",
    "\\u0061",
    "\\/|\\'|\\-|\\é",
    "[\\/\\'\\-\\_]"
  ],
  ...[
    "(?:ab|a)(?=\\.|b)",
    "(?<!a)b",
    "(?<=a|bb)a",
    "(?<name>a)b?",
    "a(?#x)b",
    "a(?#x)+",
    "a*|b",
    "|a",
    "(?:)",
    "(?=b)"
  ],
  ...["😀+", "[😀-🙏]+", "(?<=😀).", "\\s+(?!\\S)", "\\s*[\\r\\n]+|\\s+$"]
]

/** Patterns over few characters, without repeating what may be empty. */
const patterns = FastCheck.letrec<{ atom: string; sequence: string; choice: string }>((tie) => ({
  atom: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    FastCheck.constantFrom(
      "a",
      "b",
      "A",
      " ",
      "\\n",
      "é",
      "😀",
      ".",
      "\\s",
      "\\S",
      "\\w",
      "[ab]",
      "[^a]",
      "[^\\s\\p{L}]",
      "\\p{L}"
    ),
    FastCheck.tuple(FastCheck.constantFrom("(?:", "(", "(?i:", "(?>", "(?m:"), tie("choice")).map(
      ([o, i]) => `${o}${i})`
    )
  ),
  sequence: FastCheck.array(
    FastCheck.tuple(
      tie("atom"),
      FastCheck.constantFrom("", "", "", "+", "{2}", "{1,2}", "++", "+?", "(?=a)", "(?!b)", "(?<=a)", "(?<! )")
    ).map((parts) => parts.join("")),
    { minLength: 1, maxLength: 3 }
  ).map((parts) => parts.join("")),
  choice: FastCheck.array(tie("sequence"), { minLength: 1, maxLength: 2 }).map((parts) => parts.join("|"))
})).choice

const text = FastCheck.array(FastCheck.constantFrom("a", "a", "b", "A", "B", " ", "\n", "é", "É", "😀", "."), {
  maxLength: 12
}).map((parts) => parts.join(""))

describe("Pattern", () => {
  it.each(constructs)("%s matches what Oniguruma matches", (pattern) => {
    const [expected, found] = [oracle(pattern), ours(pattern)]
    for (const sample of samples) expect(found(sample)).toEqual(expected(sample))
  })

  it.prop(
    "random patterns match what Oniguruma matches",
    [patterns, FastCheck.array(text, { minLength: 5, maxLength: 5 })],
    ([pattern, texts]) => {
      const [expected, found] = [oracle(pattern), ours(pattern)]
      for (const given of texts) expect(found(given)).toEqual(expected(given))
    },
    { fastCheck: { numRuns: full ? 500 : 75 } }
  )

  // Planes 4 to 13 are empty, 15 and 16 private: their edges represent them.
  const isTelling = (code: number) =>
    code < 0x40000 || code >> 16 === 14 || code % 0x10000 < 4 || code % 0x10000 > 0xfffb
  const everything = Array.from({ length: 0x110000 }, (_, code) => code)
    .filter((code) => (code < 0xd800 || code > 0xdfff) && isTelling(code))
    .map((code) => String.fromCodePoint(code))
  it.each([
    ..."L N M P S Lu Ll Lt Lm Lo Nd Cn Cf Han Common Alpha Punct Word Graph Lower Upper"
      .split(" ")
      .map((name) => `\\p{${name}}`),
    ...["\\s", "\\w", "[\\w]", "\\d", "[[:punct:]]", "[[:lower:]]", "\\P{L}", "[^\\s\\p{L}\\p{N}]"]
  ])("%s is the same set of characters", (pattern) => {
    // Runs of the set, whose ends tell as much as its characters and are far fewer.
    const expected = oracle(`(?:${pattern})+`)
    const found = ours(`(?:${pattern})+`)
    for (let from = 0; from < everything.length; from += 4096) {
      const part = everything.slice(from, from + 4096).join("")
      expect(found(part).join("|")).toBe(expected(part).join("|"))
    }
  })

  it.each([
    ...[
      "(",
      "a)",
      "[a",
      "\\p{Nothing}",
      "\\p{L",
      "(?<=a",
      "\\k<x>",
      "(?~a)",
      "*a",
      "\\",
      "\\cA",
      "(?x)a",
      "\\X",
      "(a)\\1"
    ],
    ...["\\x{110000}", "\\u12", "[[:foo:]]", "(?<=a++)b", "(?#"]
  ])("%s is refused", (pattern) => {
    expect(Either.isLeft(Pattern.compile({ Regex: pattern }))).toBe(true)
  })

  it("a string is not a pattern", () => {
    const regex = Either.getOrThrow(Pattern.compile({ String: "a.b" }))
    expect([..."a.b axb".matchAll(regex)].map(([match]) => match)).toEqual(["a.b"])
  })

  it("a run that overflows the engine's stack is cut, and what is around is found", () => {
    const run = "ab".repeat(8_000_000)
    const found = ours("(?:a|b)+|c|(?<=c)d")(`${run}cd${run}`)
    expect(found.join("")).toBe(`${run}cd${run}`)
    expect(found.filter((match) => match.length < 1 << 18).length).toBeLessThan(6)
    expect(found).toContain("c")
    expect(found).toContain("d")
  })
})
