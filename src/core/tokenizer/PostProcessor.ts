/**
 * The `post_processor` of a tokenizer.json: the special tokens around one text and around two, and whether offsets exclude the
 * white space that a token begins or ends with.
 */
import * as Either from "effect/Either"
import { plainTemplate, type Template, type TemplatePiece } from "./Encoding.ts"
import type { InvalidComponent, PostProcessor } from "./TokenizerJson.ts"

/** How a byte-level post-processor trims offsets: `addPrefixSpace` keeps the space that was added before the text. */
export interface Trim {
  readonly addPrefixSpace: boolean
}

export interface PostProcessing {
  readonly template: Template
  readonly trim: Trim | undefined
}

const sequence = (id: "A" | "B", typeId: number): TemplatePiece => ({ _tag: "Sequence", id, typeId })
const special = (id: number, typeId: number): TemplatePiece => ({ _tag: "Special", ids: [id], typeId })

export const make = (
  spec: PostProcessor | null,
  key = "post_processor"
): Either.Either<PostProcessing, InvalidComponent> => {
  if (spec === null) return Either.right({ template: plainTemplate, trim: undefined })
  switch (spec.type) {
    case "ByteLevel":
      return Either.right({
        template: plainTemplate,
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
            spec[name].map((piece, i): Either.Either<TemplatePiece, InvalidComponent> => {
              if ("Sequence" in piece) return Either.right(sequence(piece.Sequence.id, piece.Sequence.type_id))
              const { id, type_id: typeId } = piece.SpecialToken
              const token = Object.hasOwn(spec.special_tokens, id) ? spec.special_tokens[id] : undefined
              return token === undefined
                ? Either.left({
                    key: `${key}.${name}[${i}]`,
                    details: `names ${JSON.stringify(id)}, which is not in special_tokens.`
                  })
                : Either.right({ _tag: "Special", ids: token.ids, typeId })
            })
          )
        return { template: { single: yield* side("single"), pair: yield* side("pair") }, trim: undefined }
      })
    case "Sequence":
      return Either.gen(function* () {
        let result: PostProcessing = { template: plainTemplate, trim: undefined }
        for (const [i, part] of spec.processors.entries()) {
          const { template, trim } = yield* make(part, `${key}.processors[${i}]`)
          if (template !== plainTemplate && result.template !== plainTemplate) {
            return yield* Either.left({
              key: `${key}.processors[${i}]`,
              details: "is a second template, but only one is supported."
            })
          }
          result = { template: template === plainTemplate ? result.template : template, trim: trim ?? result.trim }
        }
        return result
      })
  }
}

const isSpace = (character: string | undefined) =>
  character !== undefined && (character === "Ġ" || /\p{White_Space}/u.test(character))

/** Removes the white space at the ends of tokens from their offsets, in place. `token` gives the written form of token i. */
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
