/**
 * Inspects a tokenizer: its components, the roles of its special tokens, and how it tokenizes texts. The job of `codex tokenizer
 * inspect`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Document } from "../../core/Dataset.ts"
import * as Json from "../../core/data/Json.ts"
import type { Tokenizer } from "../../core/Tokenizer.ts"
import type { TemplatePiece } from "../../core/tokenizer/Encoding.ts"
import * as TokenizerFile from "../../core/tokenizer/TokenizerFiles.ts"
import { configFile, roleNames } from "../../core/tokenizer/TokenizerFiles.ts"
import type { Decoder, TokenizerJson } from "../../core/tokenizer/TokenizerJson.ts"
import * as Statistics from "../../core/tokenizer/TokenizerStatistics.ts"
import type { OpenedTokenizer } from "./openTokenizer.ts"
import { type TokenSpan, tokenSpans } from "./TokenSpans.ts"

/** A special token, and what it is used for. */
export interface SpecialToken {
  readonly token: string
  readonly id: number
  /** `eos_token`, `pad_token`, … */
  readonly roles: ReadonlyArray<string>
}

/** The components of a tokenizer, and how it tokenizes a text. */
export interface Inspection {
  readonly tokenizer: string
  readonly plugin: string
  /** `byte-level BPE`, `WordPiece`, …; the name of the plugin when there is no tokenizer.json. */
  readonly algorithm: string
  readonly vocabularySize: number
  /** Whether decoding restores every text. */
  readonly byteLevel: boolean
  /** The components of the tokenizer.json. Undefined when there is none. */
  readonly normalizer: TokenizerJson["normalizer"] | undefined
  readonly preTokenizer: TokenizerJson["pre_tokenizer"] | undefined
  readonly decoder: Decoder | null | undefined
  readonly specialTokens: ReadonlyArray<SpecialToken>
  /** The special tokens around a text A, and around two texts. */
  readonly template: { readonly single: string; readonly pair: string }
  /** The tokens of the sample. */
  readonly spans: ReadonlyArray<TokenSpan>
  /** Statistics of the documents, if any. */
  readonly statistics: Statistics.Statistics | undefined
}

/** Inspects a tokenizer. `sample` is the text whose tokens are returned; `documents` are measured. */
export const inspectTokenizer = <E = never, R = never>(
  { name, plugin, tokenizer }: OpenedTokenizer,
  options: { readonly sample: string; readonly documents?: Stream.Stream<Document, E, R> | undefined }
) =>
  Effect.gen(function* () {
    const { definitionFile, files } = tokenizer
    const definition =
      definitionFile === undefined ? undefined : yield* TokenizerFile.parse(files[definitionFile]!, definitionFile)
    const counter = Statistics.make(tokenizer)
    if (options.documents !== undefined) {
      yield* Stream.runForEach(options.documents, ({ id, text }) => counter.add(text, id))
    }
    return {
      tokenizer: name,
      plugin,
      algorithm: definition === undefined ? plugin : algorithmOf(definition),
      vocabularySize: tokenizer.vocabularySize,
      byteLevel: tokenizer.byteLevel,
      normalizer: definition?.normalizer,
      preTokenizer: definition?.pre_tokenizer,
      decoder: definition?.decoder,
      specialTokens: specialTokensOf(tokenizer),
      template: {
        single: written(tokenizer, tokenizer.template.single),
        pair: written(tokenizer, tokenizer.template.pair)
      },
      spans: tokenSpans(tokenizer, options.sample),
      statistics: options.documents === undefined ? undefined : yield* counter.result
    } satisfies Inspection
  })

const algorithmOf = ({ decoder, model }: TokenizerJson): string => {
  if (model.type !== "BPE") return model.type === "WordLevel" ? "word level" : model.type
  if (model.byte_fallback) return "BPE with byte fallback"
  const decoders = decoder?.type === "Sequence" ? decoder.decoders : [decoder]
  return decoders.some((one) => one?.type === "ByteLevel") ? "byte-level BPE" : "BPE"
}

const Token = Schema.Union(Schema.String, Schema.Struct({ content: Schema.String }))
const Record = Json.schema(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

const contentOf = (token: unknown): string | undefined =>
  Schema.is(Token)(token) ? (typeof token === "string" ? token : token.content) : undefined

/** Special tokens by id, with the roles that the tokenizer's files give them. */
const specialTokensOf = (tokenizer: Tokenizer.Service): ReadonlyArray<SpecialToken> => {
  const text = tokenizer.definitionFile === undefined ? undefined : tokenizer.files[configFile]
  const config = text === undefined ? {} : Option.getOrElse(Schema.decodeOption(Record)(text), () => ({}))
  const roles = new Map<string, ReadonlyArray<string>>()
  const give = (token: string | undefined, role: string) => {
    if (token !== undefined && !roles.get(token)?.includes(role)) roles.set(token, [...(roles.get(token) ?? []), role])
  }
  for (const role of roleNames) give(contentOf(config[role]), role)
  const written = (id: number | undefined) => (id === undefined ? undefined : tokenizer.token(id))
  give(written(tokenizer.endOfText), "eos_token")
  give(written(tokenizer.padToken), "pad_token")
  give(written(tokenizer.unknownToken), "unk_token")
  return Object.entries(tokenizer.specialTokens)
    .map(([token, id]) => ({ token, id, roles: roles.get(token) ?? [] }))
    .sort((a, b) => a.id - b.id)
}

const written = (tokenizer: Tokenizer.Service, spans: ReadonlyArray<TemplatePiece>): string =>
  spans
    .flatMap((piece) =>
      piece._tag === "Sequence" ? [piece.id] : piece.ids.map((id) => tokenizer.token(id) ?? `${id}`)
    )
    .join(" ")
