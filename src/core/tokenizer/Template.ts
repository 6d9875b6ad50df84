/**
 * The `post_processor` of a tokenizer.json: which special tokens stand around one text and around two, and whether offsets
 * leave out the white space that a token begins or ends with.
 */
import * as Either from "effect/Either"
import type { Template, TemplatePiece } from "./Encoding.ts"
import type { Problem } from "./Problem.ts"
import type { PostProcessor } from "./TokenizerJson.ts"

/** How a byte-level post-processor trims offsets: `addPrefixSpace` spares the space that was put before the text. */
export interface Trim {
  readonly addPrefixSpace: boolean
}

export interface PostProcessing {
  readonly template: Template
  readonly trim: Trim | undefined
}

const sequence = (id: "A" | "B", typeId: number): TemplatePiece => ({ _tag: "Sequence", id, typeId })
const special = (id: number, typeId: number): TemplatePiece => ({ _tag: "Special", ids: [id], typeId })

/** Nothing around a text; of a pair the second has type 1. */
export const plain: Template = { single: [sequence("A", 0)], pair: [sequence("A", 0), sequence("B", 1)] }

export const make = (spec: PostProcessor | null, key = "post_processor"): Either.Either<PostProcessing, Problem> => {
  if (spec === null) return Either.right({ template: plain, trim: undefined })
  switch (spec.type) {
    case "ByteLevel":
      return Either.right({
        template: plain,
        trim: spec.trim_offsets ? { addPrefixSpace: spec.add_prefix_space } : undefined
      })
    case "BertProcessing": {
      const [cls, sep] = [spec.cls[1], spec.sep[1]]
      const single = [special(cls, 0), sequence("A", 0), special(sep, 0)]
      return Either.right({
        template: { single, pair: [...single, sequence("B", 1), special(sep, 1)] },
        trim: undefined
      })
    }
    case "RobertaProcessing": {
      const [cls, sep] = [spec.cls[1], spec.sep[1]]
      const single = [special(cls, 0), sequence("A", 0), special(sep, 0)]
      return Either.right({
        template: { single, pair: [...single, special(sep, 0), sequence("B", 0), special(sep, 0)] },
        trim: spec.trim_offsets ? { addPrefixSpace: spec.add_prefix_space } : undefined
      })
    }
    case "TemplateProcessing":
      return Either.gen(function* () {
        const side = (name: "single" | "pair") =>
          Either.all(
            spec[name].map((piece, i): Either.Either<TemplatePiece, Problem> => {
              if ("Sequence" in piece) return Either.right(sequence(piece.Sequence.id, piece.Sequence.type_id))
              const { id, type_id: typeId } = piece.SpecialToken
              const token = Object.hasOwn(spec.special_tokens, id) ? spec.special_tokens[id] : undefined
              return token === undefined
                ? Either.left({
                    key: `${key}.${name}[${i}]`,
                    details: `names ${JSON.stringify(id)}, which special_tokens lacks.`
                  })
                : Either.right({ _tag: "Special", ids: token.ids, typeId })
            })
          )
        return { template: { single: yield* side("single"), pair: yield* side("pair") }, trim: undefined }
      })
    case "Sequence":
      return Either.gen(function* () {
        let result: PostProcessing = { template: plain, trim: undefined }
        for (const [i, part] of spec.processors.entries()) {
          const { template, trim } = yield* make(part, `${key}.processors[${i}]`)
          if (template !== plain && result.template !== plain) {
            return yield* Either.left({
              key: `${key}.processors[${i}]`,
              details: "is a second template, and only one is understood."
            })
          }
          result = { template: template === plain ? result.template : template, trim: trim ?? result.trim }
        }
        return result
      })
  }
}

/** Special tokens that a template adds. */
export const added = (pieces: ReadonlyArray<TemplatePiece>): number =>
  pieces.reduce((sum, piece) => sum + (piece._tag === "Special" ? piece.ids.length : 0), 0)

const isSpace = (character: string | undefined) =>
  character !== undefined && (character === "Ġ" || /\p{White_Space}/u.test(character))

/** Offsets of tokens without the white space at their ends, in place. `token` gives the written form of token i. */
export const trimOffsets = (offsets: Int32Array, token: (i: number) => string, { addPrefixSpace }: Trim): void => {
  for (let i = 0; i < offsets.length / 2; i++) {
    const text = token(i)
    let leading = 0
    while (isSpace(text[leading])) leading++
    let trailing = 0
    while (isSpace(text[text.length - 1 - trailing])) trailing++
    const [start, end] = [offsets[2 * i]!, offsets[2 * i + 1]!]
    if (leading > 0 && addPrefixSpace && start === 0) leading--
    const from = Math.min(start + leading, end)
    offsets[2 * i] = from
    if (trailing > 0 && end >= trailing) offsets[2 * i + 1] = Math.max(end - trailing, from)
  }
}
