/**
 * Sessions and statistics of a log in each format: tables for people; JSON, NDJSON and CSV.
 */
import type { LogStats, SessionSummary } from "../../services/logs/LogQuery.ts"
import type { Format } from "../LogOptions.ts"
import { csvLine } from "./EventPrinter.ts"
import { duration } from "./Format.ts"
import { facts, table } from "./Table.ts"
import { visible } from "./Tokens.ts"

/** The sessions, ending with a line feed, or an empty text. */
export const sessionsText = (sessions: ReadonlyArray<SessionSummary>, format: Format): string => {
  const records = sessions.map(({ session_id, first, last, events, outcome }) => ({
    session_id,
    first,
    last,
    first_time: iso(first),
    last_time: iso(last),
    events,
    outcome
  }))
  switch (format) {
    case "json":
      return `${JSON.stringify(records)}\n`
    case "ndjson":
      return records.map((record) => `${JSON.stringify(record)}\n`).join("")
    case "csv": {
      const header = ["session_id", "first", "last", "first_time", "last_time", "events", "outcome"]
      return [header, ...records.map((record) => Object.values(record))].map(csvLine).join("")
    }
    case "text":
      return sessions.length === 0 ? "" : `${sessionsTable(sessions)}\n`
  }
}

const sessionsTable = (sessions: ReadonlyArray<SessionSummary>) =>
  table(
    [
      { title: "session" },
      { title: "first" },
      { title: "last" },
      { title: "duration" },
      { title: "events", align: "right" },
      { title: "outcome" }
    ],
    sessions.map(({ session_id, first, last, events, outcome }) => [
      shown(session_id),
      shown(iso(first)),
      shown(iso(last)),
      first === null || last === null ? "–" : duration((last - first) * 1000),
      `${events}`,
      shown(outcome)
    ])
  )

/** The statistics, ending with a line feed, or an empty text. */
export const statsText = (
  stats: LogStats,
  log: { readonly path: string; readonly shape: string },
  format: Format
): string => {
  const { events, sessions, first, last } = stats
  const counts = [
    ["role", stats.roles],
    ["level", stats.levels],
    ["day", stats.days]
  ] as const
  switch (format) {
    case "json":
    case "ndjson": {
      const [roles, levels, days] = counts.map(([name, pairs]) =>
        pairs.map(([value, events]) => ({ [name]: value, events }))
      )
      const times = { first, last, first_time: iso(first), last_time: iso(last) }
      return `${JSON.stringify({ path: log.path, shape: log.shape, events, sessions, ...times, roles, levels, days })}\n`
    }
    case "csv":
      return [
        ["kind", "value", "count"],
        ["events", null, events],
        ["sessions", null, sessions],
        ["first", iso(first), null],
        ["last", iso(last), null],
        ...counts.flatMap(([name, pairs]) => pairs.map(([value, events]) => [name, value, events]))
      ]
        .map(csvLine)
        .join("")
    case "text":
      if (events === 0) return ""
      return `${[
        facts([
          ["log", visible(`${log.path}, ${log.shape}`)],
          ["events", `${events}`],
          ["sessions", `${sessions}`],
          ["first", shown(iso(first))],
          ["last", shown(iso(last))]
        ]),
        ...counts.map(([name, pairs]) =>
          table(
            [{ title: name }, { title: "events", align: "right" }],
            pairs.map(([value, events]) => [shown(value), `${events}`])
          )
        )
      ].join("\n\n")}\n`
  }
}

const shown = (text: string | null): string => (text === null ? "–" : visible(text))

/** ISO 8601 in UTC with milliseconds; null for a time outside of the calendar. */
const iso = (seconds: number | null): string | null => {
  const millis = seconds === null ? Number.NaN : Math.round(seconds * 1000)
  return Math.abs(millis) <= 8.64e15 ? new Date(millis).toISOString() : null
}
