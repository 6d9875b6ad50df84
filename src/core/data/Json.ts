/**
 * JSON that somebody else may have written, within the limits of Limits.ts. `JSON.parse` takes any depth, but what walks its result
 * afterwards (schemas, messages, JSON.stringify) recurses.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Excerpt from "../Excerpt.ts"
import * as Limits from "./Limits.ts"

/** Parses JSON. The error says what is wrong, as the end of a sentence: `is not JSON (Unexpected end of JSON input)`. */
export const parse = (text: string): Either.Either<unknown, string> =>
  Either.filterOrLeft(
    Either.try({
      try: (): unknown => JSON.parse(text),
      catch: (cause) => `is not JSON (${Excerpt.of(cause instanceof Error ? cause.message : String(cause), 200)})`
    }),
    (value) => Limits.tooDeep(value) === undefined,
    () => `has more than ${Limits.depth} objects and arrays inside each other`
  )

/** A schema of JSON text, as `Schema.parseJson`. `space` is the indentation of what is written. */
export const schema = <A, I, R>(
  content: Schema.Schema<A, I, R>,
  { space }: { readonly space?: number } = {}
): Schema.Schema<A, string, R> =>
  Schema.compose(
    Schema.transformOrFail(Schema.String, Schema.Unknown, {
      strict: true,
      // An error keeps the value that it is about.
      decode: (text, _, ast) =>
        Either.mapLeft(parse(text), (details) => new ParseResult.Type(ast, Excerpt.of(text), details)),
      encode: (value) => ParseResult.succeed(JSON.stringify(value, null, space))
    }),
    content,
    { strict: false }
  )
