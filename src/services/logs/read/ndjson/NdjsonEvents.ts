/**
 * The events of a file of NDJSON in the order of a query.
 *
 * A log is nearly always in the order of time already: a first pass finds out, and a second one gives the events, with
 * nothing kept. Otherwise the places of events are kept and sorted, and their lines are read by position.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type LogQuery, matcher } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import { type LogReadError, unreadable } from "../Log.ts"
import { lines, type NdjsonFile, type NdjsonLine } from "./NdjsonLines.ts"

export const events = (
  fs: FileSystem.FileSystem,
  file: NdjsonFile,
  query: LogQuery
): Stream.Stream<LogEvent, LogReadError> =>
  query.last === 0 || query.limit === 0
    ? Stream.empty
    : Stream.unwrap(
        Effect.gen(function* () {
          const { last, offset = 0, limit } = query
          if (query.order !== "desc") {
            const { ordered, count } = yield* survey(file, query)
            const skipped = offset + (last === undefined ? 0 : Math.max(0, count - last))
            if (ordered)
              return matching(file, query).pipe(
                Stream.drop(skipped),
                Stream.take(Math.max(0, Math.min(limit ?? count, count - skipped)))
              )
          }
          const places = yield* sorted(file, query)
          const asked = query.order === "desc" ? places.toReversed() : places
          const wanted = asked.slice(offset, limit === undefined ? undefined : offset + limit)
          return eventsAt(fs, file, wanted)
        })
      )

/** Lines that are events of the query, as they are written. */
const chosen = (file: NdjsonFile, query: LogQuery) => {
  const matches = matcher(query)
  return Stream.filter(lines(file), (record): record is Found => record.event !== undefined && matches(record.event))
}

interface Found extends NdjsonLine {
  readonly event: LogEvent
}

export const matching = (file: NdjsonFile, query: LogQuery): Stream.Stream<LogEvent, LogReadError> =>
  Stream.map(chosen(file, query), ({ event }) => event)

/** How many events there are, and whether none is earlier than the one before it. */
const survey = (file: NdjsonFile, query: LogQuery) =>
  Effect.suspend(() => {
    let ordered = true
    let count = 0
    let before = Number.NEGATIVE_INFINITY
    return Stream.runForEachChunk(matching(file, query), (chunk) =>
      Effect.sync(() => {
        for (const { ts } of chunk) {
          const now = ts ?? Number.NEGATIVE_INFINITY
          ordered &&= now >= before
          before = now
          count += 1
        }
      })
    ).pipe(Effect.map(() => ({ ordered, count })))
  })

/** Places in order of time: all that can be needed, and no more. */
const sorted = (file: NdjsonFile, query: LogQuery) =>
  Effect.suspend(() => {
    const { last = Number.POSITIVE_INFINITY, offset = 0, limit = Number.POSITIVE_INFINITY, order = "asc" } = query
    // With `last` and ascending order the first of the last are given: all of the last are needed to know them.
    const most = order === "desc" ? Math.min(last, offset + limit) : query.last === undefined ? offset + limit : last
    const places = makePlaces(most, order === "asc" && query.last === undefined ? "first" : "last")
    return Stream.runForEachChunk(chosen(file, query), (chunk) =>
      Effect.sync(() => {
        for (const { offset, length, event } of chunk)
          places.add({ offset, length, event: file.gzip ? event : undefined }, event.ts)
      })
    ).pipe(Effect.map(() => places.sorted()))
  })

const PAGE_ROWS = 1000
const PAGE_BYTES = 4 << 20

/** The events at places, page by page. */
export const eventsAt = (
  fs: FileSystem.FileSystem,
  file: NdjsonFile,
  places: ReadonlyArray<Place>
): Stream.Stream<LogEvent, LogReadError> =>
  Stream.unwrapScoped(
    Effect.map(fs.open(file.path, { flag: "r" }), (handle) =>
      Stream.paginateChunkEffect(0, (start) =>
        Effect.gen(function* () {
          const end = pageEnd(places, start)
          const page = places.slice(start, end)
          const texts = file.gzip ? [] : yield* linesAt(handle, page)
          const events = page.flatMap(({ event }, i) => event ?? file.parse(texts[i] ?? "") ?? [])
          return [Chunk.unsafeFromArray(events), end < places.length ? Option.some(end) : Option.none<number>()]
        })
      )
    )
  ).pipe(
    Stream.catchTags({
      BadArgument: (error) => Stream.fail(unreadable(file.path)(error)),
      SystemError: (error) => Stream.fail(unreadable(file.path)(error))
    })
  )

