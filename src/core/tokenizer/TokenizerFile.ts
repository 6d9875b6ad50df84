/**
 * Reading and writing `tokenizer.json`.
 *
 * What is read is decoded by the Schema of TokenizerJson.ts; what is written has the keys in that order, so that the bytes
 * of a file depend on its content alone.
 */
import * as Effect from "effect/Effect"
import { ArrayFormatter } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { TokenizerFileError } from "../Tokenizer.ts"
import type { Problem } from "./Problem.ts"
import { TokenizerJson } from "./TokenizerJson.ts"

export const fileName = "tokenizer.json"

const encode = Schema.encodeSync(TokenizerJson)

/** The text of a definition. */
export const render = (definition: TokenizerJson): string => `${JSON.stringify(encode(definition), null, 1)}\n`

const remedy = "The file is damaged, or uses what codex does not know: save it again with the library that wrote it."

export const fileError = (path: string, { details, key }: Problem): TokenizerFileError =>
  new TokenizerFileError({ path, key, details, remedy })

const decode = Schema.decodeUnknownEither(TokenizerJson, { errors: "all" })

/** The definition that the text of a file holds; `path` is for the error. */
export const parse = (text: string, path: string): Effect.Effect<TokenizerJson, TokenizerFileError> =>
  Effect.gen(function* () {
    const json = yield* Effect.try({
      try: (): unknown => JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text),
      catch: (cause) =>
        fileError(path, {
          key: "",
          details: text.trim() === "" ? "is empty." : `is not JSON (${cause instanceof Error ? cause.message : cause}).`
        })
    })
    if (!isRecord(json) || !isRecord(json.model)) {
      const key = isRecord(json) ? "model" : ""
      return yield* fileError(path, { key, details: "is not the object that a tokenizer.json has there." })
    }
    return yield* Effect.mapError(decode(withModelType(json, json.model)), (error) => {
      const issues = ArrayFormatter.formatErrorSync(error)
      // A union reports every member that does not fit; the deepest place is the one that was meant.
      const issue = [...issues].sort((a, b) => b.path.length - a.path.length)[0]
      return fileError(path, {
        key: issue?.path.join(".") ?? "",
        details: `${(issue?.message ?? "is not understood").replace(/\n[\s\S]*$/, "")}.`
      })
    })
  })

type Fields = { readonly [key: string]: unknown }

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Files of before 2021 do not say what their model is; its keys do. */
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
