/**
 * The files next to a tokenizer.json in a directory of Hugging Face's libraries: roles of special tokens, further added tokens, the
 * chat template, options of some tokenizers; and how they change the tokenizer.json.
 *
 * It reads tokenizer_config.json, special_tokens_map.json for roles that the former lacks, added_tokens.json, chat_template.jinja
 * and chat_template.json, all of which are optional. `clean_up_tokenization_spaces` is ignored: decoding would lose spaces.
 * As in transformers, an added token that tokenizer.json has keeps its form there; one that it lacks gets its id in the vocabulary,
 * or the next free id. `add_bos_token` and `add_eos_token` apply to a template with at most these two tokens; any other template
 * (such as BERT's) is kept. Source: transformers 4.57, tokenization_utils_base.py, PreTrainedTokenizerFast, LlamaTokenizerFast.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Json from "../../core/data/Json.ts"
import { TokenizerFileError } from "../../core/Tokenizer.ts"
import * as TokenizerFiles from "../../core/tokenizer/TokenizerFiles.ts"
import type { AddedToken, PostProcessor, TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import { readOptional } from "./TokenizerFolder.ts"

const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))
const flag = maybe(Schema.Boolean)

const TokenFields = {
  content: Schema.NonEmptyString,
  single_word: flag,
  lstrip: flag,
  rstrip: flag,
  normalized: flag,
  special: flag
}
const Token = Schema.Union(Schema.String, Schema.Struct(TokenFields))
type Token = typeof Token.Type

const SpecialTokens = Schema.Struct({
  bos_token: maybe(Token),
  eos_token: maybe(Token),
  unk_token: maybe(Token),
  sep_token: maybe(Token),
  pad_token: maybe(Token),
  cls_token: maybe(Token),
  mask_token: maybe(Token),
  additional_special_tokens: maybe(Schema.Array(Token))
})
type SpecialTokens = typeof SpecialTokens.Type

const Template = Schema.Union(
  Schema.String,
  Schema.Array(Schema.Struct({ name: Schema.String, template: Schema.String }))
)

const TokenizerConfig = Schema.Struct({
  ...SpecialTokens.fields,
  added_tokens_decoder: maybe(
    Schema.Record({ key: Schema.String.pipe(Schema.pattern(/^[0-9]+$/)), value: Schema.Struct(TokenFields) })
  ),
  chat_template: maybe(Template),
  tokenizer_class: maybe(Schema.String),
  add_bos_token: flag,
  add_eos_token: flag,
  add_prefix_space: flag,
  do_lower_case: flag,
  strip_accents: flag,
  tokenize_chinese_chars: flag
})
type TokenizerConfig = typeof TokenizerConfig.Type

const AddedTokens = Schema.Record({ key: Schema.String, value: Schema.NonNegativeInt }).pipe(
  Schema.filter((ids) => !Object.hasOwn(ids, "") || "a token must not be empty")
)
const ChatTemplateFile = Schema.Struct({ chat_template: Template })

/** An added token of these files. Its id may be that of the vocabulary. */
export interface NamedToken {
  readonly content: string
  readonly id: number | undefined
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

export interface FolderConfig extends Omit<TokenizerConfig, keyof SpecialTokens> {
  readonly roles: TokenizerFiles.Roles
  /** In the order in which they get ids: of tokenizer_config.json, of added_tokens.json, those with a role. */
  readonly addedTokens: ReadonlyArray<NamedToken>
  /** The chat template. */
  readonly chatTemplate: string | undefined
  /** The unchanged files, which are saved with the tokenizer. */
  readonly files: { readonly [fileName: string]: string }
}

const remedy = "The file is damaged, or was not written by a tokenizer library: fix or remove it."

/** Reads the files of a directory. */
export const read = (
  folder: string
): Effect.Effect<FolderConfig, TokenizerFileError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { join } = yield* Path.Path
    const text = (name: string) => readOptional(join(folder, name), remedy)
    const parsed = <A, I>(name: string, schema: Schema.Schema<A, I>) =>
      Effect.gen(function* () {
        const json = yield* text(name)
        const value = json === undefined ? undefined : yield* parse(json, join(folder, name), schema)
        return { files: json === undefined ? {} : { [name]: json }, value }
      })
    const config = yield* parsed(TokenizerFiles.configFile, TokenizerConfig)
    const map = yield* parsed(TokenizerFiles.mapFile, SpecialTokens)
    const added = yield* parsed("added_tokens.json", AddedTokens)
    const template = yield* parsed("chat_template.json", ChatTemplateFile)
    const jinja = yield* text("chat_template.jinja")

