/**
 * New lines of an NDJSON file. Each byte is read once; an incomplete line waits for its end.
 *
 * The file may be truncated or rewritten at any moment. So each read begins with the bytes that were read last, and one system call
 * returns both: only if they are still the same are the bytes after them new. Otherwise the file is read from its start.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type LogQuery, matcher } from "../../LogQuery.ts"
import * as FollowedFile from "../FollowedFile.ts"
import { defaultLast, type Log, type LogReadError, unreadable } from "../Log.ts"
import { eventsIn, type Place } from "./NdjsonEvents.ts"
import { lines, type NdjsonFile, type NdjsonLine, splitter } from "./NdjsonLines.ts"

/** The last events of the file, then new ones. A gzipped file is complete, so it has no new ones. */
export const follow = (
  fs: FileSystem.FileSystem,
  file: NdjsonFile,
  query: LogQuery,
  options: NonNullable<Parameters<Log["follow"]>[1]> = {}
): FollowedFile.EventStream => {
  const passes = ({ reason }: LogReadError) => reason === "Missing"
  if (!file.gzip)
    return FollowedFile.follow(
      { fs, path: file.path, open: (whole) => tailOf(fs, file, query, whole), passes },
      options
    )
  const places = lastPlaces(file, query)
  const last = Stream.runForEachChunk(lines(file), (chunk) => Effect.sync(() => places.add(chunk)))
  const first = Stream.unwrap(
    Effect.map(last, () => Stream.fromIterable(places.take().flatMap(({ event }) => event ?? [])))
  )
  return options.once === true ? first : Stream.concat(first, Stream.never)
}

const tailOf = (fs: FileSystem.FileSystem, file: NdjsonFile, query: LogQuery, whole: boolean) =>
  Effect.gen(function* () {
    const handle = yield* fs.open(file.path, { flag: "r" })
    const places = lastPlaces(file, query)
    let further = furtherLines(handle, file, 0)
    if (!whole) {
      const size = Number((yield* handle.stat).size)
      // The last events are near the end: a growing part of the file is read until there are enough.
      for (let window = WINDOW; ; window *= 8) {
        const start = Math.max(0, size - window)
        further = furtherLines(handle, file, start)
        yield* Stream.runForEachChunk(further, (chunk) => Effect.sync(() => places.add(chunk)))
        if (start === 0 || places.count() >= places.most) break
        places.take()
      }
    }
    const tail: FollowedFile.Tail = {
      first: eventsIn(handle, file, places.take()),
      check: Effect.succeed(
        Stream.filterMap(further, ({ event }) => Option.filter(Option.fromNullable(event), matcher(query)))
      ),
      // A file without a name gets no new lines.
      ending: Effect.match(handle.stat, {
        onFailure: () => true,
        onSuccess: ({ nlink }) => Option.contains(nlink, 0)
      })
    }
    return tail
  }).pipe(
    Effect.catchTags({
      BadArgument: (error) => Effect.fail(unreadable(file.path)(error)),
      SystemError: (error) => Effect.fail(unreadable(file.path)(error))
    })
  )

/** Collects where the last events of a query are. */
const lastPlaces = (file: NdjsonFile, query: LogQuery) => {
  const matches = matcher(query)
  const most = query.last ?? defaultLast
  let places: Array<Place> = []
  const last = () => (most === 0 ? [] : places.slice(-most))
  return {
    most,
    count: () => places.length,
    add: (found: Iterable<NdjsonLine>): void => {
      for (const line of found)
        if (line.event !== undefined && matches(line.event))
          places.push({ ...line, event: file.gzip || most <= FEW ? line.event : undefined })
      if (places.length > 2 * most) places = last()
    },
    /** Returns the places, and begins anew. */
    take: (): ReadonlyArray<Place> => {
      const taken = last()
      places = []
      return taken
    }
  }
}

/** Bytes at the end of a file that usually contain the last events. */
const WINDOW = 1 << 20
/** So many events are kept; of more, only their places, which are wrong if the file is rewritten before they are read again. */
const FEW = 1000
/** Bytes of one read. */
const READ = 256 * 1024
/** Bytes before the position of a file, to recognize what was read by. */
const MARK = 64

/**
 * The lines that were added since the stream was last read to its end; first, all from the byte `start`, without the line that begins
 * before it. Read to their end, they leave an incomplete line to the next time.
 */
const furtherLines = (
  handle: FileSystem.File,
  file: NdjsonFile,
  start: number
): Stream.Stream<NdjsonLine, LogReadError> => {
  const buffer = new Uint8Array(READ)
  let mark = new Uint8Array(0)
  let position = start
  let least = start === 0 ? 0 : start + 1
  const isWhole = ({ offset }: NdjsonLine): boolean => offset >= least
  const noting: NdjsonFile = { ...file, note: (line) => (isWhole(line) ? file.note(line) : undefined) }
  let split = splitter(noting, start)
  const chunk = (found: ReadonlyArray<NdjsonLine>) => Chunk.unsafeFromArray(found.filter(isWhole))
  return Stream.paginateChunkEffect(false, (grown) =>
    Effect.gen(function* () {
      yield* handle.seek(position - mark.length, "start")
      const bytes = buffer.subarray(0, Number(yield* handle.read(buffer)))
      if (Buffer.compare(bytes.subarray(0, mark.length), mark) !== 0) {
        mark = new Uint8Array(0)
        position = 0
        least = 0
        split = splitter(noting, 0)
        return [chunk([]), Option.some(false)]
      }
      const added = bytes.slice(mark.length)
      // An incomplete line is parsed again only if it has grown.
      if (added.length === 0) return [chunk(grown ? split.complete() : []), Option.none()]
      position += added.length
      mark = bytes.slice(-MARK)
      return [chunk(split.push(added)), Option.some(true)]
    })
  ).pipe(Stream.mapError(unreadable(file.path)))
}
