/**
 * The growing end of a table that has rowids.
 *
 * Between two looks the table may have been emptied, and rowids may begin again. So the last row that was seen and the lowest
 * row are remembered: when both are no longer what they were, everything that is there now is new.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import type { LogReadError } from "../Log.ts"
import { all, type Condition, of } from "./Filter.ts"
import type { Part, Tail } from "./Follow.ts"
import { events, type Key, type Keys, keyOf, type Rows, rowsOf } from "./Pages.ts"
import { type Ask, type SqlSource, text } from "./Source.ts"
import { quoted, type TableShape } from "./TableShape.ts"

/** Among so many rows the last events are looked for before an index is asked, which may have to sort. */
const NEAR = 50_000

export const numberedTail = (
  { ask, shape }: SqlSource,
  rowid: string,
  query: LogQuery,
  last: number,
  whole: boolean
): Effect.Effect<Tail, LogReadError> =>
  Effect.gen(function* () {
    const rows = rowsOf(shape, rowid)
    // The rows are found by their numbers, so that a look costs what is new, not what a session has.
    const filter = of(shape, query, { unindexed: true })
    const give = (keys: Keys): Part => events(ask, rows, keys, Number.POSITIVE_INFINITY)
    const between = (from: string | undefined, to: Seen | undefined): Part => {
      if (to === undefined) return Stream.empty
      return give((after, count) => {
        const start = after?.id ?? from
        const above = start === undefined ? [] : [{ sql: `${rowid} > CAST(? AS INTEGER)`, values: [start] }]
        return numbers(ask, rows, all([...above, upTo(rows, to), filter]), "ASC", count)
      })
    }
    const position = positionOf(ask, shape, rowid)
    let before: Position = whole ? { newest: undefined, oldest: undefined } : yield* position
    const first = whole ? [] : yield* newest(ask, shape, rows, query, before.newest, last)
    const look = Effect.gen(function* () {
      const now = yield* position
      const start = yield* goOn(ask, shape, rowid, before, now)
      before = now
      return between(start, now.newest)
    })
    return { first: give((after) => Effect.succeed(after === undefined ? first : [])), look }
  })

/** A row that was seen, to be known again. */
interface Seen {
  readonly id: string
  readonly face: string | null
}

/** Where a look ended: the highest row and the lowest; nothing of an empty table. */
interface Position {
  readonly newest: Seen | undefined
  readonly oldest: Seen | undefined
}

const faceOf = ({ columns }: TableShape): string => {
  const time = columns.time === undefined ? "''" : `quote(${quoted(columns.time)})`
  const message = quoted(columns.message)
  return `${time} || ' ' || coalesce(octet_length(${message}), '') || ' ' || hex(substr(${message}, 1, 64))`
}

const seen = (ask: Ask, shape: TableShape, rowid: string, rest: string, values: Condition["values"] = []) =>
  Effect.map(
    ask(
      `SELECT CAST(${rowid} AS TEXT) AS codex_id, ${faceOf(shape)} AS codex_face FROM ${quoted(shape.table)} ${rest}`,
      values
    ),
    ([row]): Seen | undefined =>
      row === undefined ? undefined : { id: String(row.codex_id), face: text(row.codex_face) }
  )

const positionOf = (ask: Ask, shape: TableShape, rowid: string): Effect.Effect<Position, LogReadError> =>
  Effect.all({
    newest: seen(ask, shape, rowid, `ORDER BY ${rowid} DESC LIMIT 1`),
    oldest: seen(ask, shape, rowid, `ORDER BY ${rowid} LIMIT 1`)
  })

/** The row after which new ones are; nothing where all are new. */
const goOn = (ask: Ask, shape: TableShape, rowid: string, before: Position, now: Position) =>
  Effect.gen(function* () {
    const { newest, oldest } = before
    if (newest === undefined || now.newest === undefined) return undefined
    const there = yield* seen(ask, shape, rowid, `WHERE ${rowid} = CAST(? AS INTEGER)`, [newest.id])
    if (there !== undefined && there.face === newest.face) return newest.id
    if (now.oldest?.id !== oldest?.id || now.oldest?.face !== oldest?.face) return undefined
    return BigInt(now.newest.id) < BigInt(newest.id) ? now.newest.id : newest.id
  })

const upTo = ({ rowid }: Rows, { id }: Seen): Condition => ({
  sql: `${rowid} <= CAST(? AS INTEGER)`,
  values: [id]
})

const numbers = (ask: Ask, rows: Rows, { sql, values }: Condition, direction: "ASC" | "DESC", count: number) =>
  Effect.map(
    ask(
      `SELECT CAST(${rows.rowid} AS TEXT) AS codex_id, ${rows.size} AS codex_size FROM ${rows.table} WHERE ${sql} ORDER BY ${rows.rowid} ${direction} LIMIT ?`,
      [...values, count]
    ),
    (found) => found.map(keyOf)
  )

/** Keys of the last rows of a query up to a row, in the order of writing. */
const newest = (
  ask: Ask,
  shape: TableShape,
  rows: Rows,
  query: LogQuery,
  to: Seen | undefined,
  last: number
): Effect.Effect<ReadonlyArray<Key>, LogReadError> =>
  Effect.gen(function* () {
    if (to === undefined) return []
    const near = { sql: `${rows.rowid} > CAST(? AS INTEGER) - ${NEAR}`, values: [to.id] }
    const filter = of(shape, query, { unindexed: true })
    const found = yield* numbers(ask, rows, all([upTo(rows, to), near, filter]), "DESC", last)
    if (found.length === last) return found.reverse()
    return (yield* numbers(ask, rows, all([upTo(rows, to), of(shape, query)]), "DESC", last)).reverse()
  })
