/**
 * Encodings: the tokens of a text or a pair of texts, truncated, with the special tokens of a template around them.
 *
 * The names are those of Hugging Face's Encoding; truncation follows its truncate_encodings.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { plural } from "../Plural.ts"

/** The tokens of a text or a pair of texts. All arrays have one entry per token, offsets have two. */
export interface Encoding {
  readonly ids: Int32Array
  /** The type of a token, which tells the model which sequence it belongs to: 0 or 1 (`token_type_ids`). */
  readonly typeIds: Int32Array
  /** 1 for special tokens that the template added and for padding, 0 for tokens of the text. */
  readonly specialTokensMask: Int32Array
  /** 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array
  /** 0 for tokens of the text, 1 for those of its pair, −1 for special tokens and padding. */
  readonly sequenceIds: Int32Array
  /**
   * Token i represents the UTF-16 units [offsets[2i], offsets[2i + 1]) of its text; tokens of parts of one character have the
   * whole character. Special tokens and padding have 0, 0. Undefined when the tokenizer does not know.
   */
  readonly offsets: Int32Array | undefined
  /** The tokens that truncation removed, in windows of at most the same length. */
  readonly overflowing: ReadonlyArray<Encoding>
}

/** The special tokens around one text and around two: a list of special tokens and of the sequences A and B. */
export interface Template {
  readonly single: ReadonlyArray<TemplatePiece>
  readonly pair: ReadonlyArray<TemplatePiece>
}

/** A part of a template: special tokens, or the place of a text. */
export type TemplatePiece =
  | { readonly _tag: "Sequence"; readonly id: "A" | "B"; readonly typeId: number }
  | { readonly _tag: "Special"; readonly ids: ReadonlyArray<number>; readonly typeId: number }

/** The ids of a text and their offsets, before special tokens are added. */
export interface TextTokens {
  readonly ids: Int32Array
  readonly offsets: Int32Array | undefined
}

/** How encodings are truncated. */
export interface Truncation {
  /** Largest number of tokens of an encoding, including special tokens. */
  readonly maxLength: number
  /** The side that is removed. Default "right". */
  readonly side?: "left" | "right"
  /** Number of tokens that a window of the overflow repeats from the window before. Default 0. */
  readonly stride?: number
  /** For a pair: shorten the longer text first, or only one of the texts. Default "longest_first". */
  readonly strategy?: "longest_first" | "only_first" | "only_second"
}

/** Options of encoding one text or pair. */
export interface EncodeOptions {
  /** Adds the special tokens of the tokenizer's template. Default true. */
  readonly addSpecialTokens?: boolean
  /** Special tokens in the text are encoded as ordinary text. Default true, unlike in Hugging Face's libraries. */
  readonly splitSpecialTokens?: boolean
  readonly truncation?: Truncation
}

