/**
 * Runs a tokenizer.json: text → added tokens, normalizer, pre-tokenizer, model → ids, and back through the decoder.
 *
 * Ids are those of Hugging Face's tokenizers for the same file, except that special tokens which a text spells stay ordinary
 * text unless asked for. Places in the text are UTF-16 units of what the caller gave.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { Tokenizer, type TokenizerFileError } from "../Tokenizer.ts"
import * as AddedTokens from "./AddedTokens.ts"
import { original, slice } from "./Aligned.ts"
import * as Decoder from "./Decoder.ts"
import * as Decoding from "./Decoding.ts"
import * as HuggingFaceFolder from "./HuggingFaceFolder.ts"
import * as Normalizer from "./Normalizer.ts"
import * as PreTokenizer from "./PreTokenizer.ts"
import type { Problem } from "./Problem.ts"
import * as Template from "./Template.ts"
import { TokenIds } from "./TokenIds.ts"
import { fileError, fileName } from "./TokenizerFile.ts"
import type { AddedToken, TokenizerJson } from "./TokenizerJson.ts"
import * as TokenModel from "./TokenModel.ts"

export { fileName, parse, render } from "./TokenizerFile.ts"

export interface Options {
  /** The file, for errors. Default `tokenizer.json`. */
  readonly path?: string
  /** Written forms of special tokens by what they are for. Default: well-known ones of the vocabulary. */
  readonly endOfText?: string
  readonly padToken?: string
  readonly unknownToken?: string
  /** What further special tokens are for: all of it is written into the saved tokenizer_config.json. */
  readonly roles?: HuggingFaceFolder.Roles
  /** Files to save besides tokenizer.json, instead of those that would be made, or more. */
  readonly files?: { readonly [fileName: string]: string }
  /** A faster `encode` that gives the same ids. */
  readonly encode?: Tokenizer.Service["encode"]
  /** Default: fails, because a tokenizer.json has no chat template. */
  readonly applyChatTemplate?: Tokenizer.Service["applyChatTemplate"]
}

/** Special tokens by what they are for, in the order in which a vocabulary is searched for them. */
const endsOfText = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>", "[SEP]"]
const pads = ["<pad>", "[PAD]", "<|pad|>", "<|padding|>"]

/** The tokenizer of a definition; fails when a part of it is not understood. */
export const make = (
  definition: TokenizerJson,
  options: Options = {}
): Effect.Effect<Tokenizer.Service, TokenizerFileError> =>
  Effect.mapError(build(definition, options), (problem) => fileError(options.path ?? fileName, problem))

const build = (definition: TokenizerJson, options: Options): Either.Either<Tokenizer.Service, Problem> =>
  Either.gen(function* () {
    const normalizer = definition.normalizer === null ? undefined : yield* Normalizer.make(definition.normalizer)
    const preTokenizer = yield* PreTokenizer.make(definition.pre_tokenizer)
    const model = yield* TokenModel.make(withoutSpecial(definition), { byteLevel: preTokenizer.byteLevel })
    const decode = yield* Decoder.make(definition.decoder)
    const { template, trim } = yield* Template.make(definition.post_processor)

    const tokens = [...model.tokens]
    for (const { content, id } of definition.added_tokens) {
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
            add(token.id, rewritten.starts[start] ?? 0, rewritten.ends[end - 1] ?? 0)
            continue
          }
          const part = start === 0 && end === rewritten.text.length ? rewritten : slice(rewritten, start, end)
          for (const word of preTokenizer.align(part, segment.start === 0 && start === 0)) {
            for (const { end: to, id, start: from } of model.tokenize(word.text)) {
              add(id, word.starts[from] ?? 0, word.ends[to - 1] ?? word.starts[from] ?? 0)
            }
          }
        }
      }
      const offsets = places.toArray()
      if (trim !== undefined) Template.trimOffsets(offsets, (i) => tokens[ids.ids[i] ?? 0] ?? "", trim)
      return { ids: ids.toArray(), offsets }
    }

    const end =
      options.endOfText ?? options.roles?.eos_token ?? endsOfText.find((token) => Object.hasOwn(specialTokens, token))
    const pad = options.padToken ?? options.roles?.pad_token ?? pads.find((token) => idOf(token) !== undefined)
    const unknownToken = options.unknownToken === undefined ? model.unknownToken : idOf(options.unknownToken)
    const written = (id: number | undefined) => (id === undefined ? undefined : tokens[id])
    const roles: HuggingFaceFolder.Roles = {
      ...options.roles,
      eos_token: written(idOf(end)),
      pad_token: written(idOf(pad)),
      unk_token: options.roles?.unk_token ?? written(unknownToken)
    }
    const encodeOrdinary = options.encode ?? ((text: string) => encode(text, true))
    const decoding = Decoding.make({ tokens, specialIds, decode, spec: definition.decoder })
    let files: Tokenizer.Service["files"] | undefined

    return Tokenizer.make({
      vocabularySize: tokens.length,
      byteLevel: model.total && isLossless(encodeOrdinary, decoding.decode),
      specialTokens,
      endOfText: idOf(end),
      padToken: idOf(pad),
      unknownToken,
      template,
      definitionFile: fileName,
      token: (id) => tokens[id],
      encode: encodeOrdinary,
      encodeWithSpecialTokens: (text) => encode(text, false),
      encodeWithOffsets,
      ...decoding,
      ...(options.applyChatTemplate && { applyChatTemplate: options.applyChatTemplate }),
      get files() {
        files ??= { ...HuggingFaceFolder.render(definition, roles), ...options.files }
        return files
      }
    })
  })

/** Well-formed text never begins with it, so that no text spells what begins with it. */
const unspelt = "\uD800"

/**
 * The model with its special tokens out of reach: its vocabulary may hold them as words. The unknown one stays where the model
 * finds it by name.
 */
const withoutSpecial = ({ added_tokens, model }: TokenizerJson): TokenizerJson["model"] => {
  const special = new Set(added_tokens.filter((token) => token.special).map(({ content }) => content))
  const hidden = ([token, id]: readonly [string, unknown]) =>
    special.has(token) && !("unk_token" in model && token === model.unk_token) ? [unspelt + token, id] : [token, id]
  switch (model.type) {
    case "BPE": {
      // Merges never make them, but a word that is looked up as a whole may be one.
      const within = model.ignore_merges && [...special].some((token) => Object.hasOwn(model.vocab, token))
      return within ? { ...model, vocab: Object.fromEntries(Object.entries(model.vocab).map(hidden)) } : model
    }
    case "Unigram":
      return {
        ...model,
        vocab: model.vocab.map((entry) =>
          Array.isArray(entry) && special.has(entry[0]) ? [unspelt + entry[0], ...entry.slice(1)] : entry
        )
      }
    case "WordLevel":
    case "WordPiece":
      return { ...model, vocab: Object.fromEntries(Object.entries(model.vocab).map(hidden)) }
  }
}

/** Added tokens of one sort as the text spells them. */
const spellings = (
  tokens: ReadonlyArray<AddedToken>,
  normalized: boolean,
  spell: (text: string) => string
): ReadonlyArray<AddedTokens.Spelling> =>
  tokens.filter((token) => token.normalized === normalized).map((token) => [spell(token.content), token])

/**
 * Texts that a tokenizer must give back if it gives back every text. Its parts treat characters by class, or by a few names:
 * each of those is here, at the edges of the text and inside.
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
