/**
 * Tokenizers of real models, each with a part of its vocabulary: test/fixtures/tokenizers, made by test/oracles/tokenizers.ts. And
 * OpenAI's encodings, whole or their first ranks, from the `tiktoken` package.
 */
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { root } from "../../../scripts/build.mjs"

/** What is in a fixture. */
export interface RealTokenizer {
  /** A tokenizer.json. */
  readonly tokenizer: BpeTokenizer
  /** The tokenizer_config.json, without `added_tokens_decoder`. */
  readonly config: { readonly [key: string]: unknown }
  /** Texts, and their tokens with the whole vocabulary, as ids in this one, without special tokens around them. */
  readonly samples: ReadonlyArray<{ readonly text: string; readonly ids: ReadonlyArray<number> }>
}

/** What of a tokenizer.json is reduced. */
export interface BpeTokenizer {
  readonly added_tokens: ReadonlyArray<{ readonly content: string; readonly id: number }>
  readonly post_processor: unknown
  readonly model: {
    readonly vocab: { readonly [token: string]: number }
    readonly merges: ReadonlyArray<string | readonly [string, string]>
  }
}

const folder = join(root, "test/fixtures/tokenizers")

/** The tokenizer of a model: llama2, llama3, gemma3, qwen3 or deepseek_v3. */
export const realTokenizer = (name: string): RealTokenizer =>
  JSON.parse(gunzipSync(readFileSync(join(folder, `${name}.json.gz`))).toString("utf8"))

/** Names of the models. */
export const realTokenizers: ReadonlyArray<string> = readdirSync(folder).map((file) => file.replace(/\.json\.gz$/, ""))

/** The files of the model's folder. */
export const filesOf = ({ config, tokenizer }: RealTokenizer): { readonly [name: string]: string } => ({
  "tokenizer.json": JSON.stringify(tokenizer),
  "tokenizer_config.json": JSON.stringify(config)
})

/** An encoding as the `tiktoken` package has it. */
export interface Encoding {
  readonly pat_str: string
  readonly special_tokens: { readonly [token: string]: number }
  /** Lines of `! <rank of the first> <base64> <base64> …`. */
  readonly bpe_ranks: string
}

const require = createRequire(import.meta.url)

/** The first ranks of an encoding, which are an encoding of their own: a token is joined from tokens before it. */
export const encodingOf = (name: string, ranks = Number.POSITIVE_INFINITY): Encoding => {
  const encoding: Encoding = require(`tiktoken/encoders/${name}.json`)
  const lines = encoding.bpe_ranks.split("\n").flatMap((line) => {
    const [mark, first, ...tokens] = line.split(" ")
    const kept = tokens.slice(0, Math.max(0, ranks - Number(first)))
    return kept.length === 0 ? [] : [[mark, first, ...kept].join(" ")]
  })
  return { ...encoding, bpe_ranks: lines.join("\n") }
}

/** The ranks of an encoding as a rank file. */
export const rankFileOf = ({ bpe_ranks }: Encoding): string =>
  bpe_ranks
    .split("\n")
    .flatMap((line) => {
      const [, first, ...tokens] = line.split(" ")
      return tokens.map((token, i) => `${token} ${Number(first) + i}\n`)
    })
    .join("")
