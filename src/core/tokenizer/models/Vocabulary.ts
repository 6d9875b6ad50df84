/**
 * The `vocab` object of a model, checked: which token has which id.
 *
 * Real files have holes (ids of added tokens) and ids in any order, but an id far past the number of tokens would make every
 * table of the vocabulary as large, and two tokens of one id could not be told apart.
 */
import * as Either from "effect/Either"
import type { Problem } from "../Problem.ts"

export interface Vocabulary {
  /** Tokens by id, with holes. */
  readonly tokens: ReadonlyArray<string | undefined>
  readonly idOf: (token: string) => number | undefined
  /** UTF-16 units of the longest token. */
  readonly longest: number
}

export const read = (vocab: { readonly [token: string]: unknown }): Either.Either<Vocabulary, Problem> => {
  const names = Object.keys(vocab)
  const limit = 4 * names.length + 65_536
  const tokens = new Array<string | undefined>(names.length).fill(undefined)
  let longest = 0
  for (const token of names) {
    const id = vocab[token]
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
      return problem(token, `is ${JSON.stringify(id)}, not an id.`)
    }
    if (id >= limit) return problem(token, `is ${id}, which is far past the ${names.length} tokens there are.`)
    while (tokens.length <= id) tokens.push(undefined)
    const owner = tokens[id]
    if (owner !== undefined) return problem(token, `is ${id}, which is the id of ${JSON.stringify(owner)} too.`)
    tokens[id] = token
    if (token.length > longest) longest = token.length
  }
  return Either.right({
    tokens,
    longest,
    idOf: (token) => {
      const id = Object.hasOwn(vocab, token) ? vocab[token] : undefined
      return typeof id === "number" ? id : undefined
    }
  })
}

const problem = (token: string, details: string) =>
  Either.left({ key: `model.vocab[${JSON.stringify(token)}]`, details })

/** The id of the token that the model names for unknown text. */
export const unknownToken = ({ idOf }: Vocabulary, token: string): Either.Either<number, Problem> => {
  const id = idOf(token)
  return id === undefined
    ? Either.left({ key: "model.unk_token", details: `is ${JSON.stringify(token)}, which is not in model.vocab.` })
    : Either.right(id)
}
