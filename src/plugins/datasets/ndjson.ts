/**
 * Dataset plugin `ndjson` (JSON Lines): one JSON object per line, one of whose fields is the text of a document.
 *
 *     { "text": "Call me Ishmael.", "chapter": 1 }
 *
 * What is held out is the same rule as for text files; a single file is cut between two lines. Blank lines and empty texts are
 * skipped. Any other line without such a text is an error with its line number, so that missing data is noticed.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Dataset, DatasetError, type Document } from "../../core/Dataset.ts"
import * as Json from "../../core/data/Json.ts"
import * as Utf8 from "../../core/data/Utf8.ts"
import * as Excerpt from "../../core/Excerpt.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import * as TextFiles from "./TextFiles.ts"
import { countLineFeeds, type FileRange, invalidText, LINE_FEED, readBytes } from "./TextFiles.ts"
import * as ValidationSplit from "./ValidationSplit.ts"

const extensions = [".ndjson", ".jsonl"]

/** The config of `ndjson`. */
export const Config = Schema.Struct({
  ...ValidationSplit.fileFields(extensions.join(" and "), "notes/*.ndjson"),
  field: Schema.optionalWith(Schema.NonEmptyString, { default: () => "text" }).annotations({
    description: "The field of each object that contains the text of the document."
  })
})

/** The plugin. */
export const NdjsonDataset = Plugin.make(Dataset.kind, "ndjson", {
  description: "a field of NDJSON files, split into training and validation",
  config: Config,
  reads: extensions.map((extension) => `*${extension}`),
  make: (config) =>
    // A range has the lines that begin in it, so a file can be cut at any byte.
    Effect.flatMap(
      ValidationSplit.ranges(config, { extensions, cutNear: (_, near) => Effect.succeed(near) }),
      (ranges) =>
        Dataset.make({
          files: ranges.files,
          documents: (split) =>
            TextFiles.documentsOf(ranges[split], {
              whole: (range, bytes) =>
                Effect.map(
                  Effect.forEach(linesIn(bytes), (line) => parse(range, line, config.field)),
                  Arr.filter(({ text }) => text !== "")
                ),
              parts: (range) => parts(range, config.field)
            })
        })
    )
})

const parts = (range: FileRange, field: string): Stream.Stream<Document, DatasetError, FileSystem.FileSystem> =>
  linesOf(range).pipe(
    Stream.mapChunksEffect((lines) =>
      Effect.map(
        Effect.forEach(lines, (line) => parse(range, line, field)),
        Chunk.unsafeFromArray
      )
    ),
    Stream.filter(({ text }) => text !== "")
  )

const parse = (
  { file }: FileRange,
  { bytes, number, start }: Line,
  field: string
): Effect.Effect<Document, DatasetError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const decoded = Utf8.decode(bytes)
    if (Either.isLeft(decoded)) return yield* invalidText(file, start + decoded.left, bytes[decoded.left]!)
    const id = `${file.path}:${number}`
    const line = number === 1 ? decoded.right.replace(/^\uFEFF/, "") : decoded.right
    if (line.trim() === "") return { id, text: "", source: file.path }
    const fault = (details: string, remedy: string) =>
      new DatasetError({ reason: "InvalidText", path: file.path, line: number, details, remedy })
    const value = yield* Effect.mapError(Json.parse(line), (details) =>
      fault(`${Excerpt.printable(details)}.`, "Write one JSON object per line, with line breaks inside texts as \\n.")
    )
    if (!Predicate.isRecord(value)) {
      return yield* fault(
        `is ${kindOf(value)}, not an object.`,
        `Write one object per line, such as {"${field}": "…"}; \`jq -c '.[]'\` turns an array into lines.`
      )
    }
    const text = Object.hasOwn(value, field) ? value[field] : undefined
    if (typeof text === "string") return { id, text, source: file.path }
    const keys = Object.keys(value)
    return yield* text === undefined
      ? fault(
          `the object has no field "${Excerpt.printable(field)}".`,
          keys.length === 0
            ? "The object is empty."
            : `Set field to one that every object has; this one has ${keysOf(keys)}.`
        )
      : fault(
          `the field "${Excerpt.printable(field)}" is ${kindOf(text)}, not a string.`,
          "Set field to one whose values are strings, or correct the line."
        )
  })

const keysOf = (keys: ReadonlyArray<string>): string =>
  keys
    .slice(0, 8)
    .map((key) => Excerpt.printable(key.slice(0, 40)))
    .join(", ") + (keys.length > 8 ? ", …" : "")

const kindOf = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
      ? "an array"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`

/** A line as bytes. */
interface Line {
  readonly bytes: Uint8Array
  /** Counts from 1. */
  readonly number: number
  /** Where it starts in the file, in bytes. */
  readonly start: number
}

/** The lines of a file that was read at once. */
const linesIn = (bytes: Uint8Array): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(LINE_FEED, start)
    const line = bytes.subarray(start, end < 0 ? bytes.length : end)
    lines.push({ bytes: line, number: lines.length + 1, start })
    start += line.length + 1
  }
  return lines
}

const BLOCK = 1 << 20
/** The longest line that is still decoded as one string. */
const LONGEST = 1 << 28

interface State {
  /** The next byte to read; undefined at the end. */
  readonly at: number | undefined
  /** What was read of the incomplete line, and where it starts. */
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly start: number
  readonly number: number
}

/**
 * The lines whose first byte is in the range, so that ranges of one file share none. Lines end with a line feed; the last
 * one may lack it. Memory is bounded by a block of the file and the line that it ends in.
 */
const linesOf = ({ end, file, start }: FileRange): Stream.Stream<Line, DatasetError, FileSystem.FileSystem> => {
  const block = (state: State) =>
    Effect.gen(function* () {
      if (state.at === undefined || state.start >= end) return Option.none<readonly [Chunk.Chunk<Line>, State]>()
      const bytes = yield* readBytes(file, state.at, Math.min(file.bytes, state.at + BLOCK))
      const lines: Array<Line> = []
      let { number, pieces, start: lineStart } = state
      let from = 0
      const finish = (to: number) => {
        if (lineStart >= start && lineStart < end) {
          const whole = pieces.length === 0 ? bytes.subarray(from, to) : joined([...pieces, bytes.subarray(from, to)])
          lines.push({ bytes: whole, number, start: lineStart })
        }
        pieces = []
      }
      for (let to = bytes.indexOf(LINE_FEED); to >= 0; to = bytes.indexOf(LINE_FEED, from)) {
        finish(to)
        from = to + 1
        number += 1
        lineStart = state.at + from
      }
      const next = state.at + bytes.length
      if (next === file.bytes) finish(bytes.length)
      else pieces = [...pieces, bytes.subarray(from)]
      if (next - lineStart > LONGEST) return yield* tooLong(file.path, number)
      return Option.some([
        Chunk.unsafeFromArray(lines),
        { at: next === file.bytes ? undefined : next, pieces, start: lineStart, number }
      ] as const)
    })
  return Stream.unwrap(
    Effect.map(countLineFeeds(file, start - 1), (before) =>
      Stream.unfoldChunkEffect(
        // From the byte before: if it ends a line, the range begins with a new line.
        { at: Math.max(0, start - 1), pieces: [], start: Math.max(0, start - 1), number: before + 1 },
        block
      )
    )
  )
}

const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

const tooLong = (path: string, line: number) =>
  new DatasetError({
    reason: "InvalidText",
    path,
    line,
    details: `the line is longer than ${LONGEST / 2 ** 20} MiB.`,
    remedy: "Write one document per line, and save longer ones as text files."
  })
