/**
 * The lines of a file of NDJSON, plain or gzipped, with the bytes at which they are.
 */
import { createReadStream } from "node:fs"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogEvent } from "../../SessionEvent.ts"
import { LogReadError } from "../Log.ts"

/** A line that is not blank. */
export interface Record {
  /** Where it begins, in the unpacked text, and how many bytes it has without its line feed. */
  readonly offset: number
  readonly length: number
  /** A line feed came after it. */
  readonly ended: boolean
  /** Nothing where it is no event. */
  readonly event: LogEvent | undefined
}

export interface NdjsonFile {
  readonly path: string
  readonly gzip: boolean
  readonly parse: (line: string) => LogEvent | undefined
  /** Called with each line that was read. */
  readonly note: (record: Record) => void
}

const READ = 256 * 1024
/** No string can hold much more; a longer line is no event. */
const LONGEST = 256 << 20
const LINE_FEED = 10

/** The lines from a byte on, which begins a line. */
export const records = (file: NdjsonFile, from = 0): Stream.Stream<Record, LogReadError> =>
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
    // A failure of the file destroys the end of the pipeline, where it is reported.
    const source = gzip ? pipeline(plain, createGunzip({ chunkSize: READ }), () => undefined) : plain
    const chunks: AsyncIterable<Uint8Array> = source
    return Stream.fromAsyncIterable(chunks, unread(path)).pipe(
      Stream.ensuring(
        Effect.sync(() => {
          plain.destroy()
          source.destroy()
        })
      )
    )
  })

/** What Node said of a file, as an error of the reader. */
export const unread =
  (path: string) =>
  (cause: unknown): LogReadError => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
    const said = cause instanceof Error ? cause.message : String(cause)
    if (code.startsWith("Z_"))
      return new LogReadError({
        reason: "Corrupt",
        path,
        details: `its gzip data is damaged or cut off (${said}).`,
        remedy: "What came before is whole; go back to a copy for the rest.",
        cause
      })
    if (code === "ENOENT")
      return new LogReadError({
        reason: "Missing",
        path,
        details: "the file is gone.",
        remedy: "Was it moved or rotated? Name it again with --db.",
        cause
      })
    return new LogReadError({
      reason: "Unreadable",
      path,
      details: `the file cannot be read (${said}).`,
      remedy: "Check its permissions and those of its folder.",
      cause
    })
  }

/** Cuts bytes into lines; what has no end yet waits for more. */
const splitter = ({ parse, note }: NdjsonFile, from: number) => {
  let waiting: Array<Uint8Array> = []
  let length = 0
  let offset = from
  const take = (ended: boolean): ReadonlyArray<Record> => {
    const line = length > LONGEST ? "" : textOf(waiting)
    const blank = length <= LONGEST && line.trim() === ""
    const record = { offset, length, ended, event: blank ? undefined : parse(line) }
    offset += length + 1
    waiting = []
    length = 0
    if (blank) return []
    note(record)
    return [record]
  }
  const keep = (bytes: Uint8Array): void => {
    length += bytes.length
    if (length <= LONGEST) waiting.push(bytes)
    else waiting = []
  }
  return {
    push: (bytes: Uint8Array): Array<Record> => {
      const found: Array<Record> = []
      let start = 0
      for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
        keep(bytes.subarray(start, end))
        found.push(...take(true))
        start = end + 1
      }
      if (start < bytes.length) keep(bytes.subarray(start))
      return found
    },
    end: (): ReadonlyArray<Record> => (length > 0 ? take(false) : [])
  }
}

/** UTF-8; a mark of byte order at the start is left out. */
const textOf = (parts: ReadonlyArray<Uint8Array>): string => new TextDecoder().decode(Buffer.concat(parts))
