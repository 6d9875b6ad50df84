/**
 * Runs a tokenizer.json: text → added tokens, normalizer, pre-tokenizer, model → ids, and back through the decoder.
 *
 * Ids are those of Hugging Face's tokenizers for the same file, except that special tokens in a text are ordinary text unless
 * requested. Offsets are UTF-16 units of the text that the caller gave.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Limits from "../data/Limits.ts"
import { Tokenizer, type TokenizerFileError } from "../Tokenizer.ts"
import * as AddedTokens from "./AddedTokens.ts"
import { original, slice } from "./AlignedText.ts"
import * as BpeModel from "./models/BpeModel.ts"
import type { TokenModel } from "./models/TokenModel.ts"
import * as UnigramModel from "./models/UnigramModel.ts"
import * as WordLevelModel from "./models/WordLevelModel.ts"
import * as WordPieceModel from "./models/WordPieceModel.ts"
import * as Normalizer from "./Normalizer.ts"
import * as PostProcessor from "./PostProcessor.ts"
import * as PreTokenizer from "./PreTokenizer.ts"
import * as TokenDecoder from "./TokenDecoder.ts"
import { TokenIds } from "./TokenIds.ts"
import * as TokenizerFiles from "./TokenizerFiles.ts"
import type { AddedToken, InvalidComponent, TokenizerJson } from "./TokenizerJson.ts"

export type { TokenModel, WordToken } from "./models/TokenModel.ts"
export type { TokenIds } from "./TokenIds.ts"
export { fileName, parse, type Roles, render } from "./TokenizerFiles.ts"
export type { InvalidComponent } from "./TokenizerJson.ts"

/** What a tokenizer.json does not say about its tokenizer. */
export interface Options {
  /** The path of the file, for errors. Default `tokenizer.json`. */
  readonly path?: string
  /** Special tokens by their role. Default: well-known tokens of the vocabulary. */
  readonly endOfText?: string
  readonly padToken?: string
  readonly unknownToken?: string
  /** Roles of further special tokens. They are written to the saved tokenizer_config.json. */
  readonly roles?: TokenizerFiles.Roles
  /** Further files to save with tokenizer.json. They replace generated files of the same names. */
  readonly files?: { readonly [fileName: string]: string }
  /** A faster `encode` that gives the same ids. */
  readonly encode?: Tokenizer.Service["encode"]
  /** Default: fails, because a tokenizer.json has no chat template. */
  readonly applyChatTemplate?: Tokenizer.Service["applyChatTemplate"]
}

/** Well-known special tokens, in the order in which a vocabulary is searched for them. */
const endsOfText = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>", "[SEP]"]
const pads = ["<pad>", "[PAD]", "<|pad|>", "<|padding|>"]

const roleNames = {
  bos_token: ["<s>", "<bos>"],
  sep_token: ["[SEP]"],
  cls_token: ["[CLS]"],
  mask_token: ["[MASK]", "<mask>"]
} as const

/** The roles of well-known special tokens, besides those that `make` searches for: end of text, padding, unknown. */
export const wellKnownRoles = ({ added_tokens }: TokenizerJson): TokenizerFiles.Roles => {
  const special = new Set(added_tokens.filter((token) => token.special).map(({ content }) => content))
  return Object.fromEntries(
    Object.entries(roleNames).flatMap(([role, names]) => {
      const token = names.find((name) => special.has(name))
      return token === undefined ? [] : [[role, token] as const]
    })
  )
}

/** The tokenizer of a tokenizer.json. Fails when one of its components is not supported. */
export const make = (
  definition: TokenizerJson,
  options: Options = {}
): Effect.Effect<Tokenizer.Service, TokenizerFileError> =>
  Effect.mapError(build(definition, options), (invalid) =>
    TokenizerFiles.fileError(options.path ?? TokenizerFiles.fileName, invalid)
  )

