/**
 * The growing end of a view, or of a table without rowids: by time where there is one, else by counting.
 *
 * Events of the last second that was seen are kept, so that none comes twice and none of the same time is missed.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import type { LogReadError } from "../Log.ts"
import { of } from "./Filter.ts"
import type { Part, Tail } from "./Follow.ts"
import { events } from "./Order.ts"
import type { SqlSource } from "./Source.ts"
import { quoted } from "./TableShape.ts"

export const countedTail = (
  source: SqlSource,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Tail, LogReadError> => {
  const asked: LogQuery = { ...query, order: "asc", last: undefined, limit: undefined, offset: undefined }
  const ending: LogQuery = { ...asked, last: whole ? 0 : last }
  return source.shape.columns.time === undefined ? counted(source, asked, ending) : timed(source, asked, ending)
}

const timed = (source: SqlSource, asked: LogQuery, ending: LogQuery): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    let place = asked.since ?? Number.NEGATIVE_INFINITY
    let faces = new Map<string, number>()
    const note = (event: LogEvent): void => {
      if (event.ts === null || event.ts < place) return
      if (event.ts > place) faces = new Map()
      place = event.ts
      const face = JSON.stringify(event)
      faces.set(face, (faces.get(face) ?? 0) + 1)
    }
    const first = [...(yield* Stream.runCollect(events(source, ending)))]
    // All of the newest time, not only those that are given.
    const newest = first.at(-1)?.ts ?? null
    if (newest === null) for (const event of first) note(event)
    else
      yield* Stream.runForEach(events(source, { ...asked, since: newest }), (event) => Effect.sync(() => note(event)))
    const look = Effect.sync((): Part => {
      const since = place
      const known = new Map(faces)
      const isNew = (event: LogEvent): boolean => {
        const face = JSON.stringify(event)
        const left = event.ts === since ? (known.get(face) ?? 0) : 0
        if (left > 0) known.set(face, left - 1)
        else note(event)
        return left === 0
      }
      return Stream.filter(events(source, since === Number.NEGATIVE_INFINITY ? asked : { ...asked, since }), isNew)
    })
    return { first: Stream.fromIterable(first), look }
  })

const counted = (source: SqlSource, asked: LogQuery, ending: LogQuery): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    const { sql, values } = of(source.shape, asked)
    const count = Effect.map(
      source.ask(`SELECT count(*) AS events FROM ${quoted(source.shape.table)} WHERE ${sql}`, values),
      ([row]) => Number(row?.events ?? 0)
    )
    let before = ending.last === 0 ? 0 : yield* count
    const look = Effect.map(count, (now): Part => {
      const offset = now < before ? 0 : before
      before = now
      return now > offset ? events(source, { ...asked, offset, limit: now - offset }) : Stream.empty
    })
    return { first: events(source, ending), look }
  })
