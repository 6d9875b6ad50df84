/**
 * Hugging Face's `tokenizer.json` for byte-level BPE: rendered, and read with every claim checked.
 *
 * Read are files of the shape of GPT-2's: no normalizer, pre-tokenizer and decoder `ByteLevel` without prefix space, model
 * BPE whose vocabulary holds all 256 bytes, merges as pairs or as strings with a space, added tokens all special. A file of
 * another algorithm, or with a setting that would change ids, is refused by the name of the key. Of two merges of one pair
 * the later rank counts, as in Hugging Face's readers.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { ArrayFormatter } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { TokenizerFileError } from "../../../core/Tokenizer.ts"
import * as ByteAlphabet from "../../../core/tokenizer/ByteAlphabet.ts"
import type { Vocabulary } from "./Vocabulary.ts"

export const fileName = "tokenizer.json"

/** The file of a vocabulary. Special tokens are entries of the model's vocabulary too, as in GPT-2's file. */
export const render = ({ merges, specialTokens, tokens }: Vocabulary): string => {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }
  const special = Object.entries(specialTokens).sort(([, a], [, b]) => a - b)
  const vocabulary: Array<readonly [string, number]> = []
  tokens.forEach((token, id) => {
    if (token !== undefined) vocabulary.push([token, id])
  })
  return `${JSON.stringify(
    {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special.map(([content, id]) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true
      })),
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries([...vocabulary, ...special]),
        merges: merges.map(({ left, right }) => [tokens[left], tokens[right]])
      }
    },
    null,
    1
  )}\n`
}

const absent = <A extends ReadonlyArray<string | number | boolean | null>>(...values: A) =>
  Schema.optional(Schema.Literal(...values))

const ByteLevel = Schema.Struct({
  type: Schema.Literal("ByteLevel"),
  add_prefix_space: absent(false),
  use_regex: absent(true)
})

const AddedToken = Schema.Struct({
  id: Schema.NonNegativeInt,
  content: Schema.NonEmptyString,
  special: Schema.Literal(true)
})

/** Vocabulary and merges are checked by `decodeVocabulary`, entry by entry: they are large, and refer to each other. */
const TokenizerJson = Schema.Struct({
  added_tokens: Schema.optionalWith(Schema.Array(AddedToken), { default: () => [], nullable: true }),
  normalizer: absent(null),
  pre_tokenizer: ByteLevel,
  // A ByteLevel post-processor only trims offsets, which codex has none of.
  post_processor: Schema.optional(Schema.NullOr(Schema.Struct({ type: Schema.Literal("ByteLevel") }))),
  decoder: Schema.Struct({ type: Schema.Literal("ByteLevel") }),
  model: Schema.Struct({
    type: absent("BPE"),
    dropout: absent(null, 0),
    continuing_subword_prefix: absent(null, ""),
    end_of_word_suffix: absent(null, ""),
    byte_fallback: absent(false),
    ignore_merges: absent(false),
    vocab: Schema.Object,
    merges: Schema.Array(Schema.Unknown)
  })
})

const decodeShape = Schema.decodeUnknownEither(TokenizerJson, { errors: "all" })

const invalid = "The file is damaged or was not written by a tokenizer library: save the tokenizer again."
const unsupported = "This plugin reads byte-level BPE of the shape of GPT-2's tokenizer.json only."

/** The vocabulary that the text of a file holds; `path` is for the error. */
export const parse = (text: string, path: string): Effect.Effect<Vocabulary, TokenizerFileError> =>
  Effect.gen(function* () {
    const json = yield* Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: (cause) =>
        new TokenizerFileError({ path, key: "", details: `is not JSON (${String(cause)}).`, remedy: invalid })
    })
    const shape = yield* Effect.mapError(decodeShape(json), (error) => {
      const issues = ArrayFormatter.formatErrorSync(error)
      // A file of another algorithm differs in many keys; the one that says so is the one to name.
      const issue = issues.find(({ path: [first, second] }) => first === "model" && second === "type") ?? issues[0]
      return new TokenizerFileError({
        path,
        key: issue?.path.join(".") ?? "",
        details: `${issue?.message ?? "is not understood"}.`,
        remedy: unsupported
      })
    })
    return yield* Effect.mapError(
      decodeVocabulary(shape),
      (problem) => new TokenizerFileError({ path, remedy: invalid, ...problem })
    )
  })

interface Problem {
  readonly key: string
  readonly details: string
}

const decodeVocabulary = ({ added_tokens, model }: typeof TokenizerJson.Type): Either.Either<Vocabulary, Problem> => {
  const specialTokens = Object.fromEntries(added_tokens.map(({ content, id }) => [content, id]))
  const problem = (key: string, details: string) => Either.left({ key, details })
  const show = (value: unknown) => JSON.stringify(value)

  const entries: ReadonlyArray<[string, unknown]> = Object.entries(model.vocab)
  const largest = entries.length + added_tokens.length
  const tokens: Array<string | undefined> = []
  const ids = new Map<string, number>()
  const owners = new Map<number, string>(added_tokens.map(({ content, id }) => [id, content]))
  if (owners.size < added_tokens.length) return problem("added_tokens", "gives one id to two tokens.")
  for (const [token, id] of entries) {
    const key = `model.vocab[${show(token)}]`
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) return problem(key, `is ${show(id)}, not an id.`)
    // A stray large id would make every table of the vocabulary as large.
    if (id >= largest) return problem(key, `is ${id}, but there are ${largest} tokens, so ids end at ${largest - 1}.`)
    if (Object.hasOwn(specialTokens, token)) {
      if (specialTokens[token] !== id) return problem(key, `is ${id}, but added_tokens says ${specialTokens[token]}.`)
      continue
    }
    const owner = owners.get(id)
    if (owner !== undefined) return problem(key, `is ${id}, which is the id of ${show(owner)} too.`)
    if (token === "" || ByteAlphabet.read(token) === undefined) {
      return problem(key, "is no token of byte-level characters.")
    }
    owners.set(id, token)
    ids.set(token, id)
    while (tokens.length < id) tokens.push(undefined)
    tokens[id] = token
  }
  const stray = added_tokens.find(({ id }) => id >= largest)
  if (stray !== undefined) {
    return problem("added_tokens", `give ${show(stray.content)} the id ${stray.id}, past all ${largest} tokens.`)
  }
  const missing = ByteAlphabet.byteToCharacter.findIndex((character) => !ids.has(character))
  if (missing >= 0) {
    return problem("model.vocab", `has no token for byte ${missing}, so that some texts could not be encoded.`)
  }

  const merges: Array<Vocabulary["merges"][number]> = []
  for (const [i, merge] of model.merges.entries()) {
    const key = `model.merges[${i}]`
    const pair = typeof merge === "string" ? merge.split(" ") : merge
    if (!Array.isArray(pair) || pair.length !== 2) return problem(key, `is ${show(merge)}, not a pair of tokens.`)
    const [left, right] = [ids.get(String(pair[0])), ids.get(String(pair[1]))]
    const id = ids.get(`${pair[0]}${pair[1]}`)
    if (left === undefined || right === undefined || id === undefined) {
      const absent = left === undefined ? pair[0] : right === undefined ? pair[1] : `${pair[0]}${pair[1]}`
      return problem(key, `needs the token ${show(absent)}, which is not in model.vocab.`)
    }
    merges.push({ left, right, id })
  }
  return Either.right({ tokens, merges, specialTokens })
}
