/**
 * The files of a tokenizer, as text: reading and writing tokenizer.json, and writing the two files next to it that Hugging Face's
 * libraries read. tokenizer_config.json names the roles of special tokens, and special_tokens_map.json does so for older readers.
 *
 * A file is decoded by the schema of TokenizerJson.ts. Its keys are written in the order of the schema, so that the bytes depend
 * on the content alone. Source: transformers 4.57, PreTrainedTokenizerFast.save_pretrained.
 */
import * as Effect from "effect/Effect"
import { ArrayFormatter, type ParseError } from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Json from "../data/Json.ts"
import { TokenizerFileError } from "../Tokenizer.ts"
import { type AddedToken, type InvalidComponent, TokenizerJson } from "./TokenizerJson.ts"

/** The name of the file that holds the whole tokenizer. */
export const fileName = "tokenizer.json"

const encode = Schema.encodeSync(TokenizerJson)

/** The text of a tokenizer.json. */
export const render = (definition: TokenizerJson): string => `${JSON.stringify(encode(definition), null, 1)}\n`

const remedy =
  "The file is damaged, or uses a feature that codex does not support: save it again with the library that wrote it."

export const fileError = (path: string, { details, key }: InvalidComponent): TokenizerFileError =>
  new TokenizerFileError({ path, key, details, remedy })

const decode = Schema.decodeUnknownEither(TokenizerJson, { errors: "all" })

/** Decodes the text of a tokenizer.json. `path` is for errors. */
export const parse = (text: string, path: string): Effect.Effect<TokenizerJson, TokenizerFileError> =>
  Effect.gen(function* () {
    const json = yield* Effect.mapError(Json.parse(text.startsWith("\uFEFF") ? text.slice(1) : text), (details) =>
      fileError(path, { key: "", details: text.trim() === "" ? "is empty." : `${details}.` })
    )
    if (!Predicate.isRecord(json) || !Predicate.isRecord(json.model)) {
      const key = Predicate.isRecord(json) ? "model" : ""
      return yield* fileError(path, { key, details: "is not a JSON object, as in a tokenizer.json." })
    }
    return yield* Effect.mapError(decode(withModelType(json, json.model)), (error) =>
      fileError(path, invalidPart(error))
    )
  })

/** The part of a file that does not match a schema. */
export const invalidPart = (error: ParseError): InvalidComponent => {
  // A union reports every member that does not match; the deepest issue belongs to the member that was meant.
  const [issue] = ArrayFormatter.formatErrorSync(error).sort((a, b) => b.path.length - a.path.length)
  return {
    key: issue?.path.join(".") ?? "",
    details: `${(issue?.message ?? "is not valid").replace(/\n[\s\S]*$/, "")}.`
  }
}

type Fields = { readonly [key: string]: unknown }

/** Files from before 2021 have no type of the model; its keys show which it is. */
const withModelType = (json: Fields, model: Fields): Fields => {
  if ("type" in model) return json
  const type =
    "merges" in model
      ? "BPE"
      : Array.isArray(model.vocab)
        ? "Unigram"
        : "continuing_subword_prefix" in model
          ? "WordPiece"
          : "WordLevel"
  return { ...json, model: { type, ...model } }
}

/** The roles of special tokens, by their keys. */
export const roleNames = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token"
] as const

/** Special tokens by role. */
export type Roles = { readonly [Role in (typeof roleNames)[number]]?: string | undefined } & {
  readonly additional_special_tokens?: ReadonlyArray<string>
}

export const configFile = "tokenizer_config.json"
export const mapFile = "special_tokens_map.json"

/** All files of a tokenizer in this format. */
export const fileNames = [fileName, configFile, mapFile] as const

/** How transformers writes that texts may have any length. */
const UNLIMITED = 1e30

const decoderEntry = ({ id, ...fields }: AddedToken) => [id, fields] as const

/** The files next to tokenizer.json. `extra` are further keys of tokenizer_config.json. */
const renderConfig = (
  definition: TokenizerJson,
  roles: Roles,
  extra: { readonly [key: string]: unknown } = {}
): { readonly [fileName: string]: string } => {
  const named = Object.fromEntries(
    [...roleNames, "additional_special_tokens" as const].flatMap((name) =>
      roles[name] === undefined ? [] : [[name, roles[name]]]
    )
  )
  return {
    [configFile]: print({
      added_tokens_decoder: Object.fromEntries(definition.added_tokens.map(decoderEntry)),
      ...named,
      clean_up_tokenization_spaces: false,
      model_max_length: UNLIMITED,
      tokenizer_class: "PreTrainedTokenizerFast",
      ...extra
    }),
    [mapFile]: print(named)
  }
}

/** All files of a tokenizer. `extra` are further keys of tokenizer_config.json. */
export const renderAll = (
  definition: TokenizerJson,
  roles: Roles,
  extra: { readonly [key: string]: unknown } = {}
): { readonly [fileName: string]: string } => ({
  [fileName]: render(definition),
  ...renderConfig(definition, roles, extra)
})

const print = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
