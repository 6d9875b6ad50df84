/**
 * Reads ranges of files as documents, strictly UTF-8 and with bounded memory.
 *
 * A range up to the size limit is one document. A longer one is cut after the last line break before the limit, or where a
 * character ends when there is no line break, and each piece is a document of its own. A byte order mark at the start of a
 * file is dropped; line ends stay as they are.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { DatasetError, type Document } from "../../../core/Dataset.ts"
import { type TextFile, unreadable } from "./Files.ts"
import * as Utf8 from "./Utf8.ts"

/** A part of a file, by bytes. */
export interface Range {
  readonly file: TextFile
  readonly start: number
  readonly end: number
}

const LINE_FEED = 0x0a
/** Bytes looked through at a time for a line break. */
const SEARCHED = 1 << 16

/** The documents of a range. */
export const read = (range: Range, limit: number): Stream.Stream<Document, DatasetError, FileSystem.FileSystem> =>
  Stream.unfoldEffect(range.start, (start) =>
    start >= range.end
      ? Effect.succeedNone
      : Effect.gen(function* () {
          const { file } = range
          const bytes = yield* readBytes(file, start, Math.min(range.end, start + limit))
          const end = start + bytes.length === range.end ? bytes.length : cutOf(bytes)
          const text = Utf8.decode(bytes.subarray(0, end))
          if (Either.isLeft(text)) return yield* invalidText(file, start + text.left, bytes[text.left])
          const whole = start === 0 && end === file.bytes
          const id = whole ? file.path : `${file.path}#${start}`
          const document = { id, text: start === 0 ? text.right.replace(/^\uFEFF/, "") : text.right }
          return Option.some([document, start + end] as const)
        })
  ).pipe(Stream.filter((document) => document.text !== ""))

/** Where to end a piece of these bytes, the last of which is not the range's last. */
const cutOf = (bytes: Uint8Array): number => {
  const afterLine = bytes.lastIndexOf(LINE_FEED) + 1
  if (afterLine > 0) return afterLine
  const last = Utf8.boundaryBefore(bytes, bytes.length - 1)
  return last > 0 ? last : bytes.length
}

/**
 * Where to cut a file near a byte: after the last line break before it. Where the half of the text before it has none, at
 * the start of the character there: a title line above one endless line is no place to cut.
 */
export const cutNear = (file: TextFile, near: number) =>
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

/** The bytes [start, end) of a file. */
export const readBytes = (file: TextFile, start: number, end: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const handle = yield* fs.open(file.path, { flag: "r" })
      yield* handle.seek(start, "start")
      const bytes = new Uint8Array(end - start)
      for (let filled = 0; filled < bytes.length; ) {
        const count = Number(yield* handle.read(bytes.subarray(filled)))
        if (count === 0) return yield* changed(file)
        filled += count
      }
      return bytes
    })
  ).pipe(Effect.mapError((cause) => (cause._tag === "DatasetError" ? cause : unreadable(file.path, cause))))

const changed = (file: TextFile) =>
  new DatasetError({
    reason: "Unreadable",
    path: file.path,
    details: `the file had ${file.bytes} bytes and became shorter while it was read.`,
    remedy: "Run again when nothing writes to it."
  })

/** The failure of a byte that is no UTF-8, with the line that it stands in. */
export const invalidText = (file: TextFile, offset: number, byte: number | undefined) =>
  Effect.gen(function* () {
    let line = 1
    for (let start = 0; start < offset; start += SEARCHED) {
      for (const value of yield* readBytes(file, start, Math.min(offset, start + SEARCHED))) {
        if (value === LINE_FEED) line++
      }
    }
    const first = yield* readBytes(file, 0, Math.min(2, file.bytes))
    const wide = (first[0] === 0xff && first[1] === 0xfe) || (first[0] === 0xfe && first[1] === 0xff)
    return yield* new DatasetError({
      reason: "InvalidText",
      path: file.path,
      line,
      details: `byte ${offset} (0x${(byte ?? 0).toString(16).padStart(2, "0")}) is not UTF-8 text.`,
      remedy: wide
        ? "The file is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`."
        : "Convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`, or leave it out."
    })
  })
