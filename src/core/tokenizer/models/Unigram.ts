/**
 * The segmentation of highest probability, where every piece has a probability of its own (Viterbi's algorithm).
 *
 * A character that is no piece costs 10 more than the rarest piece, and neighbours of that kind are one unknown token, or
 * with byte fallback the tokens of their bytes. Of two ways of one probability the one found first stays: its last piece
 * begins further left. The work is the word's length times that of the longest piece.
 * Without an unknown token, characters that are no piece give nothing.
 * Source: Kudo 2018, https://arxiv.org/abs/1804.10959; Hugging Face tokenizers 0.23, models/unigram.
 */
import * as Either from "effect/Either"
import type { Problem } from "../Problem.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import type { TokenModel } from "../TokenModel.ts"
import * as ByteWords from "./ByteWords.ts"
import * as CachedModel from "./CachedModel.ts"
import { Segments } from "./Segments.ts"
import * as Trie from "./Trie.ts"

const UNKNOWN_PENALTY = 10
/** Memory that a long word needed for more units than this is not kept. */
const KEPT = 1 << 16

export const make = (
  spec: TokenizerJson.Unigram,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel, Problem> =>
  Either.gen(function* () {
    const { scores, tokens, trie } = yield* readPieces(spec.vocab)
    const unknown = spec.unk_id ?? -1
    if (unknown >= tokens.length) {
      return yield* Either.left({
        key: "model.unk_id",
        details: `is ${unknown}, but there are ${tokens.length} tokens.`
      })
    }
    const idOf = (token: string) => {
      const node = trie.find(token)
      const id = node < 0 ? -1 : trie.value(node)
      return id < 0 ? undefined : id
    }
    const byteIds = spec.byte_fallback ? ByteWords.byteTokens(idOf) : undefined
    const segment = viterbi({ trie, scores, unknown, byteIds })
    return CachedModel.make({
      tokens,
      idOf,
      unknownToken: spec.unk_id ?? undefined,
      total:
        (options.byteLevel && ByteWords.holdsAll(idOf)) || (unknown >= 0 && byteIds?.every((id) => id >= 0) === true),
      segment: options.byteLevel ? ByteWords.segmentBytes(segment) : segment
    })
  })

interface Pieces {
  readonly tokens: ReadonlyArray<string>
  readonly scores: Float64Array
  /** Ids by pieces; of two equal pieces the later one counts. */
  readonly trie: Trie.Trie
}

const readPieces = (vocab: ReadonlyArray<unknown>): Either.Either<Pieces, Problem> => {
  const tokens: Array<string> = []
  const scores = new Float64Array(vocab.length)
  const trie = Trie.make(vocab.length)
  for (let id = 0; id < vocab.length; id++) {
    const piece: unknown = vocab[id]
    const [token, score]: ReadonlyArray<unknown> = Array.isArray(piece) ? piece : []
    if (typeof token !== "string" || typeof score !== "number") {
      return Either.left({
        key: `model.vocab[${id}]`,
        details: `is ${JSON.stringify(piece)}, not a token and its score.`
      })
    }
    tokens.push(token)
    scores[id] = score
    if (token !== "" && token.isWellFormed()) trie.add(token, id)
  }
  return Either.right({ tokens, scores, trie })
}

interface Rules extends Omit<Pieces, "tokens"> {
  /** −1 for none. */
  readonly unknown: number
  /** Ids of the 256 bytes, −1 for missing ones; undefined without byte fallback. */
  readonly byteIds: Int32Array | undefined
}

const viterbi = ({ byteIds, scores, trie, unknown }: Rules): CachedModel.Segment => {
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY
  // What ends at each place of the word in the best way: its score so far, its last piece and where that begins.
  let best = new Float64Array(256)
  let pieces = new Int32Array(256)
  let begins = new Int32Array(256)
  const path = new Segments()
  const bytes = new Segments()

  const search = (text: string, start: number, end: number) => {
    const length = end - start
    if (length >= best.length || (best.length > KEPT && length < KEPT)) {
      const capacity = Math.max(256, 2 * length)
      best = new Float64Array(capacity)
      pieces = new Int32Array(capacity)
      begins = new Int32Array(capacity)
    }
    begins.fill(-1, 0, length + 1)
    best[0] = 0
    for (let at = 0; at < length; ) {
      const first = text.charCodeAt(start + at)
      const width = first >= 0xd800 && first < 0xdc00 ? 2 : 1
      const before = best[at]!
      let known = false
      for (let stop = at, node = 0; stop < length; ) {
        node = trie.child(node, text.charCodeAt(start + stop))
        if (node < 0) break
        stop++
        const piece = trie.value(node)
        if (piece < 0) continue
        offer(at, stop, piece, before + scores[piece]!)
        if (stop - at === width) known = true
      }
      if (!known) offer(at, at + width, unknown, before + unknownScore)
      at += width
    }
  }

  const offer = (at: number, stop: number, piece: number, score: number) => {
    if (begins[stop]! >= 0 && !(score > best[stop]!)) return
    best[stop] = score
    pieces[stop] = piece
    begins[stop] = at
  }

  /** The token of a run of unknown characters, which as a whole may be a piece after all. */
  const pushUnknown = (text: string, start: number, from: number, to: number, output: Segments) => {
    const node = trie.find(text.slice(start + from, start + to))
    const piece = node < 0 ? -1 : trie.value(node)
    if (piece >= 0) return output.push(piece, from, to)
    if (byteIds !== undefined && unknown >= 0) {
      bytes.clear()
      ByteWords.pushBytes(text, start + from, start + to, bytes)
      if (bytes.ids.subarray(0, bytes.length).every((byte) => byteIds[byte]! >= 0)) {
        for (let i = 0; i < bytes.length; i++) {
          output.push(byteIds[bytes.ids[i]!]!, from + bytes.starts[i]!, from + bytes.ends[i]!)
        }
        return
      }
    }
    if (unknown >= 0) output.push(unknown, from, to)
  }

  return (text, start, end, output) => {
    search(text, start, end)
    path.clear()
    for (let stop = end - start; stop > 0; stop = begins[stop]!) path.push(pieces[stop]!, begins[stop]!, stop)
    for (let i = path.length - 1; i >= 0; i--) {
      const from = path.starts[i]!
      if (path.ids[i] !== unknown) {
        output.push(path.ids[i]!, from, path.ends[i]!)
        continue
      }
      while (i > 0 && path.ids[i - 1] === unknown) i--
      pushUnknown(text, start, from, path.ends[i]!, output)
    }
  }
}
