/**
 * Lines of NDJSON as they are written: by byte offset, and a line that is not whole yet waits for its end.
 *
 * When the path has become another file, or the file no longer has the bytes that were seen last, it is read from its start.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../core/LogQuery.ts"
import type { LogEvent } from "../../core/SessionEvent.ts"
import type { Log, LogReadError } from "./Log.ts"
import { matcher } from "./LogMatch.ts"
import { bytesAt, fetch } from "./NdjsonOrder.ts"
import type * as NdjsonPlaces from "./NdjsonPlaces.ts"
import { type NdjsonFile, type Record, records } from "./NdjsonRecords.ts"
import { defaultEvery, defaultLast } from "./SqlFollow.ts"

export const follow = (
  fs: FileSystem.FileSystem,
  whole: NdjsonFile,
  query: LogQuery,
  { every = defaultEvery, once = false }: NonNullable<Parameters<Log["follow"]>[1]> = {}
): Stream.Stream<LogEvent, LogReadError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const matches = matcher(query)
      // A line that waits for its end is not skipped.
      const file: NdjsonFile = {
        ...whole,
        note: (record) => (record.ended || record.event !== undefined ? whole.note(record) : undefined)
      }
      const most = query.last ?? defaultLast
      let { identity, position, mark } = nowhere
      let places: Array<NdjsonPlaces.Place> = []
      /** Goes on after a line, and says whether it is an event that is asked for. */
      const pass = ({ offset, length, ended, event }: Record): boolean => {
        if (!ended && event === undefined) return false
        position = offset + length + (ended ? 1 : 0)
        return event !== undefined && matches(event)
      }
      const remember = Effect.map(
        Effect.suspend(() => markAt(fs, file, position)),
        (bytes) => {
          mark = bytes
        }
      )
      identity = yield* identityOf(fs, file)
      yield* Stream.runForEachChunk(records(file), (chunk) =>
        Effect.sync(() => {
          for (const record of chunk)
            if (pass(record)) places.push({ ...record, event: file.gzip ? record.event : undefined })
          if (places.length > 2 * most) places = most === 0 ? [] : places.slice(-most)
        })
      )
      yield* remember
      const look = Effect.gen(function* () {
        yield* Effect.sleep(every)
        const now = yield* identityOf(fs, file)
        if (now === undefined || file.gzip) return Stream.empty
        if (now !== identity || (yield* markAt(fs, file, position)) !== mark) position = 0
        identity = now
        const found = records(file, position).pipe(
          Stream.filter(pass),
          Stream.flatMap(({ event }) => Stream.fromIterable(event === undefined ? [] : [event]))
        )
        // It may be renamed between two looks at it.
        const there = Stream.catchAll(found, (error) =>
          error.reason === "Missing" ? Stream.empty : Stream.fail(error)
        )
        return Stream.concat(there, Stream.drain(Stream.fromEffect(remember)))
      })
      const first = fetch(fs, file, most === 0 ? [] : places.slice(-most))
      return once ? first : Stream.concat(first, Stream.flatten(Stream.repeatEffect(look)))
    })
  )

interface Reading {
  /** Of the file that was read. */
  readonly identity: string | undefined
  readonly position: number
  /** The bytes before the position. */
  readonly mark: string
}

const nowhere: Reading = { identity: undefined, position: 0, mark: "" }

const identityOf = (fs: FileSystem.FileSystem, { path }: NdjsonFile) =>
  fs.stat(path).pipe(
    Effect.map(({ dev, ino }) => `${dev}:${Option.getOrElse(ino, () => 0)}`),
    Effect.orElseSucceed(() => undefined)
  )

const MARK = 64

const markAt = (fs: FileSystem.FileSystem, { path, gzip }: NdjsonFile, position: number) =>
  gzip
    ? Effect.succeed("")
    : Effect.flatMap(fs.open(path, { flag: "r" }), (handle) =>
        bytesAt(handle, Math.max(0, position - MARK), Math.min(MARK, position))
      ).pipe(
        Effect.map((bytes) => new TextDecoder("latin1").decode(bytes)),
        Effect.scoped,
        Effect.orElseSucceed(() => "")
      )
