/**
 * What a Hugging Face folder says beside its tokenizer.json: the special tokens by what they are for, further added tokens,
 * the chat template, and switches of certain tokenizers.
 *
 * Read are tokenizer_config.json, then special_tokens_map.json for what it does not say, added_tokens.json,
 * chat_template.jinja and chat_template.json. None of them need be there. `clean_up_tokenization_spaces` is passed over: it
 * would make decoding lose spaces. Source: transformers 4.57, tokenization_utils_base.py.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { ArrayFormatter } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { TokenizerFileError } from "../../../core/Tokenizer.ts"
import { configFile, mapFile, type Roles, roleNames } from "../../../core/tokenizer/TokenizerFiles.ts"
import { readOptional } from "../TokenizerFolder.ts"

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

const AddedTokens = Schema.Record({ key: Schema.String, value: Schema.NonNegativeInt })
const ChatTemplateFile = Schema.Struct({ chat_template: Template })

/** An added token as a folder names it: its id may be left to the vocabulary. */
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
  readonly roles: Roles
  /** In the order in which they get ids: of tokenizer_config.json, of added_tokens.json, those that have a role. */
  readonly addedTokens: ReadonlyArray<NamedToken>
  /** The template that is used, and where it stands. */
  readonly chatTemplate: string | undefined
  /** The files as they are, to be saved with the tokenizer. */
  readonly files: { readonly [fileName: string]: string }
}

const remedy = "The file is damaged, or was not written by a tokenizer library: mend it or take it away."

/** What the files of a folder say; an empty folder says nothing. */
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
    const config = yield* parsed(configFile, TokenizerConfig)
    const map = yield* parsed(mapFile, SpecialTokens)
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

/** JSON of a schema's shape, whatever else it holds. */
export const parse = <A, I>(
  text: string,
  path: string,
  schema: Schema.Schema<A, I>
): Effect.Effect<A, TokenizerFileError> =>
  Effect.gen(function* () {
    const json = yield* Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: (cause) =>
        new TokenizerFileError({
          path,
          key: "",
          details: `is not JSON (${cause instanceof Error ? cause.message : cause}).`,
          remedy
        })
    })
    return yield* Effect.mapError(Schema.decodeUnknown(schema, { errors: "all" })(json), (error) => {
      const issues = ArrayFormatter.formatErrorSync(error)
      // A union reports every member that does not fit; the deepest place is the one that was meant.
      const issue = [...issues].sort((a, b) => b.path.length - a.path.length)[0]
      const details = `${issue?.message ?? "is not understood"}.`
      return new TokenizerFileError({ path, key: issue?.path.join(".") ?? "", details, remedy })
    })
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

/** Roles, and the tokens that have them; of two files the first one that names a role counts. */
const specialTokens = (
  ...files: ReadonlyArray<SpecialTokens | undefined>
): { readonly roles: Roles; readonly tokens: ReadonlyArray<Token> } => {
  const given = <Role extends keyof SpecialTokens>(role: Role) => files.find((file) => file?.[role])?.[role]
  const single = roleNames.flatMap((role) => {
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

/** Of several templates the one named default. */
const defaultOf = (template: typeof Template.Type | null | undefined): string | undefined =>
  typeof template === "string" ? template : template?.find(({ name }) => name === "default")?.template
