/**
 * The interface of a `model` of a tokenizer.json, which turns words into tokens, and what all models share: a cache of words, and
 * working on bytes.
 *
 * A word is a range of a text, so that splitting copies nothing. Under a byte-level pre-tokenizer the word is ordinary text and
 * the model works on its UTF-8 bytes; tokens are then written in the alphabet of ByteAlphabet.ts.
 */
import * as ByteAlphabet from "../ByteAlphabet.ts"
import { TokenIds, TokenRanges } from "../TokenIds.ts"

/** A token of a word, and the UTF-16 units [start, end) that it represents. Tokens of parts of one character have the whole
 * character. */
export interface WordToken {
  readonly id: number
  readonly start: number
  readonly end: number
}

/** A model that is ready to run. */
export interface TokenModel {
  /** Written forms of tokens by id; undefined where the vocabulary has no token. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly idOf: (token: string) => number | undefined
  /** The token for text that the vocabulary cannot represent. */
  readonly unknownToken: number | undefined
  /** Whether every word has tokens other than the unknown token. */
  readonly total: boolean
  /** Appends the ids of the word `text[start, end)`. Never called with an empty word. */
  readonly encode: (text: string, start: number, end: number, output: TokenIds) => void
  /** The same tokens with their ranges in the word. */
  readonly tokenize: (word: string) => ReadonlyArray<WordToken>
}

/** Appends the tokens of the word `text[start, end)`, with ranges that count from `start`. */
export type Segment = (text: string, start: number, end: number, output: TokenRanges) => void

/** What a model is made of. */
export interface Segmenter extends Pick<TokenModel, "tokens" | "idOf" | "unknownToken" | "total"> {
  readonly segment: Segment
  /**
   * The end of the first piece of `text[start, end)`, when words can be split into pieces whose tokens together are the tokens of
   * the word. Then pieces are cached instead of words.
   */
  readonly cut?: ((text: string, start: number, end: number) => number) | undefined
}

/**
 * The model that segments words with a function, and caches the results. `encode` and `tokenize` segment in the same way, so
 * their ids are equal; each has its own cache, because usually only one of them is used.
 */
export const make = ({ cut, segment, ...model }: Segmenter): TokenModel => {
  const segments = new TokenRanges()
  const words = new WordCache()

  const encodePiece = (text: string, start: number, end: number, output: TokenIds) => {
    const record = words.find(text, start, end)
    if (record > 0) return words.append(record, output)
    segments.clear()
    segment(text, start, end, segments)
    output.append(segments.ids, 0, segments.length)
    if (record === 0) words.add(segments.ids, 0, segments.length)
  }

  const rangesOfWords = new WordCache()
  const columns = new TokenIds()

  /** Appends each token as id, start and end. */
  const tokenizePiece = (text: string, start: number, end: number) => {
    const record = rangesOfWords.find(text, start, end)
    if (record > 0) return rangesOfWords.append(record, columns)
    segments.clear()
    segment(text, start, end, segments)
    const from = columns.length
    for (let i = 0; i < segments.length; i++) {
      columns.push(segments.ids[i]!)
      columns.push(segments.starts[i]!)
      columns.push(segments.ends[i]!)
    }
    if (record === 0) rangesOfWords.add(columns.ids, from, columns.length)
  }

  return {
    ...model,
    encode:
      cut === undefined
        ? encodePiece
        : (text, start, end, output) => {
            for (let at = start; at < end; ) {
              const stop = cut(text, at, end)
              encodePiece(text, at, stop, output)
              at = stop
            }
          },
    tokenize: (word) => {
      const tokens: Array<WordToken> = []
      for (let at = 0; at < word.length; ) {
        const stop = cut === undefined ? word.length : cut(word, at, word.length)
        columns.length = 0
        tokenizePiece(word, at, stop)
        for (let i = 0; i < columns.length; i += 3) {
          tokens.push({ id: columns.ids[i]!, start: at + columns.ids[i + 1]!, end: at + columns.ids[i + 2]! })
        }
        at = stop
      }
      return tokens
    }
  }
}

/** Segments the bytes of a word with a function for characters: the word is written in the byte-level alphabet first. */
export const segmentBytes = (segment: Segment): Segment => {
  const bytes = new TokenRanges()
  return (text, start, end, output) => {
    bytes.clear(3 * (end - start))
    pushBytes(text, start, end, bytes)
    let written = ""
    for (let i = 0; i < bytes.length; i++) written += ByteAlphabet.byteToCharacter[bytes.ids[i]!]!
    const first = output.length
    segment(written, 0, written.length, output)
    for (let i = first; i < output.length; i++) {
      output.starts[i] = bytes.starts[output.starts[i]!]!
      output.ends[i] = bytes.ends[output.ends[i]! - 1]!
    }
  }
}

