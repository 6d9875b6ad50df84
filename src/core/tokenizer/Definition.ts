/**
 * A tokenizer.json from the parts that say something: everything else is as plain as it can be.
 */
import type { AddedToken, Bpe, PostProcessor, TokenizerJson } from "./TokenizerJson.ts"

/** A special token, found where a text spells it exactly. */
export const specialToken = (id: number, content: string): AddedToken => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true
})

/** A byte-pair model, without an unknown token, prefixes or fallback unless they are given. */
export const bpe = (given: Pick<Bpe, "vocab" | "merges"> & Partial<Bpe>): Bpe => ({
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  ...given
})

/** `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` whose second text has type 1. Source: Devlin et al. 2018. */
export const clsAndSep = (
  cls: readonly [token: string, id: number],
  sep: readonly [token: string, id: number]
): PostProcessor => {
  const special = ([id]: typeof cls, type_id: number) => ({ SpecialToken: { id, type_id } })
  const single = [special(cls, 0), { Sequence: { id: "A", type_id: 0 } }, special(sep, 0)] as const
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, { Sequence: { id: "B", type_id: 1 } }, special(sep, 1)],
    special_tokens: Object.fromEntries(
      [cls, sep].map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }])
    )
  }
}

/** A whole definition. Parts that are not given do nothing. */
export const make = (given: Pick<TokenizerJson, "model"> & Partial<TokenizerJson>): TokenizerJson => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  ...given
})
