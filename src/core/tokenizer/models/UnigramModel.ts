/**
 * Unigram: the segmentation of highest probability, where every piece has its own probability (Viterbi's algorithm).
 *
 * A character that is not a piece costs 10 more than the rarest piece. Adjacent characters of that kind become one unknown token,
 * or with byte fallback the tokens of their bytes; without an unknown token they give nothing. Of two segmentations of equal
 * probability the first one found is kept: its last piece begins further left. The cost is the length of the word times the
 * length of the longest piece.
 * Source: Kudo 2018, https://arxiv.org/abs/1804.10959; Hugging Face tokenizers 0.23, models/unigram.
 */
import * as Either from "effect/Either"
import { plural } from "../../Plural.ts"
import * as ByteAlphabet from "../ByteAlphabet.ts"
import { TokenRanges } from "../TokenIds.ts"
import type * as TokenizerJson from "../TokenizerJson.ts"
import * as TokenModel from "./TokenModel.ts"
import { makeTrie, type Trie } from "./Vocabulary.ts"

const UNKNOWN_PENALTY = 10
/** Arrays that grew to more units than this for a long word are not kept. */
const KEPT = 1 << 16

/** The model that a file describes. With `byteLevel`, words are ordinary text and tokens represent their bytes. */
export const make = (
  spec: TokenizerJson.Unigram,
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel.TokenModel, TokenizerJson.InvalidComponent> =>
  Either.gen(function* () {
    const { scores, tokens, trie } = yield* readPieces(spec.vocab)
    const unknown = spec.unk_id ?? -1
    if (unknown >= tokens.length) {
      return yield* Either.left({
        key: "model.unk_id",
        details: `is ${unknown}, but there are ${plural(tokens.length, "token")}.`
      })
    }
    const idOf = (token: string) => {
      const node = trie.find(token)
      const id = node < 0 ? -1 : trie.value(node)
      return id < 0 ? undefined : id
    }
    const byteIds = spec.byte_fallback ? ByteAlphabet.byteTokenIds(idOf) : undefined
    const segment = viterbi({ trie, scores, unknown, byteIds })
    return TokenModel.make({
      tokens,
      idOf,
      unknownToken: spec.unk_id ?? undefined,
      total:
        (options.byteLevel && ByteAlphabet.isComplete(idOf)) ||
        (unknown >= 0 && byteIds?.every((id) => id >= 0) === true),
      segment: options.byteLevel ? TokenModel.segmentBytes(segment) : segment
    })
  })

interface Pieces {
  readonly tokens: ReadonlyArray<string>
  readonly scores: Float64Array
  /** Ids by piece. Of two equal pieces the later one counts. */
  readonly trie: Trie
}

const readPieces = (vocab: ReadonlyArray<unknown>): Either.Either<Pieces, TokenizerJson.InvalidComponent> => {
  const tokens: Array<string> = []
  const scores = new Float64Array(vocab.length)
  const trie = makeTrie(vocab.length)
  for (let id = 0; id < vocab.length; id++) {
    const piece: unknown = vocab[id]
    const [token, score]: ReadonlyArray<unknown> = Array.isArray(piece) ? piece : []
    if (typeof token !== "string" || !Number.isFinite(score) || typeof score !== "number") {
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

const viterbi = ({ byteIds, scores, trie, unknown }: Rules): TokenModel.Segment => {
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY
  // The best segmentation that ends at each place of the word: its score, its last piece and where that begins.
  let best = new Float64Array(256)
  let pieces = new Int32Array(256)
  let begins = new Int32Array(256)
  const path = new TokenRanges()
  const bytes = new TokenRanges()

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

  /** Appends the tokens of a run of unknown characters, which as a whole may still be a piece. */
  const pushUnknown = (text: string, start: number, from: number, to: number, output: TokenRanges) => {
    const node = trie.find(text.slice(start + from, start + to))
    const piece = node < 0 ? -1 : trie.value(node)
    if (piece >= 0) return output.push(piece, from, to)
    if (byteIds !== undefined && unknown >= 0) {
      bytes.clear()
      TokenModel.pushBytes(text, start + from, start + to, bytes)
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
