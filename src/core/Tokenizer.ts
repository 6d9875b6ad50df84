/**
 * The tokenizer kind: text to token ids and back.
 *
 * Laws (src/testing/tokenizer.ts checks them by these numbers):
 *  1. `decode(encode(text))` is `text.toWellFormed()` for a byte-level tokenizer (`byteLevel: true`);
 *  2. every id of `encode` is a whole number in [0, vocabularySize);
 *  3. `encode` never fails and never gives a special token other than the unknown one, for any text;
 * 4. decoding a stream of ids in any chunks gives the same text as decoding them at once, and no chunk ends inside a
 * character;
 *  5. `encodeBatch(texts)` equals mapping `encode`;
 *  6. `encodeWithOffsets` gives the ids of `encode`, and ascending ranges inside the text;
 *  7. a special token in a text is one token of `encodeWithSpecialTokens`, between the tokens of the texts around it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Plugin from "./plugin/Plugin.ts"
import * as AddedTokens from "./tokenizer/AddedTokens.ts"
import { type Batch, type BatchOptions, expand, stack } from "./tokenizer/Batch.ts"
import {
  assemble,
  type EncodeOptions,
  type Encoding,
  type EncodingError,
  plainTemplate,
  type Template,
  type TextTokens
} from "./tokenizer/Encoding.ts"
import { TokenIds } from "./tokenizer/TokenIds.ts"
import { specialToken } from "./tokenizer/TokenizerJson.ts"

/** An id outside the vocabulary was decoded. */
export class UnknownToken extends Schema.TaggedError<UnknownToken>()("UnknownToken", {
  id: Schema.Number,
  vocabularySize: Schema.Number
}) {
  override get message() {
    return `Token id ${this.id} is not in the vocabulary, whose ids are 0 to ${this.vocabularySize - 1}.`
  }
}

/** A saved tokenizer that cannot be read. `key` is the place inside the file, or "" for the file as a whole. */
export class TokenizerFileError extends Schema.TaggedError<TokenizerFileError>()("TokenizerFileError", {
  path: Schema.String,
  key: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.key === "" ? "" : `${this.key} `}${this.details} ${this.remedy}`
  }
}

/** A conversation that cannot be written as one text: there is no template, or the template refuses it. */
export class ChatTemplateError extends Schema.TaggedError<ChatTemplateError>()("ChatTemplateError", {
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.details} ${this.remedy}`
  }
}

/** One turn of a conversation, with further keys that the template uses: `tool_calls`, `name`, … */
export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly [key: string]: unknown
}

/** How a conversation is written as text. */
export interface ChatOptions {
  /** Ends the text with the beginning of an answer. Default false. */
  readonly addGenerationPrompt?: boolean
  /** Tools that the model may call, as JSON Schemas of functions. */
  readonly tools?: ReadonlyArray<unknown>
  /** Further variables of the template: `enable_thinking`, … */
  readonly variables?: { readonly [name: string]: unknown }
}

/** The tokenizer of a run. `make` derives the whole service from a few functions. */
export class Tokenizer extends Context.Tag("codex/Tokenizer")<Tokenizer, Tokenizer.Service>() {
  /** A saved tokenizer that cannot be read. */
  static readonly FileError = TokenizerFileError

  /** An id that is not in the vocabulary was decoded. */
  static readonly UnknownTokenError = UnknownToken

  /** A conversation that cannot be written as one text. */
  static readonly TemplateError = ChatTemplateError

  /** The kind of plugin that makes a tokenizer. One that reads files takes the file as `path` in its config. */
  static readonly kind: Plugin.Kind<"tokenizer", Tokenizer, Tokenizer.Service> = Plugin.kind("tokenizer", {
    api: 1,
    tag: Tokenizer
  })
  /** The complete service from the primitives, which may also override derived members, under the same laws. */
  static make(primitives: Tokenizer.Primitives & Partial<Tokenizer.Derived>): Tokenizer.Service {
    // By their descriptors, so that expensive members (the files of a large vocabulary) are made when they are used.
    const service: Tokenizer.Service = Object.create(Object.prototype, {
      ...Object.getOwnPropertyDescriptors(derive(primitives)),
      ...Object.getOwnPropertyDescriptors(primitives)
    })
    return service
  }
}

