/**
 * The order of a query's events: read from an index where one gives it, else sorted into a temporary table.
 *
 * Temporary tables are files of SQLite's own outside of the database; they work on a connection that only reads.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LogQuery } from "../../LogQuery.ts"
import type { LogEvent } from "../../SessionEvent.ts"
import type { LogReadError } from "../Log.ts"
import { largestSeconds } from "../Timestamp.ts"
import {
  allOf,
  type Condition,
  conditionOf,
  type Key,
  type Keys,
  keyOf,
  pagedEvents,
  pageRows,
  type Rows,
  rowsOf,
  type SqlSource,
  secondsOf,
  selected,
  sessionCondition
} from "./SqlRows.ts"
import { type Ask, quoted } from "./SqlStatement.ts"
import type { TableShape } from "./TableShape.ts"

/** The events of a query, in its order. */
export const events = (source: SqlSource, query: LogQuery): Stream.Stream<LogEvent, LogReadError> =>
  query.last === 0 || query.limit === 0
    ? Stream.empty
    : Stream.unwrapScoped(
        Effect.gen(function* () {
          const { ask, shape } = source
          const { rowid } = shape
          if (rowid === null) return yield* copied(source, query)
          const rows = rowsOf(shape, rowid)
          const walk = yield* walked(ask, shape, rowid, query)
          const keys =
            walk ??
            (yield* sorted(source, rows, { condition: conditionOf(shape, query), seconds: secondsOf(shape) }, query))
          return pagedEvents(
            ask,
            rows,
            keys,
            walk === undefined ? Number.POSITIVE_INFINITY : (query.limit ?? Number.POSITIVE_INFINITY)
          )
        })
      )

const directionOf = (order: LogQuery["order"]) => (order === "desc" ? "DESC" : "ASC")

/** Keys by an index, or by the rowid where there is no time; nothing where a page would have to be sorted. */
const walked = (
  ask: Ask,
  shape: TableShape,
  rowid: string,
  query: LogQuery
): Effect.Effect<Keys | undefined, LogReadError> =>
  Effect.gen(function* () {
    const { time } = shape.columns
    if (time !== undefined && !(yield* plainSeconds(ask, shape, query.sessionId))) return undefined
    const place = time === undefined ? "NULL" : quoted(time)
    const walk: Walk = {
      ask,
      table: quoted(shape.table),
      columns: time === undefined ? [rowid] : [place, rowid],
      select: `SELECT CAST(${rowid} AS TEXT) AS codex_id, ${place} AS codex_place, ${rowsOf(shape, rowid).size} AS codex_size`,
      condition: conditionOf(shape, query, { bare: time !== undefined })
    }
    if (!(yield* unsorted(ask, statement(walk, [walk.condition], "ASC", 1, 0)))) return undefined
    const [newest] = yield* ask(`SELECT CAST(max(${rowid}) AS TEXT) AS id FROM ${walk.table}`)
    // What is written while this is read is not part of it.
    const conditions = [walk.condition, { sql: `+${rowid} <= CAST(? AS INTEGER)`, values: [newest?.id ?? "0"] }]
    if (query.last !== undefined) {
      const { sql, values } = statement(walk, conditions, "DESC", 1, query.last - 1)
      const [oldest] = yield* ask(sql, values)
      if (oldest !== undefined) conditions.push(bound(walk, ">=", keyOf(oldest)))
    }
    const direction = directionOf(query.order)
    return (after, count) => {
      const from = after === undefined ? [] : [bound(walk, direction === "ASC" ? ">" : "<", after)]
      const skip = after === undefined ? (query.offset ?? 0) : 0
      const { sql, values } = statement(walk, [...conditions, ...from], direction, count, skip)
      return Effect.map(ask(sql, values), (found) => found.map(keyOf))
    }
  })

interface Walk {
  readonly ask: Ask
  readonly table: string
  readonly columns: ReadonlyArray<string>
  readonly select: string
  readonly condition: Condition
}

const statement = (
  { select, table, columns }: Walk,
  conditions: ReadonlyArray<Condition>,
  direction: "ASC" | "DESC",
  count: number,
  skip: number
): Condition => {
  const { sql, values } = allOf(conditions)
  const order = columns.map((column) => `${column} ${direction}`).join(", ")
  return {
    sql: `${select} FROM ${table} WHERE ${sql} ORDER BY ${order} LIMIT ? OFFSET ?`,
    values: [...values, count, skip]
  }
}

const bound = ({ columns }: Walk, comparison: string, { id, place }: Key): Condition =>
  columns.length === 1
    ? { sql: `${columns[0]} ${comparison} CAST(? AS INTEGER)`, values: [id] }
    : { sql: `(${columns.join(", ")}) ${comparison} (?, CAST(? AS INTEGER))`, values: [place, id] }

