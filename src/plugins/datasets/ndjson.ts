/**
 * NDJSON (JSON Lines): one JSON object a line, one of whose fields is the text of a document.
 *
 *     { "text": "Call me Ishmael.", "chapter": 1 }
 *
 * Which files are held out is the same rule as for text files; a single file is cut between two lines. Blank lines and empty
 * texts are passed over. A line that is no such object fails with its number: data that is skipped in silence is not noticed.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DatasetError, DatasetKind, type Document, type Split } from "../../core/Dataset.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import * as Lines from "./ndjson/Lines.ts"
import { invalidText, type Range } from "./text/Documents.ts"
import { fingerprint } from "./text/Fingerprint.ts"
import * as HeldOut from "./text/HeldOut.ts"
import * as Utf8 from "./text/Utf8.ts"

/** Ends of the names of files that are NDJSON. */
export const extensions = [".ndjson", ".jsonl"] as const

export const Config = Schema.Struct({
  ...HeldOut.fields(extensions.join(" and "), "notes/*.ndjson"),
  field: Schema.optionalWith(Schema.NonEmptyString, { default: () => "text" }).annotations({
    description: "The key of each object that holds the text of the document."
  })
})

export const NdjsonDataset = Plugin.make(DatasetKind, "ndjson", {
  description: "a field of NDJSON files, split into training and validation",
  config: Config,
  make: (config) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const ranges = yield* HeldOut.ranges(config, {
        extensions,
        // A part has the lines that begin in it, so any byte is between documents.
        cutNear: (_, near) => Effect.succeed(near)
      })
      const documents = (split: Split) =>
        Stream.fromIterable(ranges[split]).pipe(
          Stream.flatMap((range) => read(range, config.field)),
          Stream.provideService(FileSystem.FileSystem, fs)
        )
      return { documents, fingerprint: fingerprint(documents) }
    })
})

const read = (range: Range, field: string): Stream.Stream<Document, DatasetError, FileSystem.FileSystem> =>
  Lines.read(range).pipe(
    Stream.mapChunksEffect((lines) =>
      Effect.map(
        Effect.forEach(lines, (line) => parse(range, line, field)),
        Chunk.unsafeFromArray
      )
    ),
    Stream.filter(({ text }) => text !== "")
  )

const parse = (
  { file }: Range,
  { bytes, number, start }: Lines.Line,
  field: string
): Effect.Effect<Document, DatasetError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const decoded = Utf8.decode(bytes)
    if (Either.isLeft(decoded)) return yield* invalidText(file, start + decoded.left, bytes[decoded.left])
    const id = `${file.path}:${number}`
    const line = number === 1 ? decoded.right.replace(/^\uFEFF/, "") : decoded.right
    if (line.trim() === "") return { id, text: "" }
    const fault = (details: string, remedy: string) =>
      new DatasetError({ reason: "InvalidText", path: file.path, line: number, details, remedy })
    const value = yield* Effect.try({
      try: (): unknown => JSON.parse(line),
      catch: (cause) =>
        fault(
          `is not JSON (${printable(cause instanceof Error ? cause.message : String(cause))}).`,
          "Write one JSON object a line, with line breaks inside texts as \\n."
        )
    })
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return yield* fault(
        `is ${kindOf(value)}, not an object.`,
        `Write objects such as {"${field}": "…"}, one a line; \`jq -c '.[]'\` makes lines of an array.`
      )
    }
    const text: unknown = Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined
    if (typeof text === "string") return { id, text }
    const keys = Object.keys(value)
    return yield* text === undefined
      ? fault(
          `the object has no field "${printable(field)}".`,
          keys.length === 0 ? "It is empty." : `Set field to one that all have; here are ${keysOf(keys)}.`
        )
      : fault(
          `the field "${printable(field)}" is ${kindOf(text)}, not a string.`,
          "Set field to one whose values are texts, or mend the line."
        )
  })

const keysOf = (keys: ReadonlyArray<string>): string =>
  keys
    .slice(0, 8)
    .map((key) => printable(key.slice(0, 40)))
    .join(", ") + (keys.length > 8 ? ", …" : "")

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`

/** Text of a file as part of a message: control characters of it are for no terminal. */
const printable = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
