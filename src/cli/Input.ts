/**
 * Text that a command reads: a word of the command line, a file, or stdin to its end. It must be UTF-8.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Utf8 from "../core/data/Utf8.ts"
import { usageError } from "./UsageError.ts"

/** Input that cannot be read, or is no text. `path` is `stdin` for what comes from there. */
export class InputError extends Schema.TaggedError<InputError>()("InputError", {
  path: Schema.String,
  details: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.details} ${this.remedy}`
  }
}

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
    if (process.stdin.isTTY) return yield* usageError(`There is no ${what}: give it as a word, or on stdin.`)
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
      return yield* new InputError({ path, details: "is a folder.", remedy: "Give a file." })
    }
    return yield* fs.readFile(path)
  }).pipe(Effect.mapError((cause) => (cause._tag === "InputError" ? cause : unreadable(path, cause))))

const unreadable = (path: string, cause: unknown) => {
  const reason = cause instanceof Error ? ("reason" in cause ? String(cause.reason) : cause.message) : String(cause)
  return new InputError({
    path,
    details: `cannot be read (${reason}).`,
    remedy: "Check that it is there and that you may read it."
  })
}

const decode = (path: string, bytes: Uint8Array): Effect.Effect<string, InputError> =>
  Either.match(Utf8.decode(bytes), {
    onRight: (text) => Effect.succeed(text.replace(/^\uFEFF/, "")),
    onLeft: (offset) => {
      let line = 1
      for (const byte of bytes.subarray(0, offset)) if (byte === 0x0a) line += 1
      const byte = (bytes[offset] ?? 0).toString(16).padStart(2, "0")
      return new InputError({
        path: `${path}:${line}`,
        details: `byte ${offset} (0x${byte}) is not UTF-8 text.`,
        remedy: "Convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`."
      })
    }
  })
