/**
 * Byte-pair encoding: a word begins as its characters (or its UTF-8 bytes) and neighbours are joined by the merges.
 *
 * Characters that are no token become the tokens of their bytes (byte fallback), or the unknown token, or nothing when the
 * model names none. With a prefix for continuing or a suffix for ending symbols, characters are looked up with them.
 * Dropout is refused: ids would be random. Source: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909; Hugging Face
 * tokenizers 0.23, models/bpe.
 */
import * as Either from "effect/Either"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import type { Problem } from "../Problem.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import type { TokenModel } from "../TokenModel.ts"
import * as ByteWords from "./ByteWords.ts"
import * as CachedModel from "./CachedModel.ts"
import * as Characters from "./Characters.ts"
import * as Cuts from "./Cuts.ts"
import * as Merger from "./Merger.ts"
import * as Merges from "./Merges.ts"
import { Segments } from "./Segments.ts"
import { TokenTable } from "./TokenTable.ts"
import * as Vocabulary from "./Vocabulary.ts"

export const make = (
  spec: TokenizerJson.Bpe,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel, Problem> =>
  Either.gen(function* () {
    if (spec.dropout !== null && spec.dropout !== 0) {
      return yield* Either.left({ key: "model.dropout", details: `is ${spec.dropout}, which would make ids random.` })
    }
    const vocabulary = yield* Vocabulary.read(spec.vocab)
    const { idOf, longest, tokens } = vocabulary
    const prefix = spec.continuing_subword_prefix ?? ""
    const suffix = spec.end_of_word_suffix ?? ""
    const table = new TokenTable(tokens)
    const merges = yield* Merges.read(spec.merges, table, { longest, prefix: prefix.length })
    const characters = Characters.ofBasicPlane(tokens)
    const byteIds = spec.byte_fallback ? ByteWords.byteTokens(idOf) : undefined
    const plain = prefix === "" && suffix === ""
    const direct = plain && options.byteLevel && ByteWords.holdsAll(idOf)
    const total = direct || byteIds?.every((id) => id >= 0) === true
    const unknown = spec.unk_token === null ? undefined : idOf(spec.unk_token)
    if (spec.unk_token !== null && !total) yield* Vocabulary.unknownToken(vocabulary, spec.unk_token)

    const parts = { tokens, idOf, unknownToken: unknown, total }
    const merger = Merger.make(merges)
    if (direct) {
      const merged = mergeSymbols(loadBytes(characters), merger)
      const segment = spec.ignore_merges ? preferToken(merged, writtenByBytes(table, longest)) : merged
      return CachedModel.make({ ...parts, segment })
    }
    const rules = { idOf, characters, prefix, suffix, byteIds, unknown: unknown ?? -1, fuseUnknown: spec.fuse_unk }
    const merged = mergeSymbols(Characters.load(rules), merger)
    const segment = spec.ignore_merges ? preferToken(merged, writtenByCharacters(idOf, longest)) : merged
    if (options.byteLevel) return CachedModel.make({ ...parts, segment: ByteWords.segmentBytes(segment) })
    // A token that merges do not make cannot be cut.
    const cut = plain && !spec.ignore_merges ? Cuts.make({ merges, tokens, characters, byteIds }) : undefined
    return CachedModel.make({ ...parts, segment, cut })
  })

const mergeSymbols = (load: CachedModel.Segment, merge: Merger.Merger): CachedModel.Segment => {
  const symbols = new Segments()
  return (text, start, end, output) => {
    symbols.clear(end - start)
    load(text, start, end, symbols)
    if (symbols.length > 0) merge(symbols, output)
  }
}

const loadBytes = (characters: Int32Array): CachedModel.Segment => {
  const ids = Int32Array.from(ByteAlphabet.byteToCharacter, (character) => characters[character.charCodeAt(0)]!)
  return (text, start, end, output) => {
    const first = output.length
    ByteWords.pushBytes(text, start, end, output)
    for (let i = first; i < output.length; i++) output.ids[i] = ids[output.ids[i]!]!
  }
}

/** A word that is a token is that token, whatever the merges say; `find` gives its id or −1. */
const preferToken =
  (segment: CachedModel.Segment, find: (text: string, start: number, end: number) => number): CachedModel.Segment =>
  (text, start, end, output) => {
    const id = find(text, start, end)
    if (id >= 0) output.push(id, 0, end - start)
    else segment(text, start, end, output)
  }

const writtenByCharacters =
  (idOf: (token: string) => number | undefined, longest: number) => (text: string, start: number, end: number) =>
    end - start > longest ? -1 : (idOf(text.slice(start, end)) ?? -1)

const writtenByBytes = (table: TokenTable, longest: number) => {
  const alphabet = Uint16Array.from(ByteAlphabet.byteToCharacter, (character) => character.charCodeAt(0))
  const units = new Uint16Array(longest)
  const bytes = new Segments()
  return (text: string, start: number, end: number) => {
    if (end - start > longest) return -1
    bytes.clear()
    ByteWords.pushBytes(text, start, end, bytes)
    if (bytes.length > longest) return -1
    for (let i = 0; i < bytes.length; i++) units[i] = alphabet[bytes.ids[i]!]!
    return table.find(units, 0, bytes.length)
  }
}