/** Appends the UTF-8 bytes of well-formed text, each with the range of its character. */
export const pushBytes = (text: string, start: number, end: number, output: TokenRanges): void => {
  for (let i = start; i < end; i++) {
    const unit = text.charCodeAt(i)
    const from = i - start
    if (unit < 0x80) {
      output.push(unit, from, from + 1)
    } else if (unit < 0x800) {
      output.push(0xc0 | (unit >> 6), from, from + 1)
      output.push(0x80 | (unit & 0x3f), from, from + 1)
    } else if (unit < 0xd800 || unit > 0xdfff) {
      output.push(0xe0 | (unit >> 12), from, from + 1)
      output.push(0x80 | ((unit >> 6) & 0x3f), from, from + 1)
      output.push(0x80 | (unit & 0x3f), from, from + 1)
    } else {
      const code = text.codePointAt(i)!
      i++
      output.push(0xf0 | (code >> 18), from, from + 2)
      output.push(0x80 | ((code >> 12) & 0x3f), from, from + 2)
      output.push(0x80 | ((code >> 6) & 0x3f), from, from + 2)
      output.push(0x80 | (code & 0x3f), from, from + 2)
    }
  }
}

/** Words of up to this many UTF-16 units are cached. */
const LONGEST = 64
/** Initial number of slots, and largest number of integers of records (4 MiB; then fewer than 2^20 slots use another 8 MiB). */
const SLOTS = 1 << 10
const MOST_RECORDS = 1 << 20
/** A record is the length of its value and of its key in one integer, then the key, then the value. */
const KEY_BITS = 7
const KEY_MASK = (1 << KEY_BITS) - 1

/**
 * Tokens by word: a hash table that never allocates a string.
 *
 * A word is looked up by the UTF-16 units of a range of a text, two packed into one integer. Keys and values are stored one after
 * another in one array of integers, so a hit costs one pass over the word and one over its record. Long words are not cached.
 * When the memory is used up the cache is emptied: texts use few words often, and those come back at once.
 */
export class WordCache {
  /** Pairs of a hash and the index of its record, 0 for none. */
  private slots = new Int32Array(2 * SLOTS)
  private mask = SLOTS - 1
  private words = 0
  private records = new Int32Array(8 * SLOTS)
  private used = 1
  /** The key, its hash, its length in units and its free slot, of the last `find` that returned 0. */
  private readonly key = new Int32Array(LONGEST / 2)
  private hash = 0
  private units = 0
  private slot = 0

  /** The record of the word `text[start, end)`: > 0 for `append`, 0 when it is not cached and `add` may follow, otherwise −1. */
  find(text: string, start: number, end: number): number {
    const units = end - start
    if (units > LONGEST) return -1
    const { key, mask, records, slots } = this
    let hash = units
    let length = 0
    let i = start
    for (; i + 1 < end; i += 2) {
      const two = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
      key[length++] = two
      hash = Math.imul(hash ^ two, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    if (i < end) {
      const one = text.charCodeAt(i)
      key[length++] = one
      hash = Math.imul(hash ^ one, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    let slot = hash & mask
    for (;;) {
      const record = slots[2 * slot + 1]!
      if (record === 0) {
        this.hash = hash
        this.units = units
        this.slot = slot
        return 0
      }
      if (slots[2 * slot] === hash && (records[record]! & KEY_MASK) === units) {
        let same = 0
        while (same < length && records[record + 1 + same] === key[same]) same++
        if (same === length) return record
      }
      slot = (slot + 1) & mask
    }
  }

  /** Appends the value of a record. */
  append(record: number, output: TokenIds): void {
    const { records } = this
    const head = records[record]!
    const from = record + 1 + (((head & KEY_MASK) + 1) >> 1)
    const count = head >> KEY_BITS
    // Most words are one token.
    if (count === 1) output.push(records[from]!)
    else output.append(records, from, from + count)
  }

  /** Caches `value[from, to)` for the word that `find` just returned 0 for. */
  add(value: Int32Array, from: number, to: number): void {
    const keyLength = (this.units + 1) >> 1
    const size = 1 + keyLength + to - from
    if (this.used + size > MOST_RECORDS) {
      if (size >= MOST_RECORDS) return
      this.slots.fill(0)
      this.words = 0
      this.used = 1
      this.slot = this.hash & this.mask
    }
    if (this.used + size > this.records.length) {
      const larger = new Int32Array(Math.min(MOST_RECORDS, Math.max(2 * this.records.length, this.used + size)))
      larger.set(this.records.subarray(0, this.used))
      this.records = larger
    }
    const { key, records, used } = this
    records[used] = ((to - from) << KEY_BITS) | this.units
    for (let i = 0; i < keyLength; i++) records[used + 1 + i] = key[i]!
    for (let i = from, at = used + 1 + keyLength; i < to; i++, at++) records[at] = value[i]!
    this.slots[2 * this.slot] = this.hash
    this.slots[2 * this.slot + 1] = used
    this.used += size
    this.words++
    if (2 * this.words > this.mask) this.grow()
  }

  private grow(): void {
    const old = this.slots
    const slots = new Int32Array(2 * old.length)
    const mask = slots.length / 2 - 1
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue
      let slot = old[i]! & mask
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask
      slots[2 * slot] = old[i]!
      slots[2 * slot + 1] = old[i + 1]!
    }
    this.slots = slots
    this.mask = mask
  }
}
