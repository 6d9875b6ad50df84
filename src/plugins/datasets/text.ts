/**
 * Dataset plugin `text`: plain text files as documents, split into training and validation.
 *
 * One file is one document. A file above `document_bytes`, or the part of a file that a split has, is several: it is cut after
 * the last line break before the limit, or between characters when there is none. Text must be UTF-8. A byte order mark at the
 * start of a file is dropped; line ends stay as they are. Nothing is cleaned, deduplicated or shuffled.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Dataset, type DatasetError, type Document } from "../../core/Dataset.ts"
import * as Utf8 from "../../core/data/Utf8.ts"
import * as Plugin from "../../core/plugin/Plugin.ts"
import * as TextFiles from "./TextFiles.ts"
import { type FileRange, invalidText, LINE_FEED, readBytes, type TextFile } from "./TextFiles.ts"
import * as ValidationSplit from "./ValidationSplit.ts"

const extensions = [".txt"]

/** The config of `text`. */
export const Config = Schema.Struct({
  ...ValidationSplit.fileFields(".txt", "notes/*.txt"),
  document_bytes: Schema.optionalWith(Schema.Int.pipe(Schema.greaterThanOrEqualTo(4)), {
    default: () => 16 * 1024 * 1024
  }).annotations({
    description: "A file longer than this many bytes is several documents, cut at line breaks."
  })
})

/** The plugin. */
export const TextDataset = Plugin.make(Dataset.kind, "text", {
  description: "text files, split into training and validation",
  config: Config,
  reads: extensions.map((extension) => `*${extension}`),
  make: (config) =>
    Effect.flatMap(ValidationSplit.ranges(config, { extensions, cutNear }), (ranges) =>
      Dataset.make({
        files: ranges.files,
        documents: (split) =>
          TextFiles.documentsOf(ranges[split], {
            whole: (range, bytes) =>
              bytes.length <= config.document_bytes
                ? Effect.map(decode(range.file, 0, bytes), (document) => (document.text === "" ? [] : [document]))
                : Effect.map(Stream.runCollect(parts(range, config.document_bytes)), Chunk.toReadonlyArray),
            parts: (range) => parts(range, config.document_bytes)
          })
      })
    )
})

/** The documents of a range, each at most `limit` bytes, so that memory is bounded. */
const parts = (range: FileRange, limit: number): Stream.Stream<Document, DatasetError, FileSystem.FileSystem> =>
  Stream.unfoldEffect(range.start, (start) =>
    start >= range.end
      ? Effect.succeedNone
      : Effect.gen(function* () {
          const bytes = yield* readBytes(range.file, start, Math.min(range.end, start + limit))
          const end = start + bytes.length === range.end ? bytes.length : cutOf(bytes)
          const document = yield* decode(range.file, start, bytes.subarray(0, end))
          return Option.some([document, start + end] as const)
        })
  ).pipe(Stream.filter((document) => document.text !== ""))

/** The document of bytes that begin at `start` of a file. */
const decode = (file: TextFile, start: number, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const text = Utf8.decode(bytes)
    if (Either.isLeft(text)) return yield* invalidText(file, start + text.left, bytes[text.left]!)
    const whole = start === 0 && bytes.length === file.bytes
    return {
      id: whole ? file.path : `${file.path}#${start}`,
      text: start === 0 ? text.right.replace(/^\uFEFF/, "") : text.right,
      source: file.path
    } satisfies Document
  })

/** Where to end a document in these bytes, which are followed by more of the range. */
const cutOf = (bytes: Uint8Array): number => {
  const afterLine = bytes.lastIndexOf(LINE_FEED) + 1
  if (afterLine > 0) return afterLine
  const last = Utf8.boundaryBefore(bytes, bytes.length - 1)
  return last > 0 ? last : bytes.length
}

/** Bytes that are searched at a time for a line break. */
const SEARCHED = 1 << 16

/**
 * Where to cut a file near a byte: after the last line break before it. If the second half of the text before it has none, at
 * the start of the character there: a file of a title line and one endless line should not be cut after the title.
 */
const cutNear = (file: TextFile, near: number) =>
  Effect.gen(function* () {
    const least = Math.floor(near / 2)
    for (let end = near; end > least; end -= SEARCHED) {
      const start = Math.max(least, end - SEARCHED)
      const found = (yield* readBytes(file, start, end)).lastIndexOf(LINE_FEED)
      if (found >= 0) return start + found + 1
    }
    const from = Math.max(0, near - 3)
    const around = yield* readBytes(file, from, Math.min(file.bytes, near + 1))
    return from + Utf8.boundaryBefore(around, near - from)
  })
