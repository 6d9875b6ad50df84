/**
 * The tokenizer kind: encodes text to token ids, and decodes ids to text.
 *
 * Laws (src/testing/tokenizer.ts checks them by these numbers):
 *  1. `decode(encode(text))` is `text.toWellFormed()` for a byte-level tokenizer (`byteLevel: true`);
 *  2. every id of `encode` is an integer in [0, vocabularySize);
 *  3. `encode` never fails, and never gives a special token other than the unknown token, whatever the text is;
 *  4. decoding a stream of ids in any chunks gives the same text as decoding them together, and no chunk ends inside a character;
 *  5. `encodeBatch(texts)` equals mapping `encode`;
 *  6. `encodeWithOffsets` gives the ids of `encode`, with offsets inside the text that never decrease;
 *  7. a special token in a text is one token of `encodeWithSpecialTokens`, between the tokens of the text around it.
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

/** A saved tokenizer cannot be read. `key` is the place in the file, or "" for the whole file. */
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

/** A conversation cannot be rendered: there is no chat template, or the template refuses the conversation. */
export class ChatTemplateError extends Schema.TaggedError<ChatTemplateError>()("ChatTemplateError", {
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.details} ${this.remedy}`
  }
}

/** A message of a conversation, with further fields that the template uses: `tool_calls`, `name`, … */
export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly [key: string]: unknown
}

/** Options of a chat template. */
export interface ChatOptions {
  /** Adds the beginning of an answer at the end. Default false. */
  readonly addGenerationPrompt?: boolean
  /** Tools that the model may call, as JSON Schemas of functions. */
  readonly tools?: ReadonlyArray<unknown>
  /** Further variables of the template: `enable_thinking`, … */
  readonly variables?: { readonly [name: string]: unknown }
}

const ids = Schema.instanceOf(Int32Array)

/** Encodes text to token ids and decodes ids to text. A plugin implements it with {@link Tokenizer.make}. */
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
    tag: Tokenizer,
    contract: {
      vocabularySize: Schema.Int,
      encode: ids,
      encodeBatch: Schema.Array(ids),
      encodeWithSpecialTokens: ids,
      decode: Schema.String,
      decodeBatch: Schema.Array(Schema.String),
      decodeWithSpecialTokens: Schema.String,
      decodeStream: Schema.String,
      token: Schema.UndefinedOr(Schema.String),
      byteLength: Schema.Number,
      batch: Schema.Object,
      encoding: Schema.Object,
      encodeWithOffsets: Schema.Object,
      applyChatTemplate: Schema.Any
    }
  })
  /**
   * The service from its primitives. Any derived member can be given too: for speed, or because the tokenizer has a template, a
   * padding token, … The laws stay the same.
   *
   *     Tokenizer.make({ vocabularySize: 2, encode, decode, token: (id) => "ab"[id] })
   */
  static make(primitives: Tokenizer.Primitives & Partial<Tokenizer.Derived>): Tokenizer.Service {
    // Getters are kept, so that what is costly to make (the files of a large vocabulary) is made on first use.
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
    /** Number of ids, including special tokens. */
    readonly vocabularySize: number
    /** The token ids of a text. Never fails: lone surrogates become U+FFFD first. */
    readonly encode: (text: string) => Int32Array
    /** The text of ids. Special tokens are left out, and bytes that are not UTF-8 become U+FFFD. */
    readonly decode: (ids: Iterable<number>) => Effect.Effect<string, UnknownToken>
    /** The written form of a token, for people: byte-level tokens as in a `tokenizer.json`. */
    readonly token: (id: number) => string | undefined
  }
  interface Derived {
    /** Whether every text is restored by encoding and decoding. Default false. */
    readonly byteLevel: boolean
    /** Special tokens by their written form. `encode` gives none of them except the unknown token. Default: none. */
    readonly specialTokens: { readonly [token: string]: number }
    /** The special token that separates documents. Default: none. */
    readonly endOfText: number | undefined
    /** The special token before a text, which only some tokenizers have. Default: none. */
    readonly startOfText: number | undefined
    /** The files that save this tokenizer, by file name. Default: none. */
    readonly files: { readonly [fileName: string]: string }
    /** The token for text that the vocabulary cannot represent. Default: none. */
    readonly unknownToken: number | undefined
    /** The token that pads the rows of a batch. Default: none. */
    readonly padToken: number | undefined
    /** The special tokens around one text and around two texts. Default: none. */
    readonly template: Template
    /**
     * The name of the file in `files` that alone describes how the tokenizer encodes, as a tokenizer.json. Other threads encode with
     * it, and it can be exported. Undefined for a tokenizer that runs its own code, which encodes on one thread.
     */
    readonly definitionFile: string | undefined
    /** Encodes several texts. */
    readonly encodeBatch: (texts: ReadonlyArray<string>) => ReadonlyArray<Int32Array>
    /** Like `encode`, but special tokens in the text become their ids. */
    readonly encodeWithSpecialTokens: (text: string) => Int32Array
    /** The ids of `encode`, or with `splitSpecialTokens: false` of `encodeWithSpecialTokens`, and their offsets in the text. */
    readonly encodeWithOffsets: (text: string, options?: { readonly splitSpecialTokens?: boolean }) => TextTokens
    /** Decodes several sequences of ids. */
    readonly decodeBatch: (batch: Iterable<Iterable<number>>) => Effect.Effect<ReadonlyArray<string>, UnknownToken>
    /** Like `decode`, but special tokens become their written form. */
    readonly decodeWithSpecialTokens: (ids: Iterable<number>) => Effect.Effect<string, UnknownToken>
    /**
     * The number of UTF-8 bytes that a token adds inside a text; 0 for special tokens. They sum up to the bytes of the text if the
     * tokenizer restores every text.
     */
    readonly byteLength: (id: number) => Effect.Effect<number, UnknownToken>
    /** Text as ids arrive. A character whose bytes are split over tokens is held until it is complete. */
    readonly decodeStream: <E, R>(ids: Stream.Stream<number, E, R>) => Stream.Stream<string, E | UnknownToken, R>
    /** Encodes a text, or a pair of texts, with special tokens around it, and masks, types and offsets of each token. */
    readonly encoding: (
      text: string | readonly [string, string],
      options?: EncodeOptions
    ) => Effect.Effect<Encoding, EncodingError>
    /** Encodes texts to matrices of one length. */
    readonly batch: (
      texts: ReadonlyArray<string | readonly [string, string]>,
      options?: BatchOptions
    ) => Effect.Effect<Batch, EncodingError>
    /** Renders a conversation as the text that the model was trained on, with special tokens in their written form. */
    readonly applyChatTemplate: (
      messages: ReadonlyArray<ChatMessage>,
      options?: ChatOptions
    ) => Effect.Effect<string, ChatTemplateError>
  }
  interface Service extends Primitives, Derived {}
}

type Primitives = Tokenizer.Primitives & Partial<Tokenizer.Derived>
type Base = Pick<Tokenizer.Service, "decode" | "token" | "byteLevel" | "specialTokens">

/** The derived members, in terms of the primitives and of the members that were given. */
const derive = (primitives: Primitives): Tokenizer.Derived => {
  const {
    byteLevel = false,
    endOfText,
    padToken,
    startOfText,
    specialTokens = {},
    template = plainTemplate
  } = primitives
  const base = { decode: primitives.decode, token: primitives.token, byteLevel, specialTokens }
  const special = AddedTokens.make(
    Object.entries(specialTokens).map(([content, id]) => [content, specialToken(id, content)])
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
    byteLevel,
    specialTokens,
    endOfText,
    startOfText,
    files: {},
    unknownToken: undefined,
    padToken,
    template,
    definitionFile: undefined,
    encodeBatch: (texts) => texts.map((text) => primitives.encode(text)),
    encodeWithSpecialTokens,
    encodeWithOffsets,
    decodeBatch: (batch) => Effect.forEach(batch, primitives.decode),
    decodeWithSpecialTokens: (ids) => decodeWithSpecialTokens(base, ids),
    byteLength: (id) => byteLength(base, id),
    decodeStream: (ids) => decodeStream(primitives, ids),
    encoding,
    batch: (texts, options = {}) =>
      Effect.gen(function* () {
        const expanded = yield* expand(options)
        const encodings = yield* Effect.forEach(texts, (text) => (primitives.encoding ?? encoding)(text, expanded))
        return yield* stack(encodings, expanded, padToken ?? endOfText)
      }),
    applyChatTemplate: () =>
      Effect.fail(
        new ChatTemplateError({
          details: "This tokenizer has no chat template.",
          remedy: "Load the tokenizer of a chat model from its directory, whose files contain the template."
        })
      )
  }
}

/** A byte-level token may be part of a character; its written form has one character per byte. */
const byteLength = (tokenizer: Base, id: number): Effect.Effect<number, UnknownToken> =>
  Effect.map(tokenizer.decode([id]), (text) =>
    text !== "" && tokenizer.byteLevel ? [...(tokenizer.token(id) ?? "")].length : new TextEncoder().encode(text).length
  )

/** Runs of ordinary tokens are decoded together, with the written form of special tokens between them. */
const decodeWithSpecialTokens = (tokenizer: Base, ids: Iterable<number>): Effect.Effect<string, UnknownToken> =>
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
 * Decodes the ids since the last complete character again with each new id, and emits all but a final U+FFFD, which may be a
 * character whose last bytes have not arrived. Earlier ones cannot change any more: when the final one moves, the incomplete
 * character is inside the newest id, and the ids before it are dropped.
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
