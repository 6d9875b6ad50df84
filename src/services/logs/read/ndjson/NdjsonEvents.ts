/**
 * The events of an NDJSON file in the order of a query.
 *
 * A log is nearly always in time order already: a first pass checks that, and a second one returns the events without keeping
 * anything. Otherwise the positions of events are collected and sorted, and their lines are read by position.
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

/** The events of a query, in its order. */
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
          const places = yield* sortedPlaces(file, query)
          const inOrder = query.order === "desc" ? places.toReversed() : places
          const selected = inOrder.slice(offset, limit === undefined ? undefined : offset + limit)
          return eventsAt(fs, file, selected)
        })
      )

/** Lines with events of the query, in file order. */
const chosen = (file: NdjsonFile, query: LogQuery) => {
  const matches = matcher(query)
  return Stream.filter(lines(file), (record): record is Found => record.event !== undefined && matches(record.event))
}

interface Found extends NdjsonLine {
  readonly event: LogEvent
}

/** Events of the query in file order, without `last`, `offset` and `limit`. */
export const matching = (file: NdjsonFile, query: LogQuery): Stream.Stream<LogEvent, LogReadError> =>
  Stream.map(chosen(file, query), ({ event }) => event)

/** The number of events, and whether they are in time order. */
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

/** Positions in time order, only as many as the query can need. */
const sortedPlaces = (file: NdjsonFile, query: LogQuery) =>
  Effect.suspend(() => {
    const { last = Number.POSITIVE_INFINITY, offset = 0, limit = Number.POSITIVE_INFINITY, order = "asc" } = query
    // `last` in ascending order needs all of the last events, even if `limit` then takes the first of them.
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

/** The events at these positions, read in pages. */
const eventsAt = (
  fs: FileSystem.FileSystem,
  file: NdjsonFile,
  places: ReadonlyArray<Place>
): Stream.Stream<LogEvent, LogReadError> =>
  Stream.unwrapScoped(
    Effect.map(fs.open(file.path, { flag: "r" }), (handle) => eventsIn(handle, file, places)).pipe(
      Effect.mapError(unreadable(file.path))
    )
  )

/** The events at these positions of an open file, read in pages. */
export const eventsIn = (
  handle: FileSystem.File,
  file: NdjsonFile,
  places: ReadonlyArray<Place>
): Stream.Stream<LogEvent, LogReadError> =>
  Stream.paginateChunkEffect(0, (start) =>
    Effect.gen(function* () {
      const end = pageEnd(places, start)
      const page = places.slice(start, end)
      const texts = file.gzip ? [] : yield* linesAt(handle, page)
      const events = page.flatMap(({ event }, i) => event ?? file.parse(texts[i]!) ?? [])
      return [Chunk.unsafeFromArray(events), end < places.length ? Option.some(end) : Option.none<number>()]
    })
  ).pipe(Stream.mapError(unreadable(file.path)))

const pageEnd = (places: ReadonlyArray<Place>, start: number): number => {
  let bytes = 0
  for (let end = start; end < places.length; end++) {
    bytes += places[end]!.length
    if (end - start === PAGE_ROWS || (end > start && bytes > PAGE_BYTES)) return end
  }
  return places.length
}

/** Reads lines that are close together at once. */
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

/** Reads `length` bytes, or fewer at the end of the file. */
const bytesAt = (handle: FileSystem.File, offset: number, length: number) =>
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

/** The position of an event in the file. */
export interface Place {
  readonly offset: number
  readonly length: number
  /** Kept for a gzipped file, which cannot be read by position. */
  readonly event: LogEvent | undefined
}

interface Places {
  readonly add: (place: Place, seconds: number | null) => void
  /** In time order, and for equal times in file order. */
  readonly sorted: () => ReadonlyArray<Place>
}

/**
 * Collects positions and keeps at most the first or the last `most` of them. Numbers in typed arrays, so that millions fit in memory.
 */
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
      const difference = seconds[a]! - seconds[b]!
      // Two unknown times (-Infinity) differ by NaN.
      return difference || offsets[a]! - offsets[b]!
    })
    return which === "first" ? all.subarray(0, most) : all.subarray(Math.max(0, count - most))
  }
  const prune = (): void => {
    const kept = order()
    const pick = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const picked = new Float64Array(from.length)
      kept.forEach((index, i) => {
        picked[i] = from[index]!
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
    sorted: () => Array.from(order(), (i) => ({ offset: offsets[i]!, length: lengths[i]!, event: events[i] }))
  }
}
