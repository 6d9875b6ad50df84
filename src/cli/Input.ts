/**
 * What a command reads: a text from an argument, a file or stdin, which must be UTF-8, and token ids in a text.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as FileFault from "../core/data/FileFault.ts"
import * as Utf8 from "../core/data/Utf8.ts"
import { UnknownToken } from "../core/Tokenizer.ts"
import { visible } from "./render/Tokens.ts"
import { usageError } from "./UsageError.ts"

/** Input that cannot be read, or is not text. `path` is `stdin` for standard input. */
export class InputError extends Schema.TaggedError<InputError>()("InputError", {
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

/** The text that was given as an argument or with --file, otherwise all of stdin. `what` names it in messages. */
export const read = (
  given: { readonly text: Option.Option<string>; readonly file: Option.Option<string> },
  what: string
) =>
  Effect.gen(function* () {
    if (Option.isSome(given.text)) {
      if (Option.isSome(given.file)) return yield* usageError(`Give the ${what} or --file, not both.`)
      return given.text.value
    }
    if (Option.isSome(given.file)) return yield* decode(given.file.value, yield* readFile(given.file.value))
    if (process.stdin.isTTY) return yield* usageError(`There is no ${what}: give it as an argument, or on stdin.`)
    const bytes = yield* Effect.tryPromise({
      try: async () => {
        const chunks: Array<Buffer> = []
        for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
        return Buffer.concat(chunks)
      },
      catch: (cause) => unreadable("stdin", cause)
    })
    return yield* decode("stdin", bytes)
  })

const readFile = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { type } = yield* fs.stat(path)
    if (type === "Directory") {
      return yield* new InputError({ path, details: "is a directory.", remedy: "Give a file." })
    }
    return yield* fs.readFile(path)
  }).pipe(Effect.mapError((cause) => (cause._tag === "InputError" ? cause : unreadable(path, cause))))

const unreadable = (path: string, cause: unknown) =>
  new InputError({
    path,
    details: `cannot be read: ${FileFault.of(cause).details}.`,
    remedy: "Check the path and your permissions."
  })

const decode = (path: string, bytes: Uint8Array): Effect.Effect<string, InputError> =>
  Either.match(Utf8.decode(bytes), {
    onRight: (text) => Effect.succeed(text.replace(/^\uFEFF/, "")),
    onLeft: (offset) => {
      let line = 1
      for (const byte of bytes.subarray(0, offset)) if (byte === 0x0a) line += 1
      const byte = bytes[offset]!.toString(16).padStart(2, "0")
      return new InputError({
        path: `${path}:${line}`,
        details: `byte ${offset} (0x${byte}) is not UTF-8 text.`,
        remedy: "Convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`."
      })
    }
  })

/** A word that is not a token id. */
export class TokenIdError extends Schema.TaggedError<TokenIdError>()("TokenIdError", {
  word: Schema.String,
  /** Which word it is, counted from 1. */
  position: Schema.Number,
  vocabularySize: Schema.Number
}) {
  override get message() {
    return (
      `Word ${this.position}, "${this.word}", is not a token id. ` +
      `Ids are whole numbers from 0 to ${this.vocabularySize - 1}, separated by spaces or commas.`
    )
  }
}

/** Token ids in a text: numbers separated by spaces or commas, with or without brackets. */
export const tokenIds = (
  input: string,
  vocabularySize: number
): Effect.Effect<ReadonlyArray<number>, TokenIdError | UnknownToken> =>
  Effect.gen(function* () {
    const words = input.split(/[\s,[\]]+/).filter((word) => word !== "")
    const ids: Array<number> = []
    for (const [i, word] of words.entries()) {
      if (!/^\d{1,15}$/.test(word)) {
        return yield* new TokenIdError({ word: visible(word.slice(0, 40)), position: i + 1, vocabularySize })
      }
      const id = Number(word)
      if (id >= vocabularySize) return yield* new UnknownToken({ id, vocabularySize })
      ids.push(id)
    }
    return ids
  })
