/**
 * From the tokens of texts to an Encoding: truncated, with the special tokens of a template around.
 */
import * as Either from "effect/Either"
import type { EncodeOptions, Encoding, EncodingError, Template, TemplatePiece, TextTokens } from "./Encoding.ts"
import { added } from "./Template.ts"
import { truncate, type Windows } from "./Truncation.ts"

export const assemble = (
  texts: readonly [TextTokens] | readonly [TextTokens, TextTokens],
  template: Template,
  options: EncodeOptions
): Either.Either<Encoding, EncodingError> => {
  const whole = texts.length === 1 ? template.single : template.pair
  const pieces = options.addSpecialTokens === false ? whole.filter(({ _tag }) => _tag === "Sequence") : whole
  return Either.map(truncate(texts, options.truncation, added(pieces)), ([a, b]) => {
    const [first = empty, ...overflowing] = combinations(a, b).map((sequences) => fill(pieces, sequences))
    return { ...first, overflowing }
  })
}

const nothing: TextTokens = { ids: new Int32Array(0), offsets: undefined }

type Sequences = { readonly A: TextTokens; readonly B: TextTokens }

/** The windows of both texts, each with each; what stays of both comes first. */
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