export declare namespace Tokenizer {
  type FileError = TokenizerFileError
  type UnknownTokenError = UnknownToken
  type TemplateError = ChatTemplateError
  interface Primitives {
    /** Number of ids, special tokens included. */
    readonly vocabularySize: number
    /** True when every text survives encoding and decoding unchanged. */
    readonly byteLevel: boolean
    /** Special tokens by their written form. `encode` gives none of them except the unknown one. */
    readonly specialTokens: { readonly [token: string]: number }
    /** The special token that separates documents, when there is one. */
    readonly endOfText: number | undefined
    /** Token ids of any text. Lone surrogates become U+FFFD first. */
    readonly encode: (text: string) => Int32Array
    /** The text of ids. Special tokens give nothing. Bytes that are not UTF-8 give U+FFFD. */
    readonly decode: (ids: Iterable<number>) => Effect.Effect<string, UnknownToken>
    /** The written form of one token, for people: byte-level tokens as in `tokenizer.json`. */
    readonly token: (id: number) => string | undefined
    /** The files that save this tokenizer, by file name: `tokenizer.json` in Hugging Face's format. */
    readonly files: { readonly [fileName: string]: string }
  }
  interface Derived {
    /** The token for text that the vocabulary cannot represent; undefined when there is no such text. */
    readonly unknownToken: number | undefined
    /** The token that fills rows of a batch. */
    readonly padToken: number | undefined
    /** The special tokens around one text and around two. */
    readonly template: Template
    /**
     * The name of the file among `files` that alone describes how the tokenizer encodes, as a tokenizer.json: other threads
     * encode with it, and it can be exported. Undefined for a tokenizer that runs its own code, which encodes on one thread.
     */
    readonly definitionFile: string | undefined
    readonly encodeBatch: (texts: ReadonlyArray<string>) => ReadonlyArray<Int32Array>
    /** As `encode`, but special tokens in the text become their ids. */
    readonly encodeWithSpecialTokens: (text: string) => Int32Array
    /** The ids of `encode` (or of `encodeWithSpecialTokens`), and the place of each token in the text. */
    readonly encodeWithOffsets: (text: string, options?: { readonly splitSpecialTokens?: boolean }) => TextTokens
    readonly decodeBatch: (batch: Iterable<Iterable<number>>) => Effect.Effect<ReadonlyArray<string>, UnknownToken>
    /** As `decode`, but special tokens give their written form. */
    readonly decodeWithSpecialTokens: (ids: Iterable<number>) => Effect.Effect<string, UnknownToken>
    /**
     * UTF-8 bytes that a token adds to a text; 0 for special tokens. The sum is the bytes of the text if the tokenizer
     * is lossless.
     */
    readonly byteLength: (id: number) => Effect.Effect<number, UnknownToken>
    /** Text as ids arrive. A character whose bytes are split over tokens is held back until it is complete. */
    readonly decodeStream: <E, R>(ids: Stream.Stream<number, E, R>) => Stream.Stream<string, E | UnknownToken, R>
    /** A text, or a pair of texts, with special tokens around it and everything known about each token. */
    readonly encoding: (
      text: string | readonly [string, string],
      options?: EncodeOptions
    ) => Effect.Effect<Encoding, EncodingError>
    /** Texts as matrices of one length. */
    readonly batch: (
      texts: ReadonlyArray<string | readonly [string, string]>,
      options?: BatchOptions
    ) => Effect.Effect<Batch, EncodingError>
    /** The text of a conversation in the form that the model was trained on, with special tokens written out. */
    readonly applyChatTemplate: (
      messages: ReadonlyArray<ChatMessage>,
      options?: ChatOptions
    ) => Effect.Effect<string, ChatTemplateError>
  }
  interface Service extends Primitives, Derived {}
}

type Primitives = Tokenizer.Primitives & Partial<Tokenizer.Derived>

