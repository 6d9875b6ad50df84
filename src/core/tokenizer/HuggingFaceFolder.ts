/**
 * The files of a tokenizer that Hugging Face's libraries open as a folder: tokenizer.json, tokenizer_config.json, which says
 * what its special tokens are for, and special_tokens_map.json, which says so again for older readers.
 *
 * Pure: it renders, and writes nothing. Source: transformers 4.57, PreTrainedTokenizerFast.save_pretrained.
 */
import { render as renderTokenizer, fileName as tokenizerFile } from "./TokenizerFile.ts"
import type { AddedToken, TokenizerJson } from "./TokenizerJson.ts"

/** What a special token may be for, by the key that names it. */
export const roleNames = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token"
] as const

/** Special tokens by what they are for, in written form. */
export type Roles = { readonly [Role in (typeof roleNames)[number]]?: string | undefined } & {
  readonly additional_special_tokens?: ReadonlyArray<string>
}

export const configFile = "tokenizer_config.json"
export const mapFile = "special_tokens_map.json"

/** No limit on the length of a text, as transformers writes it. */
const UNLIMITED = 1e30

const decoderEntry = ({ id, ...fields }: AddedToken) => [id, fields] as const

/** The two files beside tokenizer.json; `extra` are further keys of tokenizer_config.json. */
export const renderConfig = (
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

/** All three files. */
export const render = (
  definition: TokenizerJson,
  roles: Roles,
  extra: { readonly [key: string]: unknown } = {}
): { readonly [fileName: string]: string } => ({
  [tokenizerFile]: renderTokenizer(definition),
  ...renderConfig(definition, roles, extra)
})

const print = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
