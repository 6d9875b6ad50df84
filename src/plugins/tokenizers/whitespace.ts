/**
 * The example of the docs: words between white space, whose ids are their places in a list; other words are `<unk>`.
 *
 * It is written as in a third-party package, with the primitives of `Tokenizer.make` only. White space is not kept: decoding writes
 * one space after each word, so that words can be decoded as they arrive. A file has one word per line.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FileFault from "../../core/data/FileFault.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import { Tokenizer, TokenizerFileError, UnknownToken } from "../../core/Tokenizer.ts"

const Config = Schema.Struct({
  vocabulary: Schema.optionalWith(Schema.Array(Schema.NonEmptyTrimmedString), { default: () => [] }).annotations({
    description: "The words, in the order of their ids."
  }),
  path: Schema.optional(Schema.NonEmptyString).annotations({
    description: "A file with further words, one per line."
  }),
  lower: Schema.optionalWith(Schema.Boolean, { default: () => false }).annotations({
    description: "Convert text to lower case before looking words up."
  })
})

/** The plugin `whitespace`: words of a list, separated by white space. */
export const WhitespaceTokenizer = Plugin.make(Tokenizer.kind, "whitespace", {
  description: "words between white space, from a list of words",
  config: Config,
  reads: ["vocabulary.txt"],
  make: ({ lower, path, vocabulary }) =>
    Effect.gen(function* () {
      const listed = path === undefined ? [] : wordsOf(yield* read(path))
      const unknown = 0
      const tokens = ["<unk>", ...new Set([...vocabulary, ...listed].filter((word) => word !== "<unk>"))]
      const ids = new Map(tokens.map((token, id) => [token, id]))

      return Tokenizer.make({
        vocabularySize: tokens.length,
        byteLevel: false,
        specialTokens: {},
        endOfText: undefined,
        unknownToken: unknown,
        token: (id) => tokens[id],
        encode: (text) =>
          Int32Array.from(wordsOf(lower ? text.toLowerCase() : text), (word) => ids.get(word) ?? unknown),
        decode: (sequence) =>
          Effect.map(
            Effect.forEach(sequence, (id) => {
              const token = tokens[id]
              return token === undefined
                ? Effect.fail(new UnknownToken({ id, vocabularySize: tokens.length }))
                : Effect.succeed(`${token} `)
            }),
            (words) => words.join("")
          ),
        files: { "vocabulary.txt": `${tokens.slice(1).join("\n")}\n` }
      })
    })
})

const wordsOf = (text: string): ReadonlyArray<string> => text.split(/\s+/).filter((word) => word !== "")

const read = (path: string): Effect.Effect<string, TokenizerFileError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* Effect.mapError(
      fs.readFileString(path),
      (cause) =>
        new TokenizerFileError({
          path,
          key: "",
          details: `cannot be read: ${FileFault.of(cause).details}.`,
          remedy: "Give a text file with one word per line."
        })
    )
  })