const build = (definition: TokenizerJson, options: Options): Either.Either<Tokenizer.Service, InvalidComponent> =>
  Either.gen(function* () {
    const normalizer = definition.normalizer === null ? undefined : yield* Normalizer.make(definition.normalizer)
    const preTokenizer = yield* PreTokenizer.make(definition.pre_tokenizer)
    const model = yield* modelOf(withoutSpecial(definition), { byteLevel: preTokenizer.byteLevel })
    const decode = yield* TokenDecoder.make(definition.decoder)
    const { template, trim } = yield* PostProcessor.make(definition.post_processor)

    const tokens = [...model.tokens]
    for (const [i, { content, id }] of definition.added_tokens.entries()) {
      if (id >= Limits.tokenIds) {
        return yield* Either.left({ key: `added_tokens[${i}].id`, details: `is ${id}, more than ids may be.` })
      }
      while (tokens.length < id) tokens.push(undefined)
      tokens[id] = content
    }
    const special = definition.added_tokens.filter((token) => token.special)
    const specialTokens = Object.fromEntries(special.map(({ content, id }) => [content, id]))
    const specialIds = new Set(special.map(({ id }) => id))
    const idOf = (token: string | undefined) =>
      token === undefined
        ? undefined
        : (definition.added_tokens.find(({ content }) => content === token)?.id ?? model.idOf(token))

    const raw = AddedTokens.make(spellings(definition.added_tokens, false, (text) => text))
    const normalized = AddedTokens.make(
      spellings(definition.added_tokens, true, (text) => normalizer?.normalize(text) ?? text)
    )

    const encodePiece = (piece: string, first: boolean, split: boolean, ids: TokenIds) => {
      const text = normalizer === undefined ? piece : normalizer.normalize(piece)
      const encodeText = (part: string, atStart: boolean) =>
        preTokenizer.split(part, atStart, (words, start, end) => model.encode(words, start, end, ids))
      if (normalized.none(split)) return encodeText(text, first)
      for (const { end, start, token } of normalized.split(text, split)) {
        if (token === undefined) encodeText(text.slice(start, end), first && start === 0)
        else ids.push(token.id)
      }
    }

    const encode = (given: string, split: boolean): Int32Array => {
      const text = given.toWellFormed()
      const ids = new TokenIds((text.length >> 1) + 16)
      if (raw.none(split)) encodePiece(text, true, split, ids)
      else {
        for (const { end, start, token } of raw.split(text, split)) {
          if (token === undefined) encodePiece(text.slice(start, end), start === 0, split, ids)
          else ids.push(token.id)
        }
      }
      return ids.toArray()
    }

    const encodeWithOffsets: Tokenizer.Service["encodeWithOffsets"] = (given, { splitSpecialTokens = true } = {}) => {
      const text = given.toWellFormed()
      const ids = new TokenIds((text.length >> 1) + 16)
      const places = new TokenIds(text.length + 32)
      const add = (id: number, start: number, end: number) => {
        ids.push(id)
        places.push(start)
        places.push(end)
      }
      for (const segment of raw.split(text, splitSpecialTokens)) {
        if (segment.token !== undefined) {
          add(segment.token.id, segment.start, segment.end)
          continue
        }
        const piece = original(text.slice(segment.start, segment.end), segment.start)
        const rewritten = normalizer === undefined ? piece : normalizer.align(piece)
        for (const { end, start, token } of normalized.split(rewritten.text, splitSpecialTokens)) {
          if (token !== undefined) {
            add(token.id, rewritten.starts[start]!, rewritten.ends[end - 1]!)
            continue
          }
          const part = start === 0 && end === rewritten.text.length ? rewritten : slice(rewritten, start, end)
          for (const word of preTokenizer.align(part, segment.start === 0 && start === 0)) {
            for (const { end: to, id, start: from } of model.tokenize(word.text)) {
              add(id, word.starts[from]!, word.ends[to - 1]!)
            }
          }
        }
      }
      const offsets = places.toArray()
      if (trim !== undefined) PostProcessor.trimOffsets(offsets, (i) => tokens[ids.ids[i]!]!, trim)
      return { ids: ids.toArray(), offsets }
    }

    const end =
      options.endOfText ?? options.roles?.eos_token ?? endsOfText.find((token) => Object.hasOwn(specialTokens, token))
    const pad = options.padToken ?? options.roles?.pad_token ?? pads.find((token) => idOf(token) !== undefined)
    const unknownToken = options.unknownToken === undefined ? model.unknownToken : idOf(options.unknownToken)
    const written = (id: number | undefined) => (id === undefined ? undefined : tokens[id])
    const roles: TokenizerFiles.Roles = {
      ...options.roles,
      eos_token: written(idOf(end)),
      pad_token: written(idOf(pad)),
      unk_token: options.roles?.unk_token ?? written(unknownToken)
    }
    const encodeOrdinary = options.encode ?? ((text: string) => encode(text, true))
    const decoder = TokenDecoder.methods({ tokens, specialIds, decode, spec: definition.decoder })
    let files: Tokenizer.Service["files"] | undefined

    return Tokenizer.make({
      vocabularySize: tokens.length,
      byteLevel: model.total && isLossless(encodeOrdinary, decoder.decode),
      specialTokens,
      endOfText: idOf(end),
      startOfText: idOf(roles.bos_token),
      padToken: idOf(pad),
      unknownToken,
      template,
      definitionFile: TokenizerFiles.fileName,
      token: (id) => tokens[id],
      encode: encodeOrdinary,
      encodeWithSpecialTokens: (text) => encode(text, false),
      encodeWithOffsets,
      ...decoder,
      ...(options.applyChatTemplate && { applyChatTemplate: options.applyChatTemplate }),
      get files() {
        files ??= { ...TokenizerFiles.renderAll(definition, roles), ...options.files }
        return files
      }
    })
  })

