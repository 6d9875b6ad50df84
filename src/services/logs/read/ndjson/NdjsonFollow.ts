/**
 * New lines of an NDJSON file, by byte offset; an incomplete line waits for its end.
 *
 * If the path has become another file, or the file no longer has the bytes that were read last, it is read from its start.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type LogQuery, matcher } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import { defaultEvery, defaultLast, identityOf, type Log, type LogReadError } from "../Log.ts"
import { bytesAt, eventsAt, type Place } from "./NdjsonEvents.ts"
import { lines as linesOf, type NdjsonFile, type NdjsonLine } from "./NdjsonLines.ts"

/** The last events of the file, then new ones. */
export const follow = (
  fs: FileSystem.FileSystem,
  whole: NdjsonFile,
  query: LogQuery,
  { every = defaultEvery, once = false }: NonNullable<Parameters<Log["follow"]>[1]> = {}
): Stream.Stream<LogEvent, LogReadError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const matches = matcher(query)
      // An incomplete line is not counted as skipped.
      const file: NdjsonFile = {
        ...whole,
        note: (record) => (record.ended || record.event !== undefined ? whole.note(record) : undefined)
      }
      const most = query.last ?? defaultLast
      let { identity, position, mark } = nowhere
      let places: Array<Place> = []
      /** Moves the position behind a line, and returns whether it is an event of the query. */
      const pass = ({ offset, length, ended, event }: NdjsonLine): boolean => {
        if (!ended && event === undefined) return false
        position = offset + length + (ended ? 1 : 0)
        return event !== undefined && matches(event)
      }
      let marked = 0
      // If nothing was read, the old bytes stay: the file may have been truncated just now.
      const remember = Effect.suspend(() =>
        position === marked
          ? Effect.void
          : Effect.map(markAt(fs, file, position), (bytes) => {
              marked = position
              mark = bytes
            })
      )
      identity = yield* identityOf(fs, file.path)
      const size = yield* sizeOf(fs, file)
      // The last events are near the end: a growing part of the file is read until there are enough.
      for (let window = WINDOW; ; window *= 8) {
        const start = file.gzip ? 0 : Math.max(0, size - window)
        places = []
        yield* Stream.runForEachChunk(linesFrom(file, start), (chunk) =>
          Effect.sync(() => {
            for (const record of chunk)
              if (pass(record)) places.push({ ...record, event: file.gzip ? record.event : undefined })
            if (places.length > 2 * most) places = most === 0 ? [] : places.slice(-most)
          })
        )
        if (start === 0 || places.length >= most) break
      }
      yield* remember
      const check = Effect.gen(function* () {
        yield* Effect.sleep(every)
        const now = yield* identityOf(fs, file.path)
        if (now === undefined || file.gzip) return Stream.empty
        const seen = yield* markAt(fs, file, position)
        if (now !== identity || seen === undefined || seen !== mark) {
          position = 0
          marked = 0
          mark = ""
        }
        identity = now
        const from = position
        // The file may be renamed at any moment.
        const further = Stream.catchAll(linesOf({ ...file, note: () => undefined }, from), (error) =>
          error.reason === "Missing" ? Stream.empty : Stream.fail(error)
        )
        const deliver = (lines: typeof further) =>
          lines.pipe(
            Stream.tap((record) => Effect.sync(() => file.note(record))),
            Stream.filter(pass),
            Stream.flatMap(({ event }) => Stream.fromIterable(event === undefined ? [] : [event])),
            Stream.concat(Stream.drain(Stream.fromEffect(remember)))
          )
        if (from === 0) return deliver(further)
        // The file may be rewritten between the check of its mark and the reading: the next check detects that.
        const lines = yield* Stream.runCollect(further)
        return (yield* markAt(fs, file, from)) === mark ? deliver(Stream.fromChunk(lines)) : Stream.empty
      })
      const first = eventsAt(fs, file, most === 0 ? [] : places.slice(-most))
      return once ? first : Stream.concat(first, Stream.flatten(Stream.repeatEffect(check)))
    })
  )

/** Bytes at the end of a file that usually contain the last events. */
const WINDOW = 1 << 20

/** The lines from a byte on; a line that begins before it is left out. */
const linesFrom = (file: NdjsonFile, start: number): Stream.Stream<NdjsonLine, LogReadError> => {
  if (start === 0) return linesOf(file)
  const note: NdjsonFile["note"] = (record) => (record.offset > start ? file.note(record) : undefined)
  return Stream.filter(linesOf({ ...file, note }, start), ({ offset }) => offset > start)
}

const sizeOf = (fs: FileSystem.FileSystem, { path }: NdjsonFile) =>
  fs.stat(path).pipe(
    Effect.map(({ size }) => Number(size)),
    Effect.orElseSucceed(() => 0)
  )

interface ReadingPosition {
  /** Device and inode of the file that was read. */
  readonly identity: string | undefined
  readonly position: number
  /** The bytes before the position, to recognize the file by. */
  readonly mark: string | undefined
}

const nowhere: ReadingPosition = { identity: undefined, position: 0, mark: "" }

const MARK = 64

/** Undefined if the file is shorter. */
const markAt = (fs: FileSystem.FileSystem, { path, gzip }: NdjsonFile, position: number) =>
  gzip
    ? Effect.succeed("")
    : Effect.flatMap(fs.open(path, { flag: "r" }), (handle) =>
        bytesAt(handle, Math.max(0, position - MARK), Math.min(MARK, position))
      ).pipe(
        Effect.map((bytes) =>
          bytes.length < Math.min(MARK, position) ? undefined : new TextDecoder("latin1").decode(bytes)
        ),
        Effect.scoped,
        Effect.orElseSucceed(() => undefined)
      )
