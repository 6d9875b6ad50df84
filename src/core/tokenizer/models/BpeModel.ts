/**
 * Byte-pair encoding: a word starts as its characters (or its UTF-8 bytes), and adjacent symbols are joined by merges.
 *
 * A character that is not a token becomes the tokens of its bytes if all of them exist (byte fallback), otherwise the unknown
 * token, otherwise nothing. With a prefix for continuing or a suffix for ending symbols, characters are looked up with them. As in
 * Hugging Face's library, an unknown token waits for the next character that is a token (so that it can be fused with the unknown
 * characters that follow), and tokens of bytes overtake it. Dropout is refused, because ids would be random. Source: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; Hugging Face
 * tokenizers 0.23, models/bpe.
 */
import * as Either from "effect/Either"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import { TokenRanges } from "../TokenIds.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import * as BpeMerges from "./BpeMerges.ts"
import * as TokenModel from "./TokenModel.ts"
import * as Vocabulary from "./Vocabulary.ts"

/** The model that a file describes. With `byteLevel`, words are ordinary text and tokens represent their bytes. */
export const make = (
  spec: TokenizerJson.Bpe,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel.TokenModel, TokenizerJson.InvalidComponent> =>
  Either.gen(function* () {
    if (spec.dropout !== null && spec.dropout !== 0) {
      return yield* Either.left({ key: "model.dropout", details: `is ${spec.dropout}, which would make ids random.` })
    }
    const vocabulary = yield* Vocabulary.read(spec.vocab)
    const { idOf, longest, tokens } = vocabulary
    const prefix = spec.continuing_subword_prefix ?? ""
    const suffix = spec.end_of_word_suffix ?? ""
    const table = new Vocabulary.TokenTable(tokens)
    const merges = yield* BpeMerges.read(spec.merges, table, { longest, prefix: prefix.length })
    const characters = charactersOf(tokens)
    const byteIds = spec.byte_fallback ? ByteAlphabet.byteTokenIds(idOf) : undefined
    const plain = prefix === "" && suffix === ""
    const direct = plain && options.byteLevel && ByteAlphabet.isComplete(idOf)
    const total = direct || byteIds?.every((id) => id >= 0) === true
    const unknown = spec.unk_token === null ? undefined : idOf(spec.unk_token)
    if (spec.unk_token !== null && !total) yield* Vocabulary.unknownToken(vocabulary, spec.unk_token)

    const parts = { tokens, idOf, unknownToken: unknown, total }
    const merger = BpeMerges.makeMerger(merges)
    if (direct) {
      const merged = mergeSymbols(loadBytes(characters), merger)
      const segment = spec.ignore_merges ? preferToken(merged, writtenByBytes(table, longest)) : merged
      return TokenModel.make({ ...parts, segment })
    }
    const rules = { idOf, characters, prefix, suffix, byteIds, unknown: unknown ?? -1, fuseUnknown: spec.fuse_unk }
    const merged = mergeSymbols(loadCharacters(rules), merger)
    const segment = spec.ignore_merges ? preferToken(merged, writtenByCharacters(idOf, longest)) : merged
    if (options.byteLevel) return TokenModel.make({ ...parts, segment: TokenModel.segmentBytes(segment) })
    // A token that is looked up as a whole may be longer than a piece.
    const cut =
      plain && !spec.ignore_merges ? BpeMerges.makeSplitPoint({ merges, tokens, characters, byteIds }) : undefined
    return TokenModel.make({ ...parts, segment, cut })
  })

const mergeSymbols = (load: TokenModel.Segment, merge: BpeMerges.Merger): TokenModel.Segment => {
  const symbols = new TokenRanges()
  return (text, start, end, output) => {
    symbols.clear(end - start)
    load(text, start, end, symbols)
    if (symbols.length > 0) merge(symbols, output)
  }
}

const loadBytes = (characters: Int32Array): TokenModel.Segment => {
  const ids = Int32Array.from(ByteAlphabet.byteToCharacter, (character) => characters[character.charCodeAt(0)]!)
  return (text, start, end, output) => {
    const first = output.length
    TokenModel.pushBytes(text, start, end, output)
    for (let i = first; i < output.length; i++) output.ids[i] = ids[output.ids[i]!]!
  }
}

/** Looks a word up as a whole before it is merged. `find` gives its id or −1. */
const preferToken =
  (segment: TokenModel.Segment, find: (text: string, start: number, end: number) => number): TokenModel.Segment =>
  (text, start, end, output) => {
    const id = find(text, start, end)
    if (id >= 0) output.push(id, 0, end - start)
    else segment(text, start, end, output)
  }

const writtenByCharacters =
  (idOf: (token: string) => number | undefined, longest: number) => (text: string, start: number, end: number) =>
    end - start > longest ? -1 : (idOf(text.slice(start, end)) ?? -1)

const writtenByBytes = (table: Vocabulary.TokenTable, longest: number) => {
  const alphabet = Uint16Array.from(ByteAlphabet.byteToCharacter, (character) => character.charCodeAt(0))
  const units = new Uint16Array(longest)
  const bytes = new TokenRanges()
  return (text: string, start: number, end: number) => {
    if (end - start > longest) return -1
    bytes.clear()
    TokenModel.pushBytes(text, start, end, bytes)
    if (bytes.length > longest) return -1
    for (let i = 0; i < bytes.length; i++) units[i] = alphabet[bytes.ids[i]!]!
    return table.find(units, 0, bytes.length)
  }
}

/** How characters become symbols. */
interface CharacterRules {
  readonly idOf: (token: string) => number | undefined
  /** Ids of the characters of the basic plane by code point, −1 for those that are not tokens. */
  readonly characters: Int32Array
  /** Added before every character but the first, and after the last one, for looking it up; "" for nothing. */
  readonly prefix: string
  readonly suffix: string
  /** Ids of the 256 bytes, −1 for missing ones; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined
  /** −1 for none. */
  readonly unknown: number
  readonly fuseUnknown: boolean
}

/** Ids of the characters of the basic plane by code point, −1 for those that are not tokens. */
export const charactersOf = (tokens: ReadonlyArray<string | undefined>): Int32Array => {
  const characters = new Int32Array(1 << 16).fill(-1)
  tokens.forEach((token, id) => {
    if (token?.length === 1) characters[token.charCodeAt(0)] = id
  })
  return characters
}

/** Appends the symbols of a word of characters. */
const loadCharacters = ({
  byteIds,
  characters,
  fuseUnknown,
  idOf,
  prefix,
  suffix,
  unknown
}: CharacterRules): TokenModel.Segment => {
  const bytes = new TokenRanges()

  const find = (text: string, from: number, to: number, first: boolean, last: boolean): number => {
    const before = first ? "" : prefix
    const after = last ? suffix : ""
    if (to - from === 1 && before === "" && after === "") return characters[text.charCodeAt(from)]!
    return idOf(before + text.slice(from, to) + after) ?? -1
  }

  /** Appends the tokens of the bytes of a character with its prefix and suffix. False when some of them do not exist. */
  const pushBytes = (written: string, from: number, to: number, output: TokenRanges): boolean => {
    if (byteIds === undefined) return false
    bytes.clear()
    TokenModel.pushBytes(written, 0, written.length, bytes)
    for (let i = 0; i < bytes.length; i++) if (byteIds[bytes.ids[i]!]! < 0) return false
    for (let i = 0; i < bytes.length; i++) output.push(byteIds[bytes.ids[i]!]!, from, to)
    return true
  }

  return (text, start, end, output) => {
    let waiting = false
    let waitingFrom = 0
    let waitingTo = 0
    for (let at = start, next = start; at < end; at = next) {
      const unit = text.charCodeAt(at)
      next = unit >= 0xd800 && unit < 0xdc00 && at + 1 < end ? at + 2 : at + 1
      const first = at === start
      const last = next === end
      const from = at - start
      const to = next - start
      const id = find(text, at, next, first, last)
      if (id >= 0) {
        if (waiting) output.push(unknown, waitingFrom, waitingTo)
        waiting = false
        output.push(id, from, to)
        continue
      }
      if (byteIds !== undefined) {
        const written = (first ? "" : prefix) + text.slice(at, next) + (last ? suffix : "")
        if (pushBytes(written, from, to, output)) continue
      }
      if (unknown < 0) continue
      if (waiting && !fuseUnknown) output.push(unknown, waitingFrom, waitingTo)
      if (!waiting || !fuseUnknown) waitingFrom = from
      waiting = true
      waitingTo = to
    }
    if (waiting) output.push(unknown, waitingFrom, waitingTo)
  }
}
