/**
 * The events of a query in order: by an index if there is one, else sorted in a temporary table.
 *
 * SQLite keeps temporary tables in files outside of the database, so they work on a read-only connection.
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
          if (rowid === null) return yield* copiedEvents(source, query)
          const rows = rowsOf(shape, rowid)
          const walk = yield* indexKeys(ask, shape, rowid, query)
          const keys =
            walk ??
            (yield* sortedKeys(
              source,
              rows,
              { condition: conditionOf(shape, query), seconds: secondsOf(shape) },
              query
            ))
          return pagedEvents(
            ask,
            rows,
            keys,
            walk === undefined ? Number.POSITIVE_INFINITY : (query.limit ?? Number.POSITIVE_INFINITY)
          )
        })
      )

const directionOf = (order: LogQuery["order"]) => (order === "desc" ? "DESC" : "ASC")

/** The keys of a page, read from an index, or from the rowid if the log has no times. Undefined if SQLite would sort for each page. */
const indexKeys = (
  ask: Ask,
  shape: TableShape,
  rowid: string,
  query: LogQuery
): Effect.Effect<Keys | undefined, LogReadError> =>
  Effect.gen(function* () {
    const { time } = shape.columns
    if (time !== undefined && !(yield* hasPlainSeconds(ask, shape, query.sessionId))) return undefined
    const place = time === undefined ? "NULL" : quoted(time)
    const walk: Walk = {
      ask,
      table: quoted(shape.table),
      columns: time === undefined ? [rowid] : [place, rowid],
      select: `SELECT CAST(${rowid} AS TEXT) AS codex_id, ${place} AS codex_place, ${rowsOf(shape, rowid).size} AS codex_size`,
      condition: conditionOf(shape, query, { bare: time !== undefined })
    }
    if (!(yield* needsNoSort(ask, statement(walk, [walk.condition], "ASC", 1, 0)))) return undefined
    const [newest] = yield* ask(`SELECT CAST(max(${rowid}) AS TEXT) AS id FROM ${walk.table}`)
    // Rows that are written during the reading are not part of the result.
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

/** Whether the time column has only seconds, in all rows or in those of the session; its index tells. */
const hasPlainSeconds = (
  ask: Ask,
  shape: TableShape,
  sessionId: string | undefined
): Effect.Effect<boolean, LogReadError> =>
  Effect.gen(function* () {
    const time = quoted(shape.columns.time!)
    const conditions = sessionId === undefined ? [allOf([])] : [allOf([]), sessionCondition(shape, sessionId)]
    for (const condition of conditions) {
      const end = (direction: string): Condition => ({
        sql: `SELECT ${time} AS codex_place FROM ${quoted(shape.table)} WHERE ${condition.sql} ORDER BY ${time} ${direction} LIMIT 1`,
        values: condition.values
      })
      const searched = condition.values.length > 0
      if (!(yield* needsNoSort(ask, end("ASC"), searched))) continue
      // In the order of SQLite NULL < numbers < texts < BLOBs, so the ends are enough.
      const ends = yield* Effect.forEach(["ASC", "DESC"], (direction) => ask(end(direction).sql, end(direction).values))
      const places = ends.flatMap((rows) => rows.map(({ codex_place }) => codex_place))
      if (places.every((place) => typeof place === "number" && Math.abs(place) <= largestSeconds)) return true
    }
    return false
  })

/** Whether SQLite's plan reads rows in order, without sorting. `searched`: and looks them up in an index. */
const needsNoSort = (ask: Ask, { sql, values }: Condition, searched = false): Effect.Effect<boolean, LogReadError> =>
  Effect.map(ask(`EXPLAIN QUERY PLAN ${sql}`, values), (plan) => {
    const steps = plan.map(({ detail }) => String(detail))
    return (
      !steps.some((step) => step.includes("TEMP B-TREE")) &&
      (!searched || steps.some((step) => step.startsWith("SEARCH")))
    )
  })

/** Keys from a temporary table of rowids in the order of the query. */
const sortedKeys = (
  { ask, temporary }: SqlSource,
  rows: Rows,
  from: { readonly condition: Condition; readonly seconds: string },
  query: LogQuery
) =>
  Effect.gen(function* () {
    const table = yield* temporaryTable(ask, temporary(), "(codex_place INTEGER PRIMARY KEY, codex_id INTEGER)")
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

/** A temporary table, dropped with the scope. */
const temporaryTable = (ask: Ask, name: string, content: string, values: Condition["values"] = []) =>
  Effect.acquireRelease(Effect.as(ask(`CREATE TEMP TABLE ${name} ${content}`, values), name), () =>
    Effect.ignore(ask(`DROP TABLE ${name}`))
  )

/** Rows without rowids are copied to a temporary table, in the order in which SQLite returns them. */
const copiedEvents = (source: SqlSource, query: LogQuery) =>
  Effect.gen(function* () {
    const { ask, shape, temporary } = source
    const condition = conditionOf(shape, query)
    const content = `AS SELECT ${selected(shape)} FROM ${quoted(shape.table)} WHERE ${condition.sql}`
    const table = yield* temporaryTable(ask, temporary(), content, condition.values)
    const rows: Rows = {
      table,
      rowid: "rowid",
      selected: "seconds, time, session, role, message, level, metadata",
      size: "coalesce(octet_length(message), 0) + coalesce(octet_length(metadata), 0)"
    }
    const keys = yield* sortedKeys(source, rows, { condition: allOf([]), seconds: "seconds" }, query)
    return pagedEvents(ask, rows, keys, Number.POSITIVE_INFINITY)
  })
