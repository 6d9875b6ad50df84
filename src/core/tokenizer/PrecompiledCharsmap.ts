/**
 * The `Precompiled` normalizer: the character map of a SentencePiece model, which replaces characters and short clusters.
 *
 * The map is the size of a trie in bytes, the trie of UTF-8 keys as a double array, and the contents that the trie's values point
 * to, each terminated by a zero byte. A grapheme cluster of fewer than six bytes is replaced as a whole by the content of its
 * shortest prefix in the trie, even when that drops its marks. The characters of other clusters are looked up one by one.
 * SentencePiece works differently; this is what Hugging Face's spm_precompiled does, and so the models in use.
 * Source: darts-clone's double array; Hugging Face's spm_precompiled 0.1.
 */
import * as Either from "effect/Either"
import { decodeBase64 } from "effect/Encoding"
import * as AlignedText from "./AlignedText.ts"
import type { InvalidComponent } from "./TokenizerJson.ts"

export const make = (charsmap: string, key: string): Either.Either<AlignedText.Normalizer, InvalidComponent> =>
  Either.gen(function* () {
    const invalid = (details: string) => Either.left({ key, details })
    const bytes = yield* Either.mapLeft(decodeBase64(charsmap), () => ({ key, details: "is not base64." }))
    if (bytes.length < 4) return yield* invalid("is too short for a character map.")
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const size = Math.floor(view.getUint32(0, true) / 4)
    if (4 + 4 * size > bytes.length) return yield* invalid("ends inside its trie.")
    const trie = Uint32Array.from({ length: size }, (_, i) => view.getUint32(4 + 4 * i, true))
    const contents = bytes.subarray(4 + 4 * size)
    if (Either.isLeft(decode(contents))) return yield* invalid("has contents that are not UTF-8.")
    return AlignedText.fromRule(rule(trie, contents))
  })

const decode = (bytes: Uint8Array) =>
  Either.try(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))

/** Parts of a unit of the double array. */
const hasLeaf = (unit: number) => ((unit >>> 8) & 1) === 1
const label = (unit: number) => (unit & 0x800000ff) >>> 0
const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6)

/** The value of the shortest key that the bytes begin with, or −1. */
const shortestPrefix = (trie: Uint32Array, bytes: Uint8Array): number => {
  let node = offset(trie[0] ?? 0)
  for (const byte of bytes) {
    if (byte === 0) return -1
    node ^= byte
    const unit = trie[node]
    if (unit === undefined || label(unit) !== byte) return -1
    node ^= offset(unit)
    if (hasLeaf(unit)) return (trie[node] ?? 0) & 0x7fffffff
  }
  return -1
}

/** A cluster of several characters has at least six bytes unless it contains one of these. */
const short = /[\0-\u07FF]/
/** Characters that join the next one, those that join it if it is Hangul too, and those that extend a cluster. */
const prefix = "[\\u0600-\\u0605\\u06DD\\u070F\\u0890\\u0891\\u08E2]"
const hangul = "[\\u1100-\\u11FF\\uA960-\\uA97F\\uAC00-\\uD7FF]"
const extension = "[\\p{M}\\p{Gr_Ext}\\p{Emoji_Modifier}\\u200D\\u0E33\\u0EB3]"
/** Where clusters of several characters may be, with enough text before them to know where they begin. */
const clusters = new RegExp(`\\r\\n|(?:${prefix}+(?:\\r\\n|.)${extension}*|${hangul}?.${extension}+)+`, "gsu")
/** A text without any of these has only clusters of one character, or of at least six bytes. */
const joining = new RegExp(`\\r\\n|${prefix}|${extension}`, "u")
/** Letters of scripts in which a cluster is a letter with its marks, in any context. */
const plain = /^(?:(?=\p{L})[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Arabic}\p{sc=Hebrew}]\p{Mn}+)+$/u
const plainCluster = /.\p{Mn}+/gu

const rule = (trie: Uint32Array, contents: Uint8Array): AlignedText.Rule => {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })
  const contentAt = (at: number) => {
    const end = contents.indexOf(0, at)
    return decoder.decode(contents.subarray(at, end < 0 ? contents.length : end))
  }
  const shortBytes = new Uint8Array(5)
  const ofCluster = (cluster: string) => {
    const { read, written } = encoder.encodeInto(cluster, shortBytes)
    const value = read < cluster.length ? -1 : shortestPrefix(trie, shortBytes.subarray(0, written))
    return value < 0 ? undefined : contentAt(value)
  }
  const split = (run: string) =>
    plain.test(run) ? (run.match(plainCluster) ?? []) : Array.from(segmenter.segment(run), ({ segment }) => segment)
  const characters = mapped(trie, contentAt)

  const replaceCharacters = (text: string, start: number, end: number, replace: AlignedText.Replace) => {
    for (let at = start; at < end; ) {
      const codePoint = text.codePointAt(at)!
      const next = at + (codePoint > 0xffff ? 2 : 1)
      const content = characters.get(codePoint)
      if (content !== undefined) replace(at, next, content)
      at = next
    }
  }

  return (text, replace) => {
    let done = 0
    for (const { 0: run, index } of joining.test(text) ? text.matchAll(clusters) : []) {
      if (!short.test(run)) continue
      replaceCharacters(text, done, index, replace)
      done = index
      for (const cluster of split(run)) {
        const start = done
        done += cluster.length
        const content = ofCluster(cluster)
        if (content === undefined) replaceCharacters(text, start, done, replace)
        else replace(start, done, content)
      }
    }
    replaceCharacters(text, done, text.length, replace)
  }
}

/** The replacements of single characters, by code point. */
const mapped = (
  trie: Uint32Array,
  contentAt: (at: number) => string
): { readonly get: (codePoint: number) => string | undefined } => {
  const contents = new Map<number, string>()
  const known = new Uint8Array(0x110000)
  /** Visits all characters whose first bytes lead to a node. */
  const visit = (node: number, codePoint: number, missing: number) => {
    const [first, last] = missing < 0 ? [1, 0xf4] : [0x80, 0xbf]
    for (let byte = first; byte <= last; byte++) {
      const at = node ^ byte
      const unit = trie[at]
      if (unit === undefined || label(unit) !== byte) continue
      const next = at ^ offset(unit)
      const length = missing < 0 ? (byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3) : missing - 1
      const value = missing < 0 ? byte & (length === 0 ? 0x7f : 0x3f >> length) : (codePoint << 6) | (byte & 0x3f)
      if (length > 0) visit(next, value, length)
      else if (hasLeaf(unit) && value < known.length) {
        contents.set(value, contentAt((trie[next] ?? 0) & 0x7fffffff))
        known[value] = 1
      }
    }
  }
  visit(offset(trie[0] ?? 0), 0, -1)
  return { get: (codePoint) => (known[codePoint] === 1 ? contents.get(codePoint) : undefined) }
}