/** The time column holds seconds and nothing else, as its index tells, of all rows or of one session's. */
const plainSeconds = (
  ask: Ask,
  shape: TableShape,
  sessionId: string | undefined
): Effect.Effect<boolean, LogReadError> =>
  Effect.gen(function* () {
    const time = quoted(shape.columns.time ?? "")
    const conditions = sessionId === undefined ? [allOf([])] : [allOf([]), sessionCondition(shape, sessionId)]
    for (const condition of conditions) {
      const end = (direction: string): Condition => ({
        sql: `SELECT ${time} AS codex_place FROM ${quoted(shape.table)} WHERE ${condition.sql} ORDER BY ${time} ${direction} LIMIT 1`,
        values: condition.values
      })
      const searched = condition.values.length > 0
      if (!(yield* unsorted(ask, end("ASC"), searched))) continue
      // NULL < numbers < texts < BLOBs.
      const ends = yield* Effect.forEach(["ASC", "DESC"], (direction) => ask(end(direction).sql, end(direction).values))
      const places = ends.flatMap((rows) => rows.map(({ codex_place }) => codex_place))
      if (places.every((place) => typeof place === "number" && Math.abs(place) <= largestSeconds)) return true
    }
    return false
  })

/** SQLite's plan takes rows in their order. `searched`: and goes straight to them. */
export const unsorted = (
  ask: Ask,
  { sql, values }: Condition,
  searched = false
): Effect.Effect<boolean, LogReadError> =>
  Effect.map(ask(`EXPLAIN QUERY PLAN ${sql}`, values), (plan) => {
    const steps = plan.map(({ detail }) => String(detail))
    return (
      !steps.some((step) => step.includes("TEMP B-TREE")) &&
      (!searched || steps.some((step) => step.startsWith("SEARCH")))
    )
  })

/** Rowids in the order of the query, in a temporary table. */
const sorted = (
  { ask, temporary }: SqlSource,
  rows: Rows,
  from: { readonly condition: Condition; readonly seconds: string },
  query: LogQuery
) =>
  Effect.gen(function* () {
    const table = yield* scratch(ask, temporary(), "(codex_place INTEGER PRIMARY KEY, codex_id INTEGER)")
    const matching = `SELECT ${rows.rowid} AS codex_id, ${from.seconds} AS codex_seconds FROM ${rows.table} WHERE ${from.condition.sql}`
    const newest =
      query.last === undefined ? matching : `${matching} ORDER BY codex_seconds DESC, codex_id DESC LIMIT ?`
    const direction = directionOf(query.order)
    yield* ask(
      `INSERT INTO ${table} (codex_id) SELECT codex_id FROM (${newest}) ORDER BY codex_seconds ${direction}, codex_id ${direction} LIMIT ? OFFSET ?`,
      [
        ...from.condition.values,
        ...(query.last === undefined ? [] : [query.last]),
        query.limit ?? -1,
        query.offset ?? 0
      ]
    )
    const keys: Keys = (after, count) =>
      Effect.map(
        ask(
          `SELECT CAST(sorted.codex_id AS TEXT) AS codex_id, sorted.codex_place, ${rows.size} AS codex_size FROM ${table} AS sorted CROSS JOIN ${rows.table} AS found ON found.${rows.rowid} = sorted.codex_id WHERE sorted.codex_place > ? ORDER BY sorted.codex_place LIMIT ?`,
          [after?.place ?? 0, Math.min(count, pageRows)]
        ),
        (found) => found.map(keyOf)
      )
    return keys
  })

/** A temporary table that goes with the scope. */
const scratch = (ask: Ask, name: string, content: string, values: Condition["values"] = []) =>
  Effect.acquireRelease(Effect.as(ask(`CREATE TEMP TABLE ${name} ${content}`, values), name), () =>
    Effect.ignore(ask(`DROP TABLE ${name}`))
  )

/** Rows without rowids are copied, in the order in which SQLite finds them. */
const copied = (source: SqlSource, query: LogQuery) =>
  Effect.gen(function* () {
    const { ask, shape, temporary } = source
    const condition = conditionOf(shape, query)
    const content = `AS SELECT ${selected(shape)} FROM ${quoted(shape.table)} WHERE ${condition.sql}`
    const table = yield* scratch(ask, temporary(), content, condition.values)
    const rows: Rows = {
      table,
      rowid: "rowid",
      selected: "seconds, time, session, role, message, level, metadata",
      size: "coalesce(octet_length(message), 0) + coalesce(octet_length(metadata), 0)"
    }
    const keys = yield* sorted(source, rows, { condition: allOf([]), seconds: "seconds" }, query)
    return pagedEvents(ask, rows, keys, Number.POSITIVE_INFINITY)
  })
