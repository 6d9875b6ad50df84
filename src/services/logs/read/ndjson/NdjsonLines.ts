/**
 * The lines of an NDJSON file, plain or gzipped: their positions in bytes, and the events in them.
 */
import { createReadStream } from "node:fs"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Json from "../../../../core/data/Json.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import { assign, eventOf, metadataOf } from "../EventColumns.ts"
import { type Columns, type LogReadError, unreadable } from "../Log.ts"
import { secondsOf } from "../Timestamp.ts"

/** A line that is not blank. */
export interface NdjsonLine {
  /** Its start in the decompressed file, and its length without the line feed, in bytes. */
  readonly offset: number
  readonly length: number
  /** Whether a line feed follows. */
  readonly ended: boolean
  /** Undefined if the line is not an event. */
  readonly event: LogEvent | undefined
}

/** A file, and how its lines are parsed. */
export interface NdjsonFile {
  readonly path: string
  readonly gzip: boolean
  readonly parse: (line: string) => LogEvent | undefined
  /** Called with each line that is read. */
  readonly note: (record: NdjsonLine) => void
}

const READ = 256 * 1024
/** A string cannot be much longer; a longer line is not an event. */
const LONGEST = 256 << 20
const LINE_FEED = 10

/** The lines from a byte at the start of a line to the end. */
export const lines = (file: NdjsonFile, from = 0): Stream.Stream<NdjsonLine, LogReadError> =>
  Stream.suspend(() => {
    const split = splitter(file, from)
    const ending = Stream.suspend(() => Stream.fromIterable(split.end()))
    return bytesOf(file, from).pipe(
      Stream.mapChunks((chunks) => Chunk.flatMap(chunks, (bytes) => Chunk.unsafeFromArray(split.push(bytes)))),
      Stream.concat(ending)
    )
  })

const bytesOf = ({ path, gzip }: NdjsonFile, from: number): Stream.Stream<Uint8Array, LogReadError> =>
  Stream.suspend(() => {
    const plain = createReadStream(path, { start: from, highWaterMark: READ })
    // An error of the file destroys the last stream of the pipeline, which reports it.
    const source = gzip ? pipeline(plain, createGunzip({ chunkSize: READ }), () => undefined) : plain
    const chunks: AsyncIterable<Uint8Array> = source
    return Stream.fromAsyncIterable(chunks, unreadable(path)).pipe(
      Stream.ensuring(
        Effect.sync(() => {
          plain.destroy()
          source.destroy()
        })
      )
    )
  })

/** Turns the bytes of a file, as they come, into lines. */
export interface Splitter {
  /** Adds bytes, and returns the lines that end in them. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<NdjsonLine>
  /** What was written after the last line feed, if it is already an event; otherwise it waits for more bytes. */
  readonly complete: () => ReadonlyArray<NdjsonLine>
  /** What was written after the last line feed, at the end of the file. */
  readonly end: () => ReadonlyArray<NdjsonLine>
}

/** Splits bytes into lines; the first byte is at `from`. */
export const splitter = ({ parse, note }: NdjsonFile, from: number): Splitter => {
  let waiting: Array<Uint8Array> = []
  let length = 0
  let offset = from
  const text = (): string => (length > LONGEST ? "" : decode(waiting))
  const take = (ended: boolean): ReadonlyArray<NdjsonLine> => {
    const line = text()
    const blank = length <= LONGEST && line.trim() === ""
    const record = { offset, length, ended, event: blank ? undefined : parse(line) }
    // The line feed of a line that was taken before it came is a blank line of its own.
    offset += length + (ended ? 1 : 0)
    waiting = []
    length = 0
    if (blank) return []
    note(record)
    return [record]
  }
  const append = (bytes: Uint8Array): void => {
    length += bytes.length
    if (length <= LONGEST) waiting.push(bytes)
    else waiting = []
  }
  return {
    push: (bytes) => {
      const found: Array<NdjsonLine> = []
      let start = 0
      for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
        append(bytes.subarray(start, end))
        found.push(...take(true))
        start = end + 1
      }
      if (start < bytes.length) append(bytes.subarray(start))
      return found
    },
    complete: () => (length > 0 && parse(text()) !== undefined ? take(false) : []),
    end: () => (length > 0 ? take(false) : [])
  }
}

/** UTF-8, without a byte order mark at the start. */
const decode = (parts: ReadonlyArray<Uint8Array>): string => new TextDecoder().decode(Buffer.concat(parts))

/**
 * Parses a line: an object with a key for the message, by any of its common names; unknown keys are ignored. Undefined if the line
 * is not an event.
 */
export const parser = (given: Columns): ((line: string) => LogEvent | undefined) => {
  // Lines of the same program have the same keys.
  let last = ""
  let columns: Columns = {}
  return (line) => {
    const found = objectIn(line)
    if (found === undefined) return undefined
    const keys = Object.keys(found)
    const joined = keys.join("\n")
    if (joined !== last) {
      last = joined
      columns = assign(keys, given)
    }
    const { message } = columns
    if (message === undefined || !(message in found)) return undefined
    const value = (key: string | undefined): unknown => (key === undefined ? undefined : found[key])
    const metadata = value(columns.metadata)
    return eventOf({
      seconds: secondsOf(value(columns.time)),
      time: textOf(value(columns.time)),
      session: textOf(value(columns.session)),
      role: textOf(value(columns.role)),
      message: textOf(found[message]),
      level: textOf(value(columns.level)),
      metadata: typeof metadata === "string" ? metadataOf(metadata) : (metadata ?? null)
    })
  }
}

const objectIn = (line: string): { readonly [key: string]: unknown } | undefined => {
  const value = Either.getOrUndefined(Json.parse(line))
  return Predicate.isReadonlyRecord(value) ? value : undefined
}

const textOf = (value: unknown): string | null => {
  if (value === null || value === undefined) return null
  return typeof value === "string" ? value : JSON.stringify(value)
}
