/**
 * Reads the bytes of a SentencePiece model and translates it to a tokenizer.json with the same ids. A separate module, so that the
 * protobuf library is loaded with the first model and not with the list of plugins.
 *
 * The character map is kept, extra white space is removed by replacing runs of spaces, and spaces become ▁ with one before the
 * text. User-defined pieces take precedence over all others: in Unigram they have the score that SentencePiece gives them; in other
 * models they are added tokens, so that a text that begins with one has no ▁ before it. Control pieces are special tokens, which no
 * text encodes to. Models of whole words are refused: SentencePiece joins adjacent unknown words to one token, which a
 * tokenizer.json cannot express.
 * Source: SentencePiece 0.2, sentencepiece_model.proto, normalizer.cc, bpe_model.cc, unigram_model.cc.
 */
import { fromBinary } from "@bufbuild/protobuf"
import * as Either from "effect/Either"
import { encodeBase64 } from "effect/Encoding"
import type { Roles } from "../../../core/tokenizer/TokenizerFiles.ts"
import {
  type AddedToken,
  bpe,
  type InvalidComponent,
  make,
  type Normalizer,
  type PostProcessor,
  type PreTokenizer,
  specialToken,
  type TokenizerJson
} from "../../../core/tokenizer/TokenizerJson.ts"
import {
  type ModelProto,
  ModelProtoSchema,
  TrainerSpec_ModelType as ModelType,
  type TrainerSpec,
  ModelProto_SentencePiece_Type as Type
} from "./gen/sentencepiece_model_pb.ts"

/** Whether a text begins with the bos piece and ends with the eos piece. */
export interface Ends {
  readonly add_bos_token: boolean
  readonly add_eos_token: boolean
}

/** A translated model. */
export interface Translation {
  readonly definition: TokenizerJson
  readonly roles: Roles
}

/** A piece with its id. */
interface Piece {
  readonly id: number
  readonly text: string
  readonly score: number
  readonly type: Type
}

/** Reads a model file. */
export const read = (bytes: Uint8Array, ends: Ends): Either.Either<Translation, InvalidComponent> =>
  Either.gen(function* () {
    const model = yield* Either.try({
      try: () => fromBinary(ModelProtoSchema, bytes),
      catch: (cause) => ({
        key: "",
        details: `is not a SentencePiece model (${cause instanceof Error ? cause.message : cause}).`
      })
    })
    return yield* toTokenizerJson(model, ends)
  })

const toTokenizerJson = (model: ModelProto, ends: Ends): Either.Either<Translation, InvalidComponent> =>
  Either.gen(function* () {
    const trainer = model.trainerSpec
    const normalizer = model.normalizerSpec
    const pieces = model.pieces.map(({ piece, score, type }, id): Piece => ({ id, text: piece, score, type }))
    if (pieces.length === 0) return yield* invalid("pieces", "are missing: it is not a SentencePiece model.")
    if (trainer === undefined)
      return yield* invalid("trainer_spec", "is missing, so the type of the model is not known.")
    if (trainer.modelType === ModelType.WORD) {
      return yield* invalid("trainer_spec.model_type", "is WORD, which codex does not support.")
    }
    if (trainer.treatWhitespaceAsSuffix) {
      return yield* invalid("trainer_spec.treat_whitespace_as_suffix", "is true, which codex does not support.")
    }
    const unknown = pieces.find(({ type }) => type === Type.UNKNOWN)
    if (unknown === undefined) return yield* invalid("pieces", "have none of type UNKNOWN.")

    const unused = pieces.find(({ type }) => type === Type.UNUSED)
    if (unused !== undefined) {
      return yield* invalid(`pieces[${unused.id}]`, "has the type UNUSED, which codex does not support.")
    }

    const unigram = trainer.modelType === ModelType.UNIGRAM
    const isAdded = ({ type }: Piece) =>
      type === Type.CONTROL || type === Type.UNKNOWN || (type === Type.USER_DEFINED && !unigram)
    const control = (id: number) => (pieces[id]?.type === Type.CONTROL ? pieces[id].text : undefined)
    const roles: Roles = {
      bos_token: control(trainer.bosId),
      eos_token: control(trainer.eosId),
      unk_token: unknown.text,
      pad_token: control(trainer.padId)
    }
    const spaces: Spaces = {
      mark: (normalizer?.escapeWhitespaces ?? true) ? "▁" : " ",
      prefix: !(normalizer?.addDummyPrefix ?? true)
        ? "never"
        : pieces.some((piece) => piece.type === Type.USER_DEFINED && isAdded(piece))
          ? "first"
          : "always",
      removeExtra: normalizer?.removeExtraWhitespaces ?? true
    }
    return {
      roles,
      definition: make({
        added_tokens: pieces.filter(isAdded).map(addedToken),
        normalizer: normalizerOf(normalizer?.precompiledCharsmap ?? new Uint8Array(), spaces),
        pre_tokenizer: preTokenizerOf(pieces, spaces),
        post_processor: templateOf(pieces, trainer, ends),
        decoder: {
          type: "Sequence",
          decoders: [
            { type: "Replace", pattern: { String: "▁" }, content: " " },
            { type: "ByteFallback" },
            { type: "Fuse" },
            ...(spaces.prefix === "never" ? [] : [{ type: "Strip", content: " ", start: 1, stop: 0 } as const])
          ]
        },
        model: modelOf(pieces, unknown, trainer)
      })
    }
  })