/** The model that a file describes. With `byteLevel`, words are ordinary text and tokens represent their bytes. */
export const modelOf = (
  spec: TokenizerJson["model"],
  options: { readonly byteLevel: boolean }
): Either.Either<TokenModel, InvalidComponent> => {
  switch (spec.type) {
    case "BPE":
      return BpeModel.make(spec, options)
    case "WordPiece":
      return WordPieceModel.make(spec, options)
    case "WordLevel":
      return WordLevelModel.make(spec, options)
    case "Unigram":
      return UnigramModel.make(spec, options)
  }
}

/** A lone surrogate: well-formed text does not contain it, so no text contains a token that begins with it. */
const unreachable = "\uD800"

/**
 * The model with special tokens renamed, so that no word becomes one: its vocabulary may have them as words. The unknown token
 * keeps its name, by which the model finds it.
 */
const withoutSpecial = ({ added_tokens, model }: TokenizerJson): TokenizerJson["model"] => {
  const special = new Set(added_tokens.filter((token) => token.special).map(({ content }) => content))
  const hidden = ([token, id]: readonly [string, unknown]) =>
    special.has(token) && !("unk_token" in model && token === model.unk_token) ? [unreachable + token, id] : [token, id]
  switch (model.type) {
    case "BPE": {
      // Merges never make special tokens, but a word that is looked up as a whole may be one.
      const within = model.ignore_merges && [...special].some((token) => Object.hasOwn(model.vocab, token))
      return within ? { ...model, vocab: Object.fromEntries(Object.entries(model.vocab).map(hidden)) } : model
    }
    case "Unigram":
      return {
        ...model,
        vocab: model.vocab.map((entry) =>
          Array.isArray(entry) && special.has(entry[0]) ? [unreachable + entry[0], ...entry.slice(1)] : entry
        )
      }
    case "WordLevel":
    case "WordPiece":
      return { ...model, vocab: Object.fromEntries(Object.entries(model.vocab).map(hidden)) }
  }
}

/** The added tokens that are searched for in the normalized text, or in the original one, with the text that matches them. */
const spellings = (
  tokens: ReadonlyArray<AddedToken>,
  normalized: boolean,
  spell: (text: string) => string
): ReadonlyArray<AddedTokens.Spelling> =>
  tokens.filter((token) => token.normalized === normalized).map((token) => [spell(token.content), token])

/**
 * Texts that a tokenizer must restore if it restores every text. Its components treat characters by class, or a few by name: each
 * of those is here, at the edges of the text and inside.
 */
const probes = [
  "a b  c\n\nd \t e\r\n ",
  "  Ab don't I'M . , ! ' n't ?",
  "\0\u0001\u007F\u0085\u00A0\u2028\uFEFF\uFFFD\uFFFF\u200D",
  "e\u0301 é Å \u212B ﬁ ½ Ⅷ ² ẞ ſ İ Σς",
  "▁ Ġ ## </w> | <0x41> 漢字 かな 한국 ก็ हि שָׁ مَ",
  "1234 5678 a1b2 x_y (z) $5 © € 😀👍🏽 👩‍👧 𝒜 \u{10FFFF}\u{E000}"
]

const isLossless = (encode: (text: string) => Int32Array, decode: Tokenizer.Service["decode"]): boolean =>
  probes.every((text) => Option.contains(Effect.runSync(Effect.option(decode(encode(text)))), text))