/** The members that a plugin need not write, in terms of the primitives and of the members that it does write. */
const derive = (primitives: Primitives): Tokenizer.Derived => {
  const template = primitives.template ?? plainTemplate
  const padToken = primitives.padToken
  const special = AddedTokens.make(
    Object.entries(primitives.specialTokens).map(([content, id]) => [content, specialToken(id, content)])
  )
  const encodeWithSpecialTokens =
    primitives.encodeWithSpecialTokens ??
    ((text) => {
      const ids = new TokenIds()
      for (const { end, start, token } of special.split(text, false)) {
        if (token === undefined) ids.append(primitives.encode(text.slice(start, end)))
        else ids.push(token.id)
      }
      return ids.toArray()
    })
  const encodeWithOffsets =
    primitives.encodeWithOffsets ??
    ((text, options) => ({
      ids: options?.splitSpecialTokens === false ? encodeWithSpecialTokens(text) : primitives.encode(text),
      offsets: undefined
    }))
  const encoding: Tokenizer.Derived["encoding"] = (text, options = {}) =>
    Effect.suspend(() => {
      const tokens = (one: string) => encodeWithOffsets(one, { splitSpecialTokens: options.splitSpecialTokens ?? true })
      return assemble(typeof text === "string" ? [tokens(text)] : [tokens(text[0]), tokens(text[1])], template, options)
    })
  return {
    unknownToken: undefined,
    padToken,
    template,
    definitionFile: undefined,
    encodeBatch: (texts) => texts.map((text) => primitives.encode(text)),
    encodeWithSpecialTokens,
    encodeWithOffsets,
    decodeBatch: (batch) => Effect.forEach(batch, primitives.decode),
    decodeWithSpecialTokens: (ids) => decodeWithSpecialTokens(primitives, ids),
    byteLength: (id) => byteLength(primitives, id),
    decodeStream: (ids) => decodeStream(primitives, ids),
    encoding,
    batch: (texts, options = {}) =>
      Effect.gen(function* () {
        const expanded = yield* expand(options)
        const encodings = yield* Effect.forEach(texts, (text) => (primitives.encoding ?? encoding)(text, expanded))
        return yield* stack(encodings, expanded, padToken ?? primitives.endOfText)
      }),
    applyChatTemplate: () =>
      Effect.fail(
        new ChatTemplateError({
          details: "This tokenizer has no chat template.",
          remedy: "Load one of a chat model with the huggingface plugin: its tokenizer_config.json holds the template."
        })
      )
  }
}

/** A byte-level token may be part of a character; its written form has one character per byte. */
const byteLength = (tokenizer: Tokenizer.Primitives, id: number): Effect.Effect<number, UnknownToken> =>
  Effect.map(tokenizer.decode([id]), (text) =>
    text !== "" && tokenizer.byteLevel ? [...(tokenizer.token(id) ?? "")].length : new TextEncoder().encode(text).length
  )

/** Runs of ordinary tokens are decoded as one, with the written form of special tokens between them. */
const decodeWithSpecialTokens = (
  tokenizer: Tokenizer.Primitives,
  ids: Iterable<number>
): Effect.Effect<string, UnknownToken> =>
  Effect.gen(function* () {
    const written = new Map(Object.entries(tokenizer.specialTokens).map(([token, id]) => [id, token]))
    const texts: Array<string> = []
    let run: Array<number> = []
    for (const id of ids) {
      const token = written.get(id)
      if (token === undefined) run.push(id)
      else {
        texts.push(yield* tokenizer.decode(run), token)
        run = []
      }
    }
    texts.push(yield* tokenizer.decode(run))
    return texts.join("")
  })

/**
 * Decodes the ids since the last whole character again with each new id, and emits all but a final U+FFFD, which may be
 * a character whose last bytes have not arrived. Earlier ones cannot change any more: when the final U+FFFD moves, the
 * unfinished character is inside the newest id, and the ids before it are dropped.
 */
const decodeStream = <E, R>(
  tokenizer: Tokenizer.Primitives,
  ids: Stream.Stream<number, E, R>
): Stream.Stream<string, E | UnknownToken, R> =>
  ids.pipe(
    Stream.map((id): number | undefined => id),
    Stream.concat(Stream.succeed(undefined)),
    Stream.mapAccumEffect(nothingHeld, (held, id) =>
      Effect.gen(function* () {
        if (id === undefined) return [nothingHeld, held.ids.length === 0 ? "" : "\uFFFD"] as const
        const text = yield* tokenizer.decode([...held.ids, id])
        if (!text.endsWith("\uFFFD")) return [nothingHeld, text.slice(held.shown)] as const
        const shown = text.length - 1
        if (shown === held.shown) return [{ ids: [...held.ids, id], shown }, ""] as const
        const alone = yield* tokenizer.decode([id])
        return [{ ids: [id], shown: alone.length - 1 }, text.slice(held.shown, shown)] as const
      })
    ),
    Stream.filter((text) => text !== "")
  )

interface Held {
  readonly ids: ReadonlyArray<number>
  /** UTF-16 units of their text that were emitted. */
  readonly shown: number
}

const nothingHeld: Held = { ids: [], shown: 0 }
