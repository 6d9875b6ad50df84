/**
 * What a folder's tokenizer_config.json changes in its tokenizer.json: added tokens that the file lacks, and the tokens that
 * begin and end a text.
 *
 * As in transformers, an added token that tokenizer.json has keeps the form it has there; one that it lacks has its id in the
 * vocabulary, or the next free one. `add_bos_token` and `add_eos_token` are said of a template that holds those two tokens at
 * most; any other template (BERT's) stays. Source: transformers 4.57, PreTrainedTokenizerFast and LlamaTokenizerFast.
 */
import type { Roles } from "../../../core/tokenizer/TokenizerFiles.ts"
import type { AddedToken, PostProcessor, TokenizerJson } from "../../../core/tokenizer/TokenizerJson.ts"
import type { NamedToken } from "./FolderConfig.ts"

/** The definition with the tokens that it lacks. */
export const withAddedTokens = (definition: TokenizerJson, named: ReadonlyArray<NamedToken>): TokenizerJson => {
  const known = new Set(definition.added_tokens.map(({ content }) => content))
  // One that a file lists and another gives a role is special.
  const special = new Map(named.filter((token) => token.special).map((token) => [token.content, token]))
  const missing = named
    .filter(({ content }) => !known.has(content) && known.add(content))
    .map((token) => ({ ...(special.get(token.content) ?? token), id: token.id }))
  if (missing.length === 0) return definition
  const vocabulary = idsOf(definition.model)
  const taken = new Set([...vocabulary.values(), ...definition.added_tokens.map(({ id }) => id)])
  let next = Math.max(vocabulary.size, ...definition.added_tokens.map(({ id }) => id + 1))
  const added = missing.map(({ id: wanted, ...token }): AddedToken => {
    const free = wanted === undefined || taken.has(wanted) ? next : wanted
    const id = vocabulary.get(token.content) ?? free
    taken.add(id)
    while (taken.has(next)) next++
    return { ...token, id }
  })
  return { ...definition, added_tokens: [...definition.added_tokens, ...added] }
}

const idsOf = (model: TokenizerJson["model"]): ReadonlyMap<string, number> => {
  const ids = new Map<string, number>()
  if (model.type === "Unigram") {
    model.vocab.forEach((piece, id) => {
      if (Array.isArray(piece) && typeof piece[0] === "string") ids.set(piece[0], id)
    })
  } else {
    for (const [token, id] of Object.entries(model.vocab)) if (typeof id === "number") ids.set(token, id)
  }
  return ids
}

/** Whether a text begins with the token of its beginning, and ends with that of its end; undefined: as the template says. */
export interface Ends {
  readonly add_bos_token?: boolean | null | undefined
  readonly add_eos_token?: boolean | null | undefined
}

export const withEnds = (definition: TokenizerJson, { bos_token, eos_token }: Roles, ends: Ends): TokenizerJson => {
  const held = endsOf(templateOf(definition.post_processor))
  if (held === undefined || !isWithin(held.before, bos_token) || !isWithin(held.after, eos_token)) return definition
  const side = (token: string | undefined, add: boolean) => (add && token !== undefined ? [token] : [])
  const before = side(bos_token, ends.add_bos_token ?? held.before.length > 0)
  const after = side(eos_token, ends.add_eos_token ?? held.after.length > 0)
  if (before.length === held.before.length && after.length === held.after.length) return definition
  const around = (sequence: "A" | "B", typeId: number) => {
    const special = (id: string) => ({ SpecialToken: { id, type_id: typeId } })
    return [...before.map(special), { Sequence: { id: sequence, type_id: typeId } }, ...after.map(special)]
  }
  const idOf = (token: string) => definition.added_tokens.find(({ content }) => content === token)?.id ?? 0
  const rebuilt: PostProcessor = {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries([...before, ...after].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }]))
  }
  return { ...definition, post_processor: joined(trimOf(definition.post_processor), rebuilt) }
}

interface Around {
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

const isWithin = (tokens: ReadonlyArray<string>, token: string | undefined) =>
  tokens.length === 0 || (tokens.length === 1 && tokens[0] === token)

/** The special tokens around one text; undefined for a template that is not made of pieces. */
const endsOf = (template: PostProcessor | undefined): Around | undefined => {
  if (template === undefined) return { before: [], after: [] }
  if (template.type !== "TemplateProcessing") return undefined
  const at = template.single.findIndex((piece) => "Sequence" in piece)
  const tokens = (pieces: typeof template.single) =>
    pieces.flatMap((piece) => ("SpecialToken" in piece ? [piece.SpecialToken.id] : []))
  return { before: tokens(template.single.slice(0, at)), after: tokens(template.single.slice(at + 1)) }
}

/** The part that says what is put around, whatever its type; undefined when nothing is. */
const templateOf = (processor: PostProcessor | null): PostProcessor | undefined =>
  processor === null || processor.type === "ByteLevel"
    ? undefined
    : processor.type === "Sequence"
      ? processor.processors.map(templateOf).find((part) => part !== undefined)
      : processor

/** The part that trims offsets. */
const trimOf = (processor: PostProcessor | null): PostProcessor | undefined =>
  processor?.type === "ByteLevel"
    ? processor
    : processor?.type === "Sequence"
      ? processor.processors.map(trimOf).find((part) => part !== undefined)
      : undefined

const joined = (first: PostProcessor | undefined, second: PostProcessor): PostProcessor =>
  first === undefined ? second : { type: "Sequence", processors: [first, second] }