const pageEnd = (places: ReadonlyArray<Place>, start: number): number => {
  let bytes = 0
  for (let end = start; end < places.length; end++) {
    bytes += places[end]?.length ?? 0
    if (end - start === PAGE_ROWS || (end > start && bytes > PAGE_BYTES)) return end
  }
  return places.length
}

/** Lines near each other are read at once. */
const linesAt = (handle: FileSystem.File, page: ReadonlyArray<Place>) =>
  Effect.gen(function* () {
    const first = page.reduce((least, { offset }) => Math.min(least, offset), Number.POSITIVE_INFINITY)
    const end = page.reduce((most, { offset, length }) => Math.max(most, offset + length), 0)
    const bytes = page.reduce((sum, { length }) => sum + length, 0)
    if (page.length === 0) return []
    if (end - first <= 2 * bytes + (1 << 16)) {
      const block = yield* bytesAt(handle, first, end - first)
      return page.map(({ offset, length }) =>
        new TextDecoder().decode(block.subarray(offset - first, offset - first + length))
      )
    }
    return yield* Effect.forEach(page, ({ offset, length }) =>
      Effect.map(bytesAt(handle, offset, length), (line) => new TextDecoder().decode(line))
    )
  })

/** What is there of so many bytes. */
export const bytesAt = (handle: FileSystem.File, offset: number, length: number) =>
  Effect.gen(function* () {
    yield* handle.seek(offset, "start")
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const count = Number(yield* handle.read(bytes.subarray(filled)))
      if (count === 0) break
      filled += count
    }
    return bytes.subarray(0, filled)
  })

export interface Place {
  readonly offset: number
  readonly length: number
  /** Kept where the file cannot be read by position. */
  readonly event: LogEvent | undefined
}

interface Places {
  readonly add: (place: Place, seconds: number | null) => void
  /** In order of time, and for equal times as they were written. */
  readonly sorted: () => ReadonlyArray<Place>
}

/** Of all that are added, at most the first or the last so many are kept. */
const makePlaces = (most: number, which: "first" | "last"): Places => {
  let seconds = new Float64Array(1024)
  let offsets = new Float64Array(1024)
  let lengths = new Float64Array(1024)
  let events: Array<LogEvent | undefined> = []
  let count = 0
  const grown = (array: Float64Array): Float64Array<ArrayBuffer> => {
    const larger = new Float64Array(array.length * 2)
    larger.set(array)
    return larger
  }
  const order = (): Uint32Array => {
    const all = new Uint32Array(count)
    for (let i = 0; i < count; i++) all[i] = i
    all.sort((a, b) => {
      const difference = (seconds[a] ?? 0) - (seconds[b] ?? 0)
      // Two times that are not understood differ by NaN.
      return difference || (offsets[a] ?? 0) - (offsets[b] ?? 0)
    })
    return which === "first" ? all.subarray(0, most) : all.subarray(Math.max(0, count - most))
  }
  const prune = (): void => {
    const kept = order()
    const pick = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const picked = new Float64Array(from.length)
      kept.forEach((index, i) => {
        picked[i] = from[index] ?? 0
      })
      return picked
    }
    seconds = pick(seconds)
    offsets = pick(offsets)
    lengths = pick(lengths)
    events = [...kept].map((index) => events[index])
    count = kept.length
  }
  return {
    add: ({ offset, length, event }, time) => {
      if (count >= 2 * most + 1024) prune()
      if (count === seconds.length) {
        seconds = grown(seconds)
        offsets = grown(offsets)
        lengths = grown(lengths)
      }
      seconds[count] = time ?? Number.NEGATIVE_INFINITY
      offsets[count] = offset
      lengths[count] = length
      events[count] = event
      count += 1
    },
    sorted: () => Array.from(order(), (i) => ({ offset: offsets[i] ?? 0, length: lengths[i] ?? 0, event: events[i] }))
  }
}