/** Options that cannot be used: a length without room for the text, rows of different lengths, no pad token. */
export class EncodingError extends Schema.TaggedError<EncodingError>()("EncodingError", {
  option: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.option} ${this.details} ${this.remedy}`
  }
}

/** The template that adds nothing. The second text of a pair has type 1. */
export const plainTemplate: Template = {
  single: [{ _tag: "Sequence", id: "A", typeId: 0 }],
  pair: [
    { _tag: "Sequence", id: "A", typeId: 0 },
    { _tag: "Sequence", id: "B", typeId: 1 }
  ]
}

/** The encoding of one text or two: truncated, and inside the template. */
export const assemble = (
  texts: readonly [TextTokens] | readonly [TextTokens, TextTokens],
  template: Template,
  options: EncodeOptions
): Either.Either<Encoding, EncodingError> => {
  const whole = texts.length === 1 ? template.single : template.pair
  const pieces = options.addSpecialTokens === false ? whole.filter(({ _tag }) => _tag === "Sequence") : whole
  return Either.map(truncate(texts, options.truncation, countSpecial(pieces)), ([a, b]) => {
    const [first = empty, ...overflowing] = combinations(a, b).map((sequences) => fill(pieces, sequences))
    return { ...first, overflowing }
  })
}

const nothing: TextTokens = { ids: new Int32Array(0), offsets: undefined }

type Sequences = { readonly A: TextTokens; readonly B: TextTokens }

/** All combinations of a window of each text; what is kept of both comes first. */
const combinations = (a: Windows | undefined, b: Windows | undefined): ReadonlyArray<Sequences> => {
  const [first = nothing, ...rest] = a ?? []
  const others = b ?? [nothing]
  const [second = nothing] = others
  return [
    { A: first, B: second },
    ...rest.flatMap((A) => others.map((B) => ({ A, B }))),
    ...others.slice(1).map((B) => ({ A: first, B }))
  ]
}

const fill = (pieces: ReadonlyArray<TemplatePiece>, sequences: Sequences): Encoding => {
  const length = pieces.reduce(
    (sum, piece) => sum + (piece._tag === "Special" ? piece.ids.length : sequences[piece.id].ids.length),
    0
  )
  const known = pieces.every((piece) => piece._tag === "Special" || sequences[piece.id].offsets !== undefined)
  const encoding = {
    ids: new Int32Array(length),
    typeIds: new Int32Array(length),
    specialTokensMask: new Int32Array(length),
    attentionMask: new Int32Array(length).fill(1),
    sequenceIds: new Int32Array(length),
    offsets: known ? new Int32Array(2 * length) : undefined,
    overflowing: []
  }
  let at = 0
  for (const piece of pieces) {
    const special = piece._tag === "Special"
    const ids = special ? piece.ids : sequences[piece.id].ids
    const end = at + ids.length
    encoding.ids.set(ids, at)
    encoding.typeIds.fill(piece.typeId, at, end)
    encoding.specialTokensMask.fill(special ? 1 : 0, at, end)
    encoding.sequenceIds.fill(special ? -1 : piece.id === "A" ? 0 : 1, at, end)
    const offsets = special ? undefined : sequences[piece.id].offsets
    if (offsets !== undefined) encoding.offsets?.set(offsets, 2 * at)
    at = end
  }
  return encoding
}

const empty: Encoding = fill([], { A: nothing, B: nothing })

/** The tokens that are kept, then the windows of those that are removed. */
type Windows = readonly [TextTokens, ...ReadonlyArray<TextTokens>]

/** The windows of each text, when `taken` tokens of the length are special tokens. */
const truncate = (
  texts: readonly [TextTokens] | readonly [TextTokens, TextTokens],
  truncation: Truncation | undefined,
  taken: number
): Either.Either<ReadonlyArray<Windows>, EncodingError> => {
  if (truncation === undefined) return Either.right(texts.map((text): Windows => [text]))
  const { maxLength, side = "right", strategy = "longest_first", stride = 0 } = truncation
  const wrong = (option: string, details: string, remedy: string) =>
    Either.left(new EncodingError({ option: `truncation.${option}`, details, remedy }))
  if (!Number.isSafeInteger(maxLength) || maxLength <= taken) {
    return wrong(
      "maxLength",
      `is ${maxLength}, which leaves no token for the text after ${plural(taken, "special token")}.`,
      `Use a whole number above ${taken}.`
    )
  }
  if (!Number.isSafeInteger(stride) || stride < 0) return wrong("stride", `is ${stride}.`, "Use 0 or more tokens.")
  const [first, second] = texts
  const lengths = shares(strategy, maxLength - taken, first.ids.length, second?.ids.length)
  const short = strategy !== "longest_first" && second !== undefined && lengths.some((length) => length <= 0)
  if (short || (second === undefined && strategy === "only_second")) {
    return wrong(
      "strategy",
      `is ${strategy}, but that text has too few tokens to shorten the pair to ${plural(maxLength, "token")}.`,
      'Use "longest_first", or a larger maxLength.'
    )
  }
  const tight = texts.findIndex(({ ids }, i) => ids.length > lengths[i]! && lengths[i]! > 0 && stride >= lengths[i]!)
  if (tight >= 0) {
    return wrong(
      "stride",
      `is ${stride}, but a window has ${plural(lengths[tight]!, "token")} of the text.`,
      "Use a smaller stride, or a larger maxLength."
    )
  }
  return Either.right(texts.map((text, i) => windows(text, lengths[i]!, stride, side)))
}

/** How many tokens of each text are kept. */
const shares = (
  strategy: NonNullable<Truncation["strategy"]>,
  room: number,
  first: number,
  second: number | undefined
): ReadonlyArray<number> => {
  const total = first + (second ?? 0)
  if (total <= room) return second === undefined ? [first] : [first, second]
  if (second === undefined) return [room]
  if (strategy === "only_first") return [room - second, second]
  if (strategy === "only_second") return [first, room - first]
  const shorter = Math.min(first, second)
  const half = room >> 1
  // The longer text is shortened first; then both in turn, and the second keeps an odd token.
  if (shorter > half) {
    const odd = room - half
    return first > second ? [odd, half] : [half, odd]
  }
  return first > second ? [room - second, second] : [first, room - first]
}

const windows = (text: TextTokens, length: number, stride: number, side: "left" | "right"): Windows => {
  const n = text.ids.length
  if (n <= length) return [text]
  if (length === 0) return [part(text, 0, 0), text]
  const starts: Array<number> = []
  for (let at = 0; ; at += length - stride) {
    starts.push(side === "right" ? at : Math.max(0, n - at - length))
    if (at + length >= n) break
  }
  const [first, ...rest] = starts.map((start, i) =>
    side === "right" ? part(text, start, Math.min(n, start + length)) : part(text, start, n - i * (length - stride))
  )
  return [first!, ...rest]
}

const part = ({ ids, offsets }: TextTokens, start: number, end: number): TextTokens => ({
  ids: ids.subarray(start, end),
  offsets: offsets?.subarray(2 * start, 2 * end)
})

/** Number of special tokens of a template. */
const countSpecial = (pieces: ReadonlyArray<TemplatePiece>): number =>
  pieces.reduce((sum, piece) => sum + (piece._tag === "Special" ? piece.ids.length : 0), 0)
