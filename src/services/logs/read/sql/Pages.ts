/**
 * Events of a table page by page: each statement is short, and no page holds more than some megabytes.
 *
 * A page is asked for in two steps: keys and sizes of up to a thousand rows, then the rows themselves, as many as fit.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogEvent } from "../../SessionEvent.ts"
import type * as Sqlite from "../../Sqlite.ts"
import type { LogReadError } from "../Log.ts"
import { type Ask, event, selected, sizeOf } from "./Source.ts"
import { quoted, type TableShape } from "./TableShape.ts"

/** Where rows are fetched from. */
export interface Rows {
  /** SQL for the table, the number of a row, and what is selected to make an event. */
  readonly table: string
  readonly rowid: string
  readonly selected: string
  readonly size: string
}

/** Rows of a table that has rowids. */
export const rowsOf = (shape: TableShape, rowid: string): Rows => ({
  table: quoted(shape.table),
  rowid,
  selected: selected(shape),
  size: sizeOf(shape)
})

/** Names a row, and says where to go on after it. Rowids are texts, because they may be beyond 2^53. */
export interface Key {
  readonly id: string
  readonly size: number
  /** What the order is by, besides the rowid. */
  readonly place: Sqlite.Value
}

/** From columns whose names no table has: SQL takes the name of a result before that of a column. */
export const keyOf = (row: Sqlite.Row): Key => ({
  id: String(row.codex_id),
  size: Number(row.codex_size),
  place: row.codex_place ?? null
})

/** Up to so many further keys, in the order of the query. */
export type Keys = (after: Key | undefined, count: number) => Effect.Effect<ReadonlyArray<Key>, LogReadError>

export const pageRows = 1000
const PAGE_BYTES = 4 << 20

/** The events of keys. */
export const events = (ask: Ask, rows: Rows, keys: Keys, limit: number): Stream.Stream<LogEvent, LogReadError> => {
  type Page = readonly [Chunk.Chunk<LogEvent>, Option.Option<Step>]
  const step = ({ keys: given, from, after, left }: Step): Effect.Effect<Page, LogReadError> =>
    Effect.gen(function* () {
      const found = from < given.length ? given : yield* keys(after, Math.min(pageRows, left))
      const start = found === given ? from : 0
      const page = found.slice(start, fitting(found, start))
      const last = page.at(-1)
      if (last === undefined) return [Chunk.empty(), Option.none()]
      const read = yield* fetch(ask, rows, page)
      const next: Step = { keys: found, from: start + page.length, after: last, left: left - page.length }
      return [Chunk.unsafeFromArray(read), next.left > 0 ? Option.some(next) : Option.none()]
    })
  const first: Step = { keys: [], from: 0, after: undefined, left: limit }
  return limit > 0 ? Stream.paginateChunkEffect(first, step) : Stream.empty
}

interface Step {
  readonly keys: ReadonlyArray<Key>
  /** Those before were given. */
  readonly from: number
  readonly after: Key | undefined
  readonly left: number
}

/** Where the page ends that begins with a key: it has at least that. */
const fitting = (keys: ReadonlyArray<Key>, start: number): number => {
  let bytes = 0
  for (let end = start; end < keys.length; end++) {
    bytes += keys[end]?.size ?? 0
    if (end - start === pageRows || (end > start && bytes > PAGE_BYTES)) return end
  }
  return keys.length
}

/** The events of rows, in the order of the keys. Rows that are gone meanwhile are left out. */
export const fetch = (
  ask: Ask,
  rows: Rows,
  keys: ReadonlyArray<Key>
): Effect.Effect<ReadonlyArray<LogEvent>, LogReadError> =>
  Effect.map(
    ask(
      `SELECT codex_n, ${rows.selected} FROM (SELECT key AS codex_n, value AS codex_id FROM json_each(?)) CROSS JOIN ${rows.table} AS found ON found.${rows.rowid} = codex_id`,
      [`[${keys.map(({ id }) => id).join(",")}]`]
    ),
    (found) => [...found].sort((a, b) => Number(a.codex_n) - Number(b.codex_n)).map(event)
  )