const invalid = (key: string, details: string) => Either.left({ key, details })

const addedToken = ({ id, text, type }: Piece): AddedToken => ({
  ...specialToken(id, text),
  // A ▁ is in the normalized text only.
  normalized: text.includes("▁"),
  special: type !== Type.USER_DEFINED
})

interface Spaces {
  /** What represents a space. */
  readonly mark: string
  /** Whether one is added before the text. "first": not before text that follows an added token. */
  readonly prefix: "always" | "first" | "never"
  readonly removeExtra: boolean
}

const normalizerOf = (charsmap: Uint8Array, { mark, prefix, removeExtra }: Spaces): Normalizer => ({
  type: "Sequence",
  normalizers: [
    ...(charsmap.length === 0 ? [] : [{ type: "Precompiled", precompiled_charsmap: encodeBase64(charsmap) } as const]),
    ...(removeExtra
      ? [
          // A ▁ in the text is a space only at its end, as in SentencePiece.
          { type: "Replace", pattern: { Regex: "\\A +|[ ▁]+\\z" }, content: "" } as const,
          { type: "Replace", pattern: { Regex: " {2,}" }, content: " " } as const
        ]
      : []),
    ...(prefix === "always" ? [{ type: "Prepend", prepend: mark } as const] : []),
    ...(mark === " " ? [] : [{ type: "Replace", pattern: { String: " " }, content: mark } as const])
  ]
})

/**
 * SentencePiece segments a whole text at once. If no piece has a ▁ after another character, splitting before ▁ gives the same ids,
 * and words can be cached.
 */
const preTokenizerOf = (pieces: ReadonlyArray<Piece>, { mark, prefix }: Spaces): PreTokenizer | null => {
  const texts = pieces.flatMap(({ text, type }) => (type === Type.NORMAL || type === Type.USER_DEFINED ? [text] : []))
  const marks = texts.includes("▁") && mark === "▁"
  const single = marks && texts.every((text) => text.lastIndexOf("▁") <= 0)
  const runs = marks && texts.every((text) => /^▁*[^▁]*$/.test(text))
  const steps: ReadonlyArray<PreTokenizer> = [
    ...(single || prefix === "first"
      ? [
          {
            type: "Metaspace",
            replacement: mark,
            prepend_scheme: prefix === "first" ? "first" : "never",
            split: single
          } as const
        ]
      : []),
    ...(!single && runs
      ? [{ type: "Split", pattern: { Regex: "▁+[^▁]*|[^▁]+" }, behavior: "Isolated", invert: false } as const]
      : [])
  ]
  const [only] = steps
  return only === undefined ? null : steps.length === 1 ? only : { type: "Sequence", pretokenizers: steps }
}

const templateOf = (pieces: ReadonlyArray<Piece>, trainer: TrainerSpec, ends: Ends): PostProcessor | null => {
  const control = (id: number, wanted: boolean) =>
    pieces.filter((piece) => wanted && piece.id === id && piece.type === Type.CONTROL)
  const before = control(trainer.bosId, ends.add_bos_token)
  const after = control(trainer.eosId, ends.add_eos_token)
  if (before.length + after.length === 0) return null
  const around = (sequence: "A" | "B", type_id: number) => {
    const special = ({ text }: Piece) => ({ SpecialToken: { id: text, type_id } })
    return [...before.map(special), { Sequence: { id: sequence, type_id } }, ...after.map(special)]
  }
  return {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries(
      [...before, ...after].map(({ id, text }) => [text, { id: text, ids: [id], tokens: [text] }])
    )
  }
}

const modelOf = (pieces: ReadonlyArray<Piece>, unknown: Piece, trainer: TrainerSpec): TokenizerJson["model"] => {
  if (trainer.modelType === ModelType.UNIGRAM) {
    // The score of a user-defined piece in SentencePiece, so that it is always used: 0.1 below the best score, or below 0.
    const best = pieces.reduce((most, { score, type }) => (type === Type.NORMAL ? Math.max(most, score) : most), 0)
    const bytes = (text: string) => new TextEncoder().encode(text).length
    return {
      type: "Unigram",
      unk_id: unknown.id,
      byte_fallback: trainer.byteFallback,
      vocab: pieces.map(({ score, text, type }) => [
        text,
        type === Type.USER_DEFINED ? bytes(text) * best - 0.1 : score
      ])
    }
  }
  const vocab = Object.fromEntries(pieces.map(({ id, text }) => [text, id]))
  return bpe({
    unk_token: unknown.text,
    fuse_unk: true,
    byte_fallback: trainer.byteFallback,
    vocab,
    merges: trainer.modelType === ModelType.BPE ? mergesOf(pieces.filter(({ type }) => type === Type.NORMAL)) : []
  })
}

/**
 * The merges of a BPE model, which has pieces and scores only. SentencePiece joins the adjacent symbols whose text together is the
 * piece of the highest score; so every way to split a piece into two pieces is a merge, in the order of scores.
 */
const mergesOf = (pieces: ReadonlyArray<Piece>): ReadonlyArray<readonly [string, string]> => {
  const known = new Set(pieces.map(({ text }) => text))
  const merges: Array<readonly [string, string]> = []
  for (const { text } of [...pieces].sort((a, b) => b.score - a.score)) {
    for (let at = 1; at < text.length; at++) {
      const [left, right] = [text.slice(0, at), text.slice(at)]
      if (known.has(left) && known.has(right)) merges.push([left, right])
    }
  }
  return merges
}