    const decoder = Object.entries(config.value?.added_tokens_decoder ?? {})
    const special = specialTokens(config.value, map.value)
    return {
      ...config.value,
      roles: special.roles,
      addedTokens: [
        ...decoder.map(([id, token]) => named(token, Number(id))),
        ...Object.entries(added.value ?? {}).map(([content, id]) => named({ content }, id)),
        ...special.tokens.map((token) => named({ ...fieldsOf(token), special: true }, undefined))
      ],
      chatTemplate: jinja ?? defaultOf(template.value?.chat_template) ?? defaultOf(config.value?.chat_template),
      files: {
        ...config.files,
        ...map.files,
        ...template.files,
        ...(jinja === undefined ? {} : { "chat_template.jinja": jinja })
      }
    }
  })

/** Decodes JSON that may have further keys. */
export const parse = <A, I>(
  text: string,
  path: string,
  schema: Schema.Schema<A, I>
): Effect.Effect<A, TokenizerFileError> =>
  Effect.gen(function* () {
    const json = yield* Effect.mapError(
      Json.parse(text),
      (details) => new TokenizerFileError({ path, key: "", details: `${details}.`, remedy })
    )
    return yield* Effect.mapError(
      Schema.decodeUnknown(schema, { errors: "all" })(json),
      (error) => new TokenizerFileError({ path, remedy, ...TokenizerFiles.invalidPart(error) })
    )
  })

type Fields = Exclude<Token, string>

const fieldsOf = (token: Token): Fields => (typeof token === "string" ? { content: token } : token)

const named = (token: Fields, id: number | undefined): NamedToken => {
  const special = token.special ?? false
  return {
    content: token.content,
    id,
    single_word: token.single_word ?? false,
    lstrip: token.lstrip ?? false,
    rstrip: token.rstrip ?? false,
    normalized: token.normalized ?? !special,
    special
  }
}

/** TokenizerFiles.Roles, and the tokens that have them. The first file that names a role counts. */
const specialTokens = (
  ...files: ReadonlyArray<SpecialTokens | undefined>
): { readonly roles: TokenizerFiles.Roles; readonly tokens: ReadonlyArray<Token> } => {
  const given = <Role extends keyof SpecialTokens>(role: Role) => files.find((file) => file?.[role])?.[role]
  const single = TokenizerFiles.roleNames.flatMap((role) => {
    const token = given(role)
    return token === undefined || token === null || token === "" ? [] : [[role, token] as const]
  })
  const additional = given("additional_special_tokens") ?? []
  return {
    roles: {
      ...Object.fromEntries(single.map(([role, token]) => [role, fieldsOf(token).content])),
      ...(additional.length === 0
        ? {}
        : { additional_special_tokens: additional.map((token) => fieldsOf(token).content) })
    },
    tokens: [...single.map(([, token]) => token), ...additional].filter((token) => token !== "")
  }
}

/** The template, or of several templates the one named default. */
const defaultOf = (template: typeof Template.Type | null | undefined): string | undefined =>
  typeof template === "string" ? template : template?.find(({ name }) => name === "default")?.template

/** Adds the tokens that the tokenizer.json lacks. */
export const withAddedTokens = (definition: TokenizerJson, named: ReadonlyArray<NamedToken>): TokenizerJson => {
  const known = new Set(definition.added_tokens.map(({ content }) => content))
  // A token that one file lists and another gives a role is special.
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

/** Whether a text begins with the bos token and ends with the eos token. Undefined: as in the template. */
export interface Ends {
  readonly add_bos_token?: boolean | null | undefined
  readonly add_eos_token?: boolean | null | undefined
}

/** Changes the template so that it adds the bos and eos tokens or not. */
export const withEnds = (
  definition: TokenizerJson,
  { bos_token, eos_token }: TokenizerFiles.Roles,
  ends: Ends
): TokenizerJson => {
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
  const ids = new Map(definition.added_tokens.map(({ content, id }) => [content, id]))
  // Without an id there is nothing to put around a text.
  if ([...before, ...after].some((token) => !ids.has(token))) return definition
  const rebuilt: PostProcessor = {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries(
      [...before, ...after].map((id) => [id, { id, ids: [ids.get(id)!], tokens: [id] }])
    )
  }
  return { ...definition, post_processor: joined(trimOf(definition.post_processor), rebuilt) }
}

interface Around {
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
}

const isWithin = (tokens: ReadonlyArray<string>, token: string | undefined) =>
  tokens.length === 0 || (tokens.length === 1 && tokens[0] === token)

/** The special tokens around one text. Undefined for a template that is not a list of pieces. */
const endsOf = (template: PostProcessor | undefined): Around | undefined => {
  if (template === undefined) return { before: [], after: [] }
  if (template.type !== "TemplateProcessing") return undefined
  const at = template.single.findIndex((piece) => "Sequence" in piece)
  const tokens = (pieces: typeof template.single) =>
    pieces.flatMap((piece) => ("SpecialToken" in piece ? [piece.SpecialToken.id] : []))
  return { before: tokens(template.single.slice(0, at)), after: tokens(template.single.slice(at + 1)) }
}

/** The part that adds special tokens, of any type. Undefined when there is none. */
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
